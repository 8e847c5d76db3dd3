"""Cases of an audit as arrays, with the circumstances by which their rates are compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.case_arrays import CaseArrays, join
from overread.cohort import CIRCUMSTANCES, CohortCase

Codes = NDArray[np.int32]

DIMENSIONS = (*CIRCUMSTANCES, "sex", "view", "age")
"""Circumstances by which rates are compared."""

RADPEER = "radpeer"
"""What a second reader scored, kept as the circumstances are."""

_TEXTS = ("findings", "cases", "patients")
_ARRAYS = tuple(item.name for item in fields(CaseArrays) if item.name not in _TEXTS)
_DECADE_YEARS = 10
_UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dimension:
    """One circumstance of each case."""

    levels: tuple[str, ...]  # ascending
    codes: Codes  # (cases,) place of its level, -1 where it is not known

    @classmethod
    def of(cls, values: Sequence[str | None]) -> "Dimension":
        """Return the dimension of what is known of each case."""
        levels = tuple(sorted({value for value in values if value is not None}))
        places: dict[str | None, int] = {level: place for place, level in enumerate(levels)}
        codes = np.array([places.get(value, _UNKNOWN) for value in values], dtype=np.int32)
        return cls(levels=levels, codes=codes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AuditedCases:
    """Cases of an audit, in the order of their file."""

    arrays: CaseArrays
    dimensions: Mapping[str, Dimension]
    selection: NDArray[np.float64]  # (cases,) probability of being chosen to be read, NaN where unknown

    def __len__(self) -> int:
        return len(self.arrays)


def audited(cases: Sequence[CohortCase], arrays: CaseArrays) -> AuditedCases:
    """Return cases with their circumstances; the arrays are of the same cases."""
    dimensions = {name: Dimension.of([getattr(case, name) for case in cases]) for name in CIRCUMSTANCES}
    dimensions["sex"] = Dimension.of([case.sex for case in cases])
    dimensions["view"] = Dimension.of([case.view for case in cases])
    dimensions["age"] = Dimension.of([_decade(case.age_years) for case in cases])
    dimensions[RADPEER] = Dimension.of(
        [case.second_read.radpeer if case.second_read else None for case in cases]
    )
    selection = [
        np.nan if case.selection_probability is None else case.selection_probability for case in cases
    ]
    return AuditedCases(arrays=arrays, dimensions=dimensions, selection=np.array(selection, dtype=np.float64))


def joined(parts: Sequence[AuditedCases]) -> AuditedCases:
    """Return the cases of all parts in one; there must be at least one part."""
    return AuditedCases(
        arrays=join([part.arrays for part in parts]),
        dimensions={
            name: _joined([part.dimensions[name] for part in parts]) for name in (*DIMENSIONS, RADPEER)
        },
        selection=np.concatenate([part.selection for part in parts]),
    )


def save_cases(path: Path, part: AuditedCases, source_sha256: str) -> None:
    """Write the cases of a shard with the hash of their source; the file is whole or not there."""
    record = record_of_arrays(part.arrays)
    for name, dimension in part.dimensions.items():
        record[f"levels_{name}"] = _packed(dimension.levels)
        record[f"codes_{name}"] = dimension.codes
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, selection=part.selection, source_sha256=_packed((source_sha256,)), **record)
    partial.replace(path)


def record_of_arrays(arrays: CaseArrays) -> dict[str, Any]:
    """Return arrays of cases as `np.savez` takes them, texts packed; nothing in it has to be unpickled."""
    record: dict[str, Any] = {name: getattr(arrays, name) for name in _ARRAYS}
    return record | {name: _packed(getattr(arrays, name)) for name in _TEXTS}


def arrays_of_record(record: Mapping[str, NDArray[Any]]) -> CaseArrays:
    """Return the arrays that `record_of_arrays` made a record of."""
    arrays: dict[str, Any] = {name: record[name] for name in _ARRAYS}
    arrays |= {name: _unpacked(record[name]) for name in _TEXTS}
    return CaseArrays(**arrays)


def source_hash(path: Path) -> str:
    """Return the hash of what the cases of a shard were read from."""
    with np.load(path) as stored:
        return _unpacked(stored["source_sha256"])[0]


def load_cases(path: Path) -> AuditedCases:
    """Return the cases of a shard."""
    with np.load(path) as stored:
        return AuditedCases(
            arrays=arrays_of_record(stored),
            dimensions={
                name: Dimension(levels=_unpacked(stored[f"levels_{name}"]), codes=stored[f"codes_{name}"])
                for name in (*DIMENSIONS, RADPEER)
            },
            selection=stored["selection"],
        )


def _decade(age_years: float | None) -> str | None:
    if age_years is None:
        return None
    start = int(age_years // _DECADE_YEARS) * _DECADE_YEARS
    return f"{start:03d}-{start + _DECADE_YEARS - 1:03d}"


def _joined(parts: Sequence[Dimension]) -> Dimension:
    levels = tuple(sorted({level for part in parts for level in part.levels}))
    places = {level: place for place, level in enumerate(levels)}
    codes = []
    for part in parts:
        table = np.array([*(places[level] for level in part.levels), _UNKNOWN], dtype=np.int32)
        codes.append(table[part.codes])  # -1 takes the last
    return Dimension(levels=levels, codes=np.concatenate(codes))


def _packed(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return texts as bytes: an array of them would take the length of the longest for each."""
    return np.frombuffer(json.dumps(texts).encode(), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> tuple[str, ...]:
    return tuple(json.loads(packed.tobytes()))
