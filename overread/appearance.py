"""Appearance of an image: what is kept of how it looked to a detector, without anything of the patient.

Small enough to be kept for every study, and enough to notice that other images come than used to: another
scanner, another exposure, another processing, another cut. Nobody can be recognised by it: the embedding has
as many numbers as an icon of five by five cells.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from overread.errors import InvalidFileError

EXPOSURE: Mapping[str, str] = {
    "kilovolts": "peak kilovoltage (KVP, 0018,0060)",
    "exposure_index": "exposure at the detector as it was measured (ExposureIndex, 0018,1411)",
    "deviation_index": "deviation of that from its target (DeviationIndex, 0018,1413)",
}
"""Measures of the exposure that the header may state."""

PIXELS: Mapping[str, str] = {
    "mean": "mean of the grey values that the network sees, in [0, 1]",
    "spread": "their standard deviation",
    "p05": "5th percentile of them",
    "p25": "25th percentile",
    "p50": "median",
    "p75": "75th percentile",
    "p95": "95th percentile",
    "entropy": "entropy of their histogram of 64 bins, in bits, in [0, 6]",
    "border": "share of the area that empty rows and columns at the edges take, in [0, 1]",
    "detail": "mean difference of neighbouring pixels: noise and sharpness, in [0, 1]",
    "stored_low": "1st percentile of the stored values, as a share of what the stored bits can hold",
    "stored_middle": "median of them, the same",
    "stored_high": "99th percentile, the same",
}
"""Measures of the pixels."""

EMBEDDING_SIZE = 24
"""Numbers of an embedding; see `models.describing`."""

_WORD_MAX = 130  # characters of a text, which is of two elements of the header at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What one image of a study looked like to a detector: header, pixels, and what was put right."""

    view: str | None = None  # ViewPosition (PS3.3 C.8.11.1), such as "PA"; None where it is not stated
    scanner: str | None = None  # manufacturer and model; None where neither is stated
    rows: int  # of the image as stored
    columns: int
    bits: int | None = None  # BitsStored (PS3.3 C.7.6.3.1)
    photometric: str | None = None  # PhotometricInterpretation (PS3.3 C.7.6.3.1.2)
    quarter_turns: int = 0  # counter-clockwise, 0 to 3, that brought it upright
    is_inverted: bool = False  # whether its pixels were found inverted, and put right
    is_cut: bool = False  # whether a wide border was cut away
    measures: Mapping[str, float] = field(default_factory=dict)  # names of EXPOSURE and PIXELS; some may lack
    embedding: tuple[float, ...] = ()  # EMBEDDING_SIZE numbers; empty where none was made


def appearance_record(appearance: Appearance) -> dict[str, Any]:
    """Return it as plain JSON values without what is not known; the inverse of `appearance_of`."""
    record = {name: value for name, value in asdict(appearance).items() if value is not None}
    return {**record, "measures": dict(appearance.measures), "embedding": list(appearance.embedding)}


def appearance_of(record: object, name: str) -> Appearance | None:
    """Return what plain JSON values describe; None of null.

    Raises:
        InvalidFileError: a field is missing, unknown or out of its range; the message names it.
    """
    if record is None:
        return None
    if not isinstance(record, dict):
        raise InvalidFileError(f"{name!r} must be an object with named fields")
    checks: dict[str, Callable[[object, str], Any]] = {
        **dict.fromkeys(("view", "scanner", "photometric"), _word),
        **dict.fromkeys(("rows", "columns", "bits", "quarter_turns"), _count),
        **dict.fromkeys(("is_inverted", "is_cut"), _flag),
        "measures": _measures,
        "embedding": _embedding,
    }
    if unknown := record.keys() - checks.keys():
        raise InvalidFileError(f"{name!r}: unknown field {min(unknown)!r}")
    if missing := {"rows", "columns"} - record.keys():
        raise InvalidFileError(f"{name!r}: the field {min(missing)!r} is missing")
    return Appearance(**{key: checks[key](value, f"{name}.{key}") for key, value in record.items()})


def _word(value: object, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _WORD_MAX:
        raise InvalidFileError(f"{name!r} must be text of 1 to {_WORD_MAX} characters")
    return value


def _count(value: object, name: str) -> int:
    if type(value) is not int or value < 0:
        raise InvalidFileError(f"{name!r} must be a whole number from 0 on, not {value!r}")
    return value


def _flag(value: object, name: str) -> bool:
    if type(value) is not bool:
        raise InvalidFileError(f"{name!r} must be true or false, not {value!r}")
    return value


def _number(value: object, name: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise InvalidFileError(f"{name!r} must be a number, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _measures(value: object, name: str) -> Mapping[str, float]:
    if not isinstance(value, dict):
        raise InvalidFileError(f"{name!r} must be an object with named fields")
    return {key: _number(item, f"{name}.{key}") for key, item in value.items()}


def _embedding(value: object, name: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) not in {0, EMBEDDING_SIZE}:
        raise InvalidFileError(f"{name!r} must be a list of {EMBEDDING_SIZE} numbers")
    return tuple(_number(item, name) for item in value)
