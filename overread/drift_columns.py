"""Columns in which drift is looked for: input, pixels, embedding, scores, and language of the reports.

A statistic of the pixels is looked at by its mean and by the shares of cases in the lowest and in the highest
tenth of both windows together, so that a change of its spread or of its ends is seen where the mean stays.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.appearance import EXPOSURE
from overread.appearance import PIXELS as PIXEL_MEASURES
from overread.cohort import CohortCase
from overread.errors import InvalidFileError
from overread.observation import Observation, Presence
from overread.ports import ReportReader
from overread.report_labels import stated_observations

INPUT, PIXELS, EMBEDDING = "input", "pixels", "embedding"
SCORES, LANGUAGE = "scores", "report language"
CHANNELS = (INPUT, PIXELS, EMBEDDING, SCORES, LANGUAGE)
_MIXES = ("view", "modality", "body_part", "scanner", "site", "sex")
_IMAGE_MIXES = ("bits", "photometric")  # of the appearance of the image
_LEVELS_MAX = 20  # of one mix; rarer ones are counted together
_NUMBERS = ("age in years", "rows", "columns", *EXPOSURE)
_LENGTHS = ("words", "characters", "share of the text that is read")
_OTHERS, _UNKNOWN = "others", "not known"
_TENTH = 0.1  # of the cases, at either end
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
        rows[PIXELS].append(_pixels(case))
        rows[EMBEDDING].append(_embedding(case))
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
            PIXELS: with_tenths(_matrix(rows[PIXELS], missing=np.nan)),
            EMBEDDING: _matrix(rows[EMBEDDING], missing=np.nan),
            SCORES: _matrix(rows[SCORES], missing=np.nan),
            LANGUAGE: _frequent(rows[LANGUAGE]),
        },
    )


def with_tenths(columns: Columns) -> Columns:
    """Return columns of numbers with two more for each: whether it is among the lowest, or highest, tenth.

    The tenths are those of all cases together, so that exchanging cases between the windows moves none. What
    has two values, such as whether an image was inverted, needs no tenths.
    """
    names, parts = list(columns.names), [columns.values]
    for name, values in zip(columns.names, columns.values.T, strict=True):
        known = values[np.isfinite(values)]
        if len(np.unique(known)) <= 2:
            continue
        low, high = np.quantile(known, [_TENTH, 1 - _TENTH])
        for word, is_there in (("low", values <= low), ("high", values >= high)):
            names.append(f"{name}, {word}")
            parts.append(np.where(np.isfinite(values), is_there, np.nan)[:, None])
    return Columns(names=tuple(names), values=np.hstack(parts))


def _input(case: CohortCase) -> Value:
    """Return levels, each 1, and the numbers of _NUMBERS."""
    image = case.appearance
    found = {f"{name} {getattr(case, name) or _UNKNOWN}": 1.0 for name in _MIXES}
    found |= {f"{name} {(image and getattr(image, name)) or _UNKNOWN}": 1.0 for name in _IMAGE_MIXES}
    found["read by no detector"] = float(not case.detections)
    if case.age_years is not None:
        found["age in years"] = case.age_years
    if image is not None:
        found |= {"rows": float(image.rows), "columns": float(image.columns)}
        found |= {name: value for name, value in image.measures.items() if name in EXPOSURE}
    return found


def _pixels(case: CohortCase) -> Value:
    image = case.appearance
    if image is None:
        return {}
    put_right = {
        "turned": image.quarter_turns != 0,
        "inverted": image.is_inverted,
        "cut": image.is_cut,
    }
    measures = {name: value for name, value in image.measures.items() if name in PIXEL_MEASURES}
    return {**measures, **{name: float(value) for name, value in put_right.items()}}


def _embedding(case: CohortCase) -> Value:
    """Return the numbers of the embedding, named so that they keep their order."""
    values = () if case.appearance is None else case.appearance.embedding
    return {f"embedding {number:02}": value for number, value in enumerate(values)}


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
    if case.report_characters is not None:
        found["characters"] = float(case.report_characters)
    if case.report_read_share is not None:
        found["share of the text that is read"] = case.report_read_share
    return found


def _joined_levels(rows: Sequence[Value]) -> Columns:
    """Return mixes with at most so many levels each; a level that a case does not have is 0."""
    counts = Counter(name for row in rows for name in row)
    kept: set[str] = {*_NUMBERS, "read by no detector"}
    for mix in (*_MIXES, *_IMAGE_MIXES):
        kept.update([name for name, _ in counts.most_common() if name.startswith(f"{mix} ")][:_LEVELS_MAX])
    numbers = [name for name in _NUMBERS if name in counts]
    joined = []
    for row in rows:
        own = {name: value for name, value in row.items() if name in kept}
        own |= {f"{name.split(' ')[0]} {_OTHERS}": 1.0 for name in row if name not in kept}
        joined.append({**dict.fromkeys(numbers, np.nan), **own})
    return _matrix(joined, missing=0.0)


def _frequent(rows: Sequence[Value]) -> Columns:
    counts = Counter(name for row in rows for name in row)
    kept = [{name: value for name, value in row.items() if counts[name] >= _LEAST_STATED} for row in rows]
    numbers = [name for name in _LENGTHS if name in counts]
    return _matrix([{**dict.fromkeys(numbers, np.nan), **row} for row in kept], missing=0.0)


def _matrix(rows: Sequence[Value], *, missing: float) -> Columns:
    names = sorted({name for row in rows for name in row})
    places = {name: place for place, name in enumerate(names)}
    values = np.full((len(rows), len(names)), missing)
    for number, row in enumerate(rows):
        for name, value in row.items():
            values[number, places[name]] = value
    return Columns(names=tuple(names), values=values)
