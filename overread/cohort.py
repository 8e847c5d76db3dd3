"""The cohort file: cases with report, detector outputs and adjudications, one JSON object a line.

The one format by which a site's cases leave the service and reach ordering, evaluation, simulation and
training (docs/cohort.md describes it). Parquet files carry the same fields. A case may be marked as context
only: an earlier study of a patient that informs the later ones and is not ordered itself.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from overread.appearance import Appearance, appearance_of, appearance_record
from overread.discrepancy import OF_THE_REPORT_ALONE, DiscrepancyKind
from overread.errors import InvalidFileError
from overread.observation import Laterality, Observation, Presence

T = TypeVar("T")

CIRCUMSTANCES = ("modality", "body_part", "subspecialty", "site", "scanner", "shift", "month", "first_reader")
"""Fields of a case, texts, by which rates are compared; the order does not use them."""

_PLAIN = (
    "age_years",
    "sex",
    "view",
    *CIRCUMSTANCES,
    "selection_probability",
    "text",
    "report_characters",
    "report_read_share",
)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortDetection:
    """Findings that one detector gave for one study; every mapping is by finding id."""

    detector: str  # name of the detector
    version: str = ""
    sha256: str = ""  # of its network; empty where there is none, or it is not known
    scores: Mapping[str, float]  # raw outputs in [0, 1]
    probabilities: Mapping[str, float] = field(
        default_factory=dict
    )  # calibrated, in [0, 1]; empty where not calibrated
    prevalences: Mapping[str, float] = field(
        default_factory=dict
    )  # shares of the calibration cohort, in (0, 1)
    present: frozenset[str] | None = None  # at or above the operating point; None where none is in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication:
    """Whether the second reader confirmed a discrepancy; a finding never looked at has none."""

    finding: str
    kind: DiscrepancyKind
    confirmed: bool

    @property
    def is_found(self) -> bool:
        """Whether image and report are confirmed to disagree: what rates of discrepancies count."""
        return self.confirmed and self.kind not in OF_THE_REPORT_ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRead:
    """Second read of a case beside its adjudications."""

    radpeer: str | None = None  # RADPEER 2016: 1, 2a, 2b, 3a or 3b; None where it was not scored
    is_arbitrated: bool = False
    causes: Mapping[str, str] = field(default_factory=dict)  # of rejected flags, by finding
    taken_up: tuple[str, ...] | None = None  # findings after the reveal; None without an own read before it
    given_up: tuple[str, ...] | None = None  # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortCase:
    """One study and its report, as a line of a cohort file."""

    case: str  # unique in the file
    patient: str  # pseudonym; cases of one patient share it
    order: int = 0  # of the patient's studies in time, lower is earlier
    context_only: bool = False  # informs later studies of the patient, is not ordered itself
    age_years: float | None = None
    sex: str | None = None  # "M", "F", "O", as in DICOM PS3.3 C.7.1.1; None where unknown
    view: str | None = None  # ViewPosition (PS3.3 C.8.11.1), such as "PA"; None where unknown
    modality: str | None = None  # (PS3.3 C.7.3.1.1.1), such as "DX"
    body_part: str | None = None  # BodyPartExamined (PS3.16 annex L), such as "CHEST"
    subspecialty: str | None = None  # that the first reader reads for, such as "thoracic"
    site: str | None = None  # name or pseudonym of where it was reported
    scanner: str | None = None
    shift: str | None = None  # of the report, in the site's own words, such as "night"
    month: str | None = None  # of the study, such as "2026-03"
    first_reader: str | None = None  # pseudonym of who wrote the report
    selection_probability: float | None = None  # of being read, in (0, 1]; None where it is not known
    text: str | None = None  # the report; None where only `observations` are known
    observations: tuple[Observation, ...] = ()  # what the report states, where it was read already
    report_characters: int | None = None  # of the sections of the report; None where it was not read
    report_read_share: float | None = None  # of its characters that were taken for findings or impression
    appearance: Appearance | None = None  # of the image that the detector looked at; None where none says
    detections: tuple[CohortDetection, ...] = ()
    adjudications: tuple[Adjudication, ...] = ()
    second_read: CohortRead | None = None  # None where nobody judged it to the end


def read_cohort(path: Path) -> Iterator[CohortCase]:
    """Yield the cases of a JSON Lines file in its order, one line in memory at a time.

    Raises:
        InvalidFileError: the file cannot be read, or a line is malformed; the message names the line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield parse_line(line, f"{path.name}, line {number}")
    except OSError as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {error.strerror}") from error


def parse_case(line: bytes | str) -> CohortCase:
    """Return the case that one line of a cohort file holds.

    Raises:
        InvalidFileError: not JSON, a field is missing, unknown or out of its range; the message names it.
    """
    try:
        return case_of(json.loads(line))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFileError(f"not a line of JSON: {error}") from error


def encode_case(case: CohortCase) -> str:
    """Return the line of a cohort file, without its line break; fields at their default are left out."""
    return json.dumps(record_of(case), ensure_ascii=False, separators=(",", ":"))


def record_of(case: CohortCase) -> dict[str, Any]:
    """Return the case as plain JSON values, as they stand in a line; the inverse of `case_of`."""
    record: dict[str, Any] = {"case": case.case, "patient": case.patient, "order": case.order}
    if case.context_only:
        record["context_only"] = True
    for name in _PLAIN:
        if (value := getattr(case, name)) is not None:
            record[name] = value
    if case.appearance is not None:
        record["appearance"] = appearance_record(case.appearance)
    record["observations"] = [_observation_record(item) for item in case.observations]
    record["detections"] = [_detection_record(item) for item in case.detections]
    if case.adjudications:
        record["adjudications"] = [
            {"finding": item.finding, "kind": item.kind.value, "confirmed": item.confirmed}
            for item in case.adjudications
        ]
    if case.second_read is not None:
        record["second_read"] = _read_record(case.second_read)
    return record


def case_of(record: object) -> CohortCase:
    """Return the case that plain JSON values describe.

    Raises:
        InvalidFileError: a field is missing, unknown or out of its range.
    """
    table = _table(record, "a case")
    unknown = table.keys() - _CASE_FIELDS.keys()
    if unknown:
        raise InvalidFileError(f"unknown field {min(unknown)!r}")
    for name in ("case", "patient"):
        if name not in table:
            raise InvalidFileError(f"the field {name!r} is missing")
    return CohortCase(**{name: _CASE_FIELDS[name](value, name) for name, value in table.items()})


def parse_line(line: bytes, place: str) -> CohortCase:
    """Return the case of one line; its place stands before the message of an error.

    Raises:
        InvalidFileError: as `parse_case`.
    """
    try:
        return parse_case(line)
    except InvalidFileError as error:
        raise InvalidFileError(f"{place}: {error}") from error


def _observation_record(observation: Observation) -> dict[str, str]:
    record = {"finding": observation.finding, "presence": observation.presence.value}
    if observation.laterality is not Laterality.UNSPECIFIED:
        record["laterality"] = observation.laterality.value
    return record


def _detection_record(detection: CohortDetection) -> dict[str, Any]:
    record: dict[str, Any] = {"detector": detection.detector}
    for name in ("version", "sha256"):
        if value := getattr(detection, name):
            record[name] = value
    record["scores"] = dict(detection.scores)
    for name in ("probabilities", "prevalences"):
        if values := getattr(detection, name):
            record[name] = dict(values)
    if detection.present is not None:
        record["present"] = sorted(detection.present)
    return record


def _read_record(read: CohortRead) -> dict[str, Any]:
    record: dict[str, Any] = {} if read.radpeer is None else {"radpeer": read.radpeer}
    if read.is_arbitrated:
        record["is_arbitrated"] = True
    if read.causes:
        record["causes"] = dict(read.causes)
    for name in ("taken_up", "given_up"):
        if (findings := getattr(read, name)) is not None:
            record[name] = list(findings)
    return record


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidFileError(f"{name!r} must be text and not empty")
    return value


def _optional_text(value: object, name: str) -> str | None:
    return None if value is None or value == "" else _text(value, name)


def _month(value: object, name: str) -> str | None:
    text = _optional_text(value, name)
    if text is not None and not _MONTH.fullmatch(text):
        raise InvalidFileError(f"{name!r} must be a year and a month, such as 2026-03, not {value!r}")
    return text


def _whole(value: object, name: str) -> int:
    if type(value) is not int:
        raise InvalidFileError(f"{name!r} must be a whole number, not {value!r}")
    return value


def _optional_whole(value: object, name: str) -> int | None:
    return None if value is None else _whole(value, name)


def _flag(value: object, name: str) -> bool:
    if type(value) is not bool:
        raise InvalidFileError(f"{name!r} must be true or false, not {value!r}")
    return value


def _age(value: object, name: str) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 150:  # type: ignore[operator]
        raise InvalidFileError(f"{name!r} must be a number of years, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _chance(value: object, name: str) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value <= 1:  # type: ignore[operator]
        raise InvalidFileError(f"{name!r} must be above 0 and at most 1, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _share(value: object, name: str) -> float | None:
    return None if value is None else _shares({name: value}, name)[name]


def _shares(value: object, name: str) -> Mapping[str, float]:
    shares: Mapping[str, float] = _table(value, name)
    for finding, share in shares.items():
        if type(share) not in (int, float) or not 0 <= share <= 1 or math.isnan(share):
            raise InvalidFileError(f"{name!r} of {finding} must lie in [0, 1], not {share!r}")
    return shares


def _choice(kind: Callable[[str], T], value: object, name: str) -> T:
    try:
        return kind(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidFileError(f"{name!r} cannot be {value!r}") from error


def _observation(value: object, name: str) -> Observation:
    table = _table(value, name)
    return Observation(
        finding=_text(table.get("finding"), "finding"),
        presence=_choice(Presence, table.get("presence"), "presence"),
        laterality=_choice(Laterality, table.get("laterality", "UNSPECIFIED"), "laterality"),
    )


def _detection(value: object, name: str) -> CohortDetection:
    table = _table(value, name)
    return CohortDetection(
        detector=_text(table.get("detector"), "detector"),
        version=_optional_text(table.get("version"), "version") or "",
        sha256=_optional_text(table.get("sha256"), "sha256") or "",
        scores=_shares(table.get("scores"), "scores"),
        probabilities=_shares(table.get("probabilities") or {}, "probabilities"),
        prevalences=_shares(table.get("prevalences") or {}, "prevalences"),
        present=None if (present := table.get("present")) is None else frozenset(_texts(present, "present")),
    )


def _adjudication(value: object, name: str) -> Adjudication:
    table = _table(value, name)
    return Adjudication(
        finding=_text(table.get("finding"), "finding"),
        kind=_choice(DiscrepancyKind, table.get("kind"), "kind"),
        confirmed=_flag(table.get("confirmed"), "confirmed"),
    )


def _second_read(value: object, name: str) -> CohortRead | None:
    if value is None:
        return None
    table = _table(value, name)
    causes: Mapping[str, Any] = _table(table.get("causes") or {}, "causes")
    radpeer = _optional_text(table.get("radpeer"), "radpeer")
    if radpeer not in {None, "1", "2a", "2b", "3a", "3b"}:
        raise InvalidFileError(f"'radpeer' cannot be {radpeer!r}")
    changes = {
        item: None if (found := table.get(item)) is None else _texts(found, item)
        for item in ("taken_up", "given_up")
    }
    return CohortRead(
        radpeer=radpeer,
        is_arbitrated=_flag(table.get("is_arbitrated", False), "is_arbitrated"),
        causes={finding: _text(cause, "causes") for finding, cause in causes.items()},
        **changes,
    )


def _table(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidFileError(f"{name!r} must be an object with named fields")
    return value


def _list_of(parse: Callable[[object, str], T]) -> Callable[[object, str], tuple[T, ...]]:
    def parsed(value: object, name: str) -> tuple[T, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise InvalidFileError(f"{name!r} must be a list")
        return tuple(parse(item, name) for item in value)

    return parsed


_texts = _list_of(_text)

_CASE_FIELDS: dict[str, Callable[[object, str], Any]] = {
    "case": _text,
    "patient": _text,
    "order": _whole,
    "context_only": _flag,
    "age_years": _age,
    "sex": _optional_text,
    "view": _optional_text,
    **dict.fromkeys(CIRCUMSTANCES, _optional_text),
    "month": _month,
    "selection_probability": _chance,
    "text": _optional_text,
    "report_characters": _optional_whole,
    "report_read_share": _share,
    "appearance": appearance_of,
    "observations": _list_of(_observation),
    "detections": _list_of(_detection),
    "adjudications": _list_of(_adjudication),
    "second_read": _second_read,
}
