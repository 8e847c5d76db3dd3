"""Shares over all judgements that count: how often flags are confirmed, why others are not, the scores."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from overread.second_read import Judgement, Radpeer, RejectionCause, Verdict, disagreements
from overread.statistics import Estimate, proportion
from service.store.database import Store
from service.store.second_reads import ReadAct, cases_judged, concluding, reads_of, standing

K = TypeVar("K", bound=Hashable)
_PAGE = 500


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


def summarise(store: Store) -> Summary:
    """Return the shares over everything that has been judged.

    Raises:
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    judged, arbitrated, twice, differing, after = [], 0, 0, 0, 0
    while True:
        with store.reading() as connection:
            numbers = cases_judged(connection, after, limit=_PAGE)
            every = [reads_of(connection, number) for number in numbers]
        for reads in every:
            final = concluding(reads)
            if final is None or final.judgement is None:
                continue
            judged.append(final.judgement)
            arbitrated += final.act is ReadAct.ARBITRATED
            pair = [item.judgement for item in standing(reads, final.revision) if item.act is ReadAct.JUDGED]
            if len(pair) > 1 and pair[0] is not None and pair[1] is not None:
                twice += 1
                differing += bool(disagreements(pair[0], pair[1]))
        if not numbers:
            return _summary(judged, arbitrated=arbitrated, twice=twice, differing=differing)
        after = numbers[-1]


def _summary(judged: list[Judgement], *, arbitrated: int, twice: int, differing: int) -> Summary:
    verdicts = [item for judgement in judged for item in judgement.verdicts]
    return Summary(
        cases=len(judged),
        flags=len(verdicts),
        verdicts=_shares(Verdict, (item.verdict for item in verdicts)),
        causes=_shares(RejectionCause, (item.cause for item in verdicts if item.cause is not None)),
        radpeer=_shares(Radpeer, (item.radpeer for item in judged if item.radpeer is not None)),
        added=sum(len(item.added) for item in judged),
        arbitrated=Share(count=arbitrated, estimate=proportion(arbitrated, len(judged))),
        disagreed=Share(count=differing, estimate=proportion(differing, twice)),
    )


def _shares(kinds: Iterable[K], found: Iterable[K]) -> Mapping[K, Share]:
    counts = Counter(found)
    total = counts.total()
    return {kind: Share(count=counts[kind], estimate=proportion(counts[kind], total)) for kind in kinds}
