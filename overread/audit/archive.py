"""Discrepancies of an archive: what the reads say of all its cases, the naive figures beside."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.audit.stratified import Stratum, rate, share_within
from overread.audit.weighting import WeightedReads, hajek, horvitz_thompson, share_inside
from overread.errors import InputError
from overread.statistics import Estimate, proportion

DISCREPANCY_RATE = "discrepancy_rate"
SENSITIVITY = "sensitivity_of_flags"
MISSED = "missed_by_flags"
NAIVE, WEIGHTED, HORVITZ_THOMPSON, HAJEK = "naive", "weighted", "Horvitz-Thompson", "Hajek"
EXACT = "strata, exact"
_STRATA_MAX = 25  # different probabilities that are taken for strata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What second reads found, as arrays over the cases of the list."""

    read: NDArray[np.bool_]
    found: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    probability: NDArray[np.float64]  # of being read; NaN where nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFigure:
    """One figure of the archive by one estimator."""

    figure: str
    estimator: str
    estimate: Estimate | None  # None: the reads cannot carry it
    reads: int
    found: int
    remark: str | None  # what it leaves out, or why there is none


def archive_figures(reading: Reading) -> Iterator[ArchiveFigure]:
    """Yield the rates of the archive, the naive ones first; nothing where nobody read a case."""
    if not reading.read.any():
        return
    read, found = int(reading.read.sum()), int(reading.found.sum())
    yield _figure(DISCREPANCY_RATE, NAIVE, proportion(found, read), found)
    inside = int((reading.found & reading.flagged).sum())
    if found:
        yield _figure(SENSITIVITY, NAIVE, proportion(inside, found), found)
    part, left_out = with_known_chance(reading)
    if not part.read.any():
        why = "no read says with which probability its case was chosen"
        yield _none(DISCREPANCY_RATE, WEIGHTED, (read, found), why)
        return
    remark = f"without {left_out} cases whose chance of being read is not known" if left_out else None
    found = int(part.found.sum())
    yield from _weighted(part, found, remark)
    yield from _exact(part, found, remark)


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


def _weighted(reading: Reading, found: int, remark: str | None) -> Iterator[ArchiveFigure]:
    rows = reading.read
    reads = WeightedReads(
        found=reading.found[rows], probability=reading.probability[rows], cases=len(reading.read)
    )
    numbers = len(reads.found), found
    for name, estimator in ((HORVITZ_THOMPSON, horvitz_thompson), (HAJEK, hajek)):
        try:
            yield _figure(DISCREPANCY_RATE, name, estimator(reads), found, remark)
        except InputError as error:
            yield _none(DISCREPANCY_RATE, name, numbers, str(error))
    if not (rows & ~reading.flagged).any() and not reading.flagged.all():
        yield _none(SENSITIVITY, HAJEK, numbers, "no case that is not flagged was read")
        return
    share = share_inside(reads, reading.flagged[rows])
    if share is not None:
        yield _figure(SENSITIVITY, HAJEK, share, found, remark)


def _exact(reading: Reading, found: int, remark: str | None) -> Iterator[ArchiveFigure]:
    """Yield the estimates by strata of equal probability, where every case says its own."""
    kinds = np.unique(reading.probability)  # NaN once
    if np.isnan(kinds).any() or len(kinds) > _STRATA_MAX:
        return
    strata = exact_strata(reading)
    every = [*strata[True], *strata[False]]
    try:
        yield _figure(DISCREPANCY_RATE, EXACT, rate(every), found, remark)
        if strata[False]:
            yield _figure(MISSED, EXACT, rate(strata[False]), found, remark)
        share = share_within(strata[True], strata[False]) if strata[True] else None
        if share is not None:
            yield _figure(SENSITIVITY, EXACT, share, found, remark)
    except InputError as error:
        yield _none(DISCREPANCY_RATE, EXACT, (int(reading.read.sum()), found), str(error))


def _stratum(reading: Reading, *, flag: bool, kind: float) -> Stratum:
    rows = (reading.flagged == flag) & (reading.probability == kind)
    return Stratum(
        name=f"{'flagged' if flag else 'not flagged'}, chosen with probability {kind:.3g}",
        size=int(rows.sum()),
        read=int((rows & reading.read).sum()),
        found=int((rows & reading.found).sum()),
    )


def _figure(
    figure: str, estimator: str, estimate: Estimate, found: int, remark: str | None = None
) -> ArchiveFigure:
    return ArchiveFigure(
        figure=figure, estimator=estimator, estimate=estimate, reads=estimate.n, found=found, remark=remark
    )


def _none(figure: str, estimator: str, numbers: tuple[int, int], why: str) -> ArchiveFigure:
    reads, found = numbers
    return ArchiveFigure(
        figure=figure, estimator=estimator, estimate=None, reads=reads, found=found, remark=why
    )
