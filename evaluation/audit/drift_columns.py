"""Columns in which drift is looked for: the input, the detector's scores, and the language of the reports."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.cohort import CohortCase
from overread.errors import InvalidFileError
from overread.observation import Observation, Presence
from overread.ports import ReportReader
from overread.report_labels import stated_observations

INPUT, SCORES, LANGUAGE = "input", "scores", "report language"
CHANNELS = (INPUT, SCORES, LANGUAGE)
_MIXES = ("view", "modality", "body_part", "scanner", "site", "sex")
_LEVELS_MAX = 20  # of one mix; rarer ones are counted together
_OTHERS, _UNKNOWN = "others", "not known"
_LEAST_STATED = 5  # reports that speak of a finding; the others say nothing of a change

Value = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Values of one channel."""

    names: tuple[str, ...]
    values: NDArray[np.float64]  # (cases, columns) NaN where a case has none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Cases of a reference window and of the window that is looked at, by channel."""

    patients: NDArray[np.intp]  # (cases,)
    in_window: NDArray[np.bool_]  # (cases,)
    channels: Mapping[str, Columns]


def windows_of(
    cases: Iterable[CohortCase],
    in_window: Callable[[CohortCase], bool | None],
    reader: ReportReader,
    detector: str | None,
) -> Windows:
    """Return what is compared of the cases.

    Args:
        cases: of a cohort.
        in_window: whether a case is of the window (True), of the reference (False), or of neither (None).
        reader: of the texts.
        detector: whose scores; None for that of the first scored case.

    Raises:
        InvalidFileError: one of the windows holds no case.
    """
    patients: dict[str, int] = {}
    owners: list[int] = []
    sides: list[bool] = []
    rows: dict[str, list[Value]] = {channel: [] for channel in CHANNELS}
    for case in cases:
        side = None if case.context_only else in_window(case)
        if side is None:
            continue
        if detector is None and case.detections:
            detector = case.detections[0].detector
        owners.append(patients.setdefault(case.patient, len(patients)))
        sides.append(side)
        rows[INPUT].append(_input(case))
        rows[SCORES].append(_scores(case, detector))
        rows[LANGUAGE].append(_language(case, reader))
    if not any(sides) or all(sides):
        raise InvalidFileError(
            "one of the two windows holds no case: the cohort must say each case's `month`"
        )
    return Windows(
        patients=np.array(owners, dtype=np.intp),
        in_window=np.array(sides, dtype=bool),
        channels={
            INPUT: _joined_levels(rows[INPUT]),
            SCORES: _matrix(rows[SCORES], missing=np.nan),
            LANGUAGE: _frequent(rows[LANGUAGE]),
        },
    )


def _input(case: CohortCase) -> Value:
    found = {f"{name} {getattr(case, name) or _UNKNOWN}": 1.0 for name in _MIXES}
    if case.age_years is not None:
        found["age in years"] = case.age_years
    return found


def _scores(case: CohortCase, detector: str | None) -> Value:
    for detection in case.detections:
        if detection.detector == detector:
            found = {f"score {name}": value for name, value in detection.scores.items()}
            if detection.present is not None:
                found |= {f"detected {name}": float(name in detection.present) for name in detection.scores}
            return found
    return {}


def _language(case: CohortCase, reader: ReportReader) -> Value:
    observations: Sequence[Observation] = stated_observations(case, reader)
    found: dict[str, float] = {"findings stated": 0.0, "findings hedged": 0.0, "findings denied": 0.0}
    words = {Presence.PRESENT: "stated", Presence.UNCERTAIN: "hedged", Presence.ABSENT: "denied"}
    for observation in observations:
        word = words.get(observation.presence)
        if word is not None:
            found[f"findings {word}"] += 1
            found[f"{word} {observation.finding}"] = 1.0
    if case.text is not None:
        found["words"] = float(len(case.text.split()))
    return found


def _joined_levels(rows: Sequence[Value]) -> Columns:
    """Return mixes with at most so many levels each; a level that a case does not have is 0."""
    counts = Counter(name for row in rows for name in row)
    kept: set[str] = {"age in years"}
    for mix in _MIXES:
        kept.update([name for name, _ in counts.most_common() if name.startswith(f"{mix} ")][:_LEVELS_MAX])
    joined = []
    for row in rows:
        own = {name: value for name, value in row.items() if name in kept}
        own |= {f"{name.split(' ')[0]} {_OTHERS}": 1.0 for name in row if name not in kept}
        own.setdefault("age in years", np.nan)
        joined.append(own)
    return _matrix(joined, missing=0.0)


def _frequent(rows: Sequence[Value]) -> Columns:
    counts = Counter(name for row in rows for name in row)
    kept = [{name: value for name, value in row.items() if counts[name] >= _LEAST_STATED} for row in rows]
    with_text = [row if "words" in row else {**row, "words": np.nan} for row in kept]
    return _matrix(with_text, missing=0.0)


def _matrix(rows: Sequence[Value], *, missing: float) -> Columns:
    names = sorted({name for row in rows for name in row})
    places = {name: place for place, name in enumerate(names)}
    values = np.full((len(rows), len(names)), missing)
    for number, row in enumerate(rows):
        for name, value in row.items():
            values[number, places[name]] = value
    return Columns(names=tuple(names), values=values)
