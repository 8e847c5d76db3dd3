"""What an audit sample says: rates with intervals, what the naive ones would be, and what it cannot say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overread.audit.stratified import Stratum, rate, share_within
from overread.statistics import Estimate, proportion

FEW_FOUND = 5  # fewer confirmed discrepancies outside carry no sensitivity


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfList:
    """What lies in the first so much of the list."""

    name: str  # such as "first 5 %"
    cases: int
    discrepancy_rate: Estimate  # of its cases
    sensitivity: Estimate | None  # share of all discrepancies that lie in it; None: none was found anywhere
    naive_sensitivity: Estimate | None  # among the cases that were read, as if they were all; it is too high
    rest_rate: Estimate | None  # of the cases outside; None where there are none
    doubt: str | None  # what the sample cannot carry, and what would; None where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Rates of an archive."""

    cases: int
    read: int
    found: int
    discrepancy_rate: Estimate
    naive_rate: Estimate  # of the cases that were read
    parts: tuple[PartOfList, ...]


def findings_of(strata: Mapping[str, Stratum]) -> Findings:
    """Return what the reads of a sample say.

    Raises:
        InputError: a stratum was not read at all.
    """
    every = list(strata.values())
    read, found = sum(stratum.read for stratum in every), sum(stratum.found for stratum in every)
    return Findings(
        cases=sum(stratum.size for stratum in every),
        read=read,
        found=found,
        discrepancy_rate=rate(every),
        naive_rate=proportion(found, read),
        parts=tuple(_part(every, count) for count in range(1, len(every))),
    )


def _part(every: Sequence[Stratum], count: int) -> PartOfList:
    inside, outside = every[:count], every[count:]
    found_inside = sum(stratum.found for stratum in inside)
    found_outside = sum(stratum.found for stratum in outside)
    found = found_inside + found_outside
    end = inside[-1].name.rpartition("-")[2]
    return PartOfList(
        name=f"first {end}",
        cases=sum(stratum.size for stratum in inside),
        discrepancy_rate=rate(inside),
        sensitivity=share_within(inside, outside),
        naive_sensitivity=proportion(found_inside, found) if found else None,
        rest_rate=rate(outside),
        doubt=_doubt(outside, found_outside),
    )


def _doubt(outside: Sequence[Stratum], found: int) -> str | None:
    if found >= FEW_FOUND:
        return None
    size, read = sum(stratum.size for stratum in outside), sum(stratum.read for stratum in outside)
    if read == size:
        return None
    share = max(found, 1) / read
    wanted = min(round(FEW_FOUND / share), size)
    return (
        f"{found} found among {read} read of the {size} cases outside: the interval rests on them alone; "
        f"about {wanted - read} further reads there would find {FEW_FOUND}"
    )
