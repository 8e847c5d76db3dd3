"""Shares over all judgements that count: how often flags are confirmed, why others are not, the scores."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from overread.second_read import Radpeer, RejectionCause, Verdict
from overread.statistics import Estimate, proportion
from service.adjudication.judged_table import JudgedCase

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its count; the interval is Wilson's of 95 %."""

    count: int
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Shares over all cases whose judgement counts."""

    cases: int
    flags: int  # that were judged
    verdicts: Mapping[Verdict, Share]  # of the flags
    causes: Mapping[RejectionCause, Share]  # of the flags that were not confirmed
    radpeer: Mapping[Radpeer, Share]  # of the cases that were scored
    added: int  # discrepancies that nothing flagged
    arbitrated: Share  # of the cases
    disagreed: Share  # of the cases that two read independently


def summary_of(cases: Collection[JudgedCase]) -> Summary:
    """Return the shares over judged cases."""
    verdicts = [verdict for case in cases for verdict in case.said.verdicts]
    arbitrated = sum(case.is_arbitrated for case in cases)
    twice = sum(case.found_twice is not None for case in cases)
    differing = sum(case.differs for case in cases)
    return Summary(
        cases=len(cases),
        flags=len(verdicts),
        verdicts=_shares(Verdict, (verdict for verdict, _ in verdicts)),
        causes=_shares(RejectionCause, (cause for _, cause in verdicts if cause is not None)),
        radpeer=_shares(Radpeer, (case.said.radpeer for case in cases if case.said.radpeer is not None)),
        added=sum(case.said.added for case in cases),
        arbitrated=Share(count=arbitrated, estimate=proportion(arbitrated, len(cases))),
        disagreed=Share(count=differing, estimate=proportion(differing, twice)),
    )


def _shares(kinds: Iterable[K], found: Iterable[K]) -> Mapping[K, Share]:
    counts = Counter(found)
    total = counts.total()
    return {kind: Share(count=counts[kind], estimate=proportion(counts[kind], total)) for kind in kinds}
