"""What somebody may know of the second reads of a case.

A second reader who has not judged yet must not see what another said: the two are independent. Who has
judged, arbitrates, or judges nothing, sees all. Nobody is named; readers are told apart by letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from overread.case import CaseState
from overread.second_read import Judgement, OwnRead, disagreements
from service.adjudication.blinding import may_judge
from service.security.identity import Identity
from service.store.cases import find_case
from service.store.database import Store
from service.store.second_reads import ReadAct, ReadRecord, reads_of, standing

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRead:
    """An act, without who did it."""

    read_id: int
    act: ReadAct
    at: datetime
    revision: int
    reader: str  # "Reader A"
    is_mine: bool
    stands: bool  # a judgement that was not undone, of the present result
    own_read: OwnRead | None
    judgement: Judgement | None
    undoes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReads:
    """Second reads of a case, as far as somebody may know them."""

    case_id: int
    state: CaseState
    reads: tuple[KnownRead, ...]  # oldest first
    disagreements: tuple[str, ...]  # in words; empty where not all may be known

    @property
    def mine(self) -> KnownRead | None:
        """The judgement or arbitration of whoever asks, if one stands."""
        return next((item for item in reversed(self.reads) if item.is_mine and item.stands), None)

    @property
    def my_own_read(self) -> KnownRead | None:
        """The own read of whoever asks, committed before the reveal."""
        return next((item for item in self.reads if item.is_mine and item.own_read is not None), None)


def known_reads(store: Store, case_id: int, identity: Identity) -> KnownReads:
    """Return the second reads of a case that somebody may know.

    Raises:
        NotFoundError: there is no such case.
        UnreadableRecordError: one is stored in a form that this release does not know.
    """
    with store.reading() as connection:
        case = find_case(connection, case_id)
        reads = reads_of(connection, case_id)
    live = standing(reads, case.result_revision)
    letters = {
        name: _letter(at) for at, name in enumerate(dict.fromkeys(item.actor.identifier for item in reads))
    }
    known = tuple(_known(item, live, letters, identity) for item in reads)
    independent = [item.judgement for item in live if item.act is ReadAct.JUDGED and item.judgement]
    differing = disagreements(independent[0], independent[1]) if len(independent) > 1 else ()
    found = KnownReads(case_id=case_id, state=case.state, reads=known, disagreements=differing)
    if not may_judge(identity) or case.state is not CaseState.LISTED or found.mine is not None:
        return found
    mine = tuple(item for item in known if item.is_mine)
    return replace(found, reads=mine, disagreements=())


def first_unjudged(store: Store, case_ids: Sequence[int], identity: Identity) -> int | None:
    """Return the first of the cases that somebody has not judged; None where there is none."""
    with store.reading() as connection:
        for case_id in case_ids:
            reads = standing(reads_of(connection, case_id), find_case(connection, case_id).result_revision)
            if all(item.actor.identifier != identity.actor.identifier for item in reads):
                return case_id
    return None


def _known(
    item: ReadRecord, live: tuple[ReadRecord, ...], letters: dict[str, str], identity: Identity
) -> KnownRead:
    return KnownRead(
        read_id=item.read_id,
        act=item.act,
        at=item.at,
        revision=item.revision,
        reader=f"Reader {letters[item.actor.identifier]}",
        is_mine=item.actor.identifier == identity.actor.identifier,
        stands=item in live,
        own_read=item.own_read,
        judgement=item.judgement,
        undoes=item.undoes,
    )


def _letter(at: int) -> str:
    return _LETTERS[at] if at < len(_LETTERS) else str(at + 1)
