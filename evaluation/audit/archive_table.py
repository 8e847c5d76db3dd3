"""Table of the archive: what the reads say of all its cases, by several estimators, the naive one beside."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.audited_cases import AuditedCases
from evaluation.audit.result_folder import Cell, Table
from evaluation.audit.stratified import Stratum, rate, share_within
from evaluation.audit.weighting import WeightedReads, hajek, horvitz_thompson, share_inside
from overread.case_arrays import NOBODY_LOOKED
from overread.errors import InputError
from overread.statistics import Estimate, proportion

EXACT = "strata, exact"
_STRATA_MAX = 25  # different probabilities that are taken for strata
_COLUMNS = ("figure", "estimator", "value", "low", "high", "reads", "found", "remark")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What second reads found, as arrays over the cases of the list."""

    read: NDArray[np.bool_]
    found: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    probability: NDArray[np.float64]  # of being read; NaN where nobody knows


def reading_of(cases: AuditedCases, flagged: NDArray[np.bool_]) -> Reading:
    """Return what second reads found of the cases that are on the list."""
    arrays = cases.arrays
    rows = arrays.ordered
    read = (arrays.missed != NOBODY_LOOKED).any(axis=1) | (arrays.overcalled != NOBODY_LOOKED).any(axis=1)
    found = (arrays.missed == 1).any(axis=1) | (arrays.overcalled == 1).any(axis=1)
    return Reading(
        read=read[rows], found=found[rows], flagged=flagged[rows], probability=cases.selection[rows]
    )


def archive_table(reading: Reading) -> Table:
    """Return the rates of the archive, empty where nobody read a case."""
    return Table(
        name="archive",
        meaning="Discrepancies of all cases, estimated from those that were read, each weighed by how many "
        "cases it stands for; and the naive figures of those read, which are not of the archive",
        columns=_COLUMNS,
        rows=list(_rows(reading)) if reading.read.any() else [],
    )


def _rows(reading: Reading) -> Iterator[tuple[Cell, ...]]:
    read, found = int(reading.read.sum()), int(reading.found.sum())
    yield _row("discrepancy_rate", "naive", proportion(found, read), found)
    inside = int((reading.found & reading.flagged).sum())
    if found:
        yield _row("sensitivity_of_flags", "naive", proportion(inside, found), found)
    part, left_out = with_known_chance(reading)
    if not part.read.any():
        why = "no read says with which probability its case was chosen"
        yield ("discrepancy_rate", "weighted", None, None, None, read, found, why)
        return
    remark = f"without {left_out} cases whose chance of being read is not known" if left_out else None
    found = int(part.found.sum())
    for row in (*_weighted(part, found), *_exact(part, found)):
        yield (*row[:-1], row[-1] or remark)


def with_known_chance(reading: Reading) -> tuple[Reading, int]:
    """Return the cases of which estimates can be made, and how many others there are.

    Where only the reads say with which probability they were chosen, they speak for all cases. Where others
    do too, a case that does not, such as a flagged one that waits for its read, is spoken for by nobody.
    """
    known = ~np.isnan(reading.probability)
    if known[reading.read].all() and not (known & ~reading.read).any():
        return reading, 0
    part = Reading(
        read=reading.read[known],
        found=reading.found[known],
        flagged=reading.flagged[known],
        probability=reading.probability[known],
    )
    return part, int((~known).sum())


def _weighted(reading: Reading, found: int) -> Iterator[tuple[Cell, ...]]:
    rows = reading.read
    reads = WeightedReads(
        found=reading.found[rows], probability=reading.probability[rows], cases=len(reading.read)
    )
    for name, estimator in (("Horvitz-Thompson", horvitz_thompson), ("Hajek", hajek)):
        try:
            yield _row("discrepancy_rate", name, estimator(reads), found)
        except InputError as error:
            yield ("discrepancy_rate", name, None, None, None, len(reads.found), found, str(error))
    if not (rows & ~reading.flagged).any() and not reading.flagged.all():
        why = "no case that is not flagged was read"
        yield ("sensitivity_of_flags", "Hajek", None, None, None, len(reads.found), found, why)
        return
    share = share_inside(reads, reading.flagged[rows])
    if share is not None:
        yield _row("sensitivity_of_flags", "Hajek", share, found)


def _exact(reading: Reading, found: int) -> Iterator[tuple[Cell, ...]]:
    """Yield the estimates by strata of equal probability, where every case says its own."""
    reads = int(reading.read.sum())
    kinds = np.unique(reading.probability)  # NaN once
    if np.isnan(kinds).any() or len(kinds) > _STRATA_MAX:
        return
    strata = exact_strata(reading)
    every = [*strata[True], *strata[False]]
    try:
        yield _row("discrepancy_rate", EXACT, rate(every), found)
        if strata[False]:
            yield _row("missed_by_flags", EXACT, rate(strata[False]), found)
        share = share_within(strata[True], strata[False]) if strata[True] else None
        if share is not None:
            yield _row("sensitivity_of_flags", EXACT, share, found)
    except InputError as error:
        yield ("discrepancy_rate", EXACT, None, None, None, reads, found, str(error))


def exact_strata(reading: Reading) -> dict[bool, list[Stratum]]:
    """Return the strata of equal probability, of the flagged cases and of the others."""
    return {
        flag: [
            item
            for kind in np.unique(reading.probability)
            if (item := _stratum(reading, flag=flag, kind=float(kind))).size
        ]
        for flag in (True, False)
    }


def _stratum(reading: Reading, *, flag: bool, kind: float) -> Stratum:
    rows = (reading.flagged == flag) & (reading.probability == kind)
    return Stratum(
        name=f"{'flagged' if flag else 'not flagged'}, chosen with probability {kind:.3g}",
        size=int(rows.sum()),
        read=int((rows & reading.read).sum()),
        found=int((rows & reading.found).sum()),
    )


def _row(figure: str, estimator: str, estimate: Estimate, found: int) -> tuple[Cell, ...]:
    return (figure, estimator, estimate.value, estimate.low, estimate.high, estimate.n, found, None)
