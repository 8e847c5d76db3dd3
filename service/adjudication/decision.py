"""What second readers decided of a case, and whether they had decided otherwise before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from overread.second_read import Judgement
from service.store.cases import find_case
from service.store.database import Store
from service.store.second_reads import ReadRecord, concluding, reads_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Decision on one revision of a case as it stands, with what came before it."""

    judgement: Judgement | None  # that counts; None where nobody has decided, or it was taken back
    changed_at: datetime | None  # when a decision was last made or taken back; None if never
    entry: int | None  # of the second reads, of that change
    was_final: bool  # whether another decision counted before: of an earlier revision, or taken back since
    told_before: bool  # whether the author was to be told of one of those


def decision_of(store: Store, case_id: int, revision: int | None) -> Decision:
    """Return what was decided of a revision of a case.

    Raises:
        NotFoundError: there is no such case.
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    return decision_among(reads_of_case(store, case_id), revision)


def reads_of_case(store: Store, case_id: int) -> tuple[ReadRecord, ...]:
    """Return everything that second readers did with a case, oldest first.

    Raises:
        NotFoundError: there is no such case.
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    with store.reading() as connection:
        find_case(connection, case_id)  # as far as it may be seen
        return reads_of(connection, case_id)


def changes_among(reads: Sequence[ReadRecord]) -> tuple[ReadRecord, ...]:
    """Return those reads, the oldest first, that made a decision or took one back."""
    revisions = {item.read_id: item.revision for item in reads}
    decided: set[int] = set()  # revisions
    changes = []
    for item in reads:
        if item.concludes:
            decided.add(item.revision)
            changes.append(item)
        elif item.undoes is not None and revisions[item.undoes] in decided:
            decided.remove(revisions[item.undoes])
            changes.append(item)
    return tuple(changes)


def decision_among(reads: Sequence[ReadRecord], revision: int | None) -> Decision:
    """Return what these reads, the oldest first, decided of a revision of their case."""
    counts = concluding([item for item in reads if item.revision == revision])
    changes = changes_among(reads)
    concluded = [item for item in reads if item.concludes]
    before = [item for item in concluded if counts is None or item.read_id < counts.read_id]
    last = changes[-1] if changes else None
    return Decision(
        judgement=None if counts is None else counts.judgement,
        changed_at=None if last is None else last.at,
        entry=None if last is None else last.read_id,
        was_final=bool(before),
        told_before=any(_tells(item) for item in before),
    )


def tells_author(judgement: Judgement) -> bool:
    """Whether a judgement is told to the author of the report."""
    return judgement.tells_author or judgement.asks_for_addendum


def _tells(read: ReadRecord) -> bool:
    return read.judgement is not None and tells_author(read.judgement)
