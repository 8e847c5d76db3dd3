"""Second reads: an own read is committed, a case is judged, arbitrated, and a judgement undone.

Each is one transaction: what was said, the state of the case, its event and the audit trail move together.
What is sent twice under the same submission is recorded once.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from overread.case import CaseEvent, CaseState
from overread.errors import InputError, TransitionError
from overread.finding import load_vocabulary
from overread.second_read import (
    Judgement,
    OwnRead,
    check_judgement,
    check_own_read,
    needs_arbitration,
)
from service.adjudication.blinding import is_withheld, may_judge
from service.security.identity import Identity
from service.store.audit_entries import LOCAL
from service.store.cases import case_for_change, find_case
from service.store.changes import Entry, change_case
from service.store.database import Store, Transaction
from service.store.policies import policy_in_force
from service.store.reading_claims import claims_of, end_claim, held_by
from service.store.records import CaseRecord
from service.store.report_authors import wrote_report
from service.store.second_reads import (
    Content,
    NewRead,
    ReadAct,
    ReadRecord,
    add_read,
    reads_of,
    recorded_before,
    standing,
)
from service.store.triage_results import triage_result

_log = structlog.get_logger("overread.adjudication")
SUBMISSION_MAX = 100
_TO_JUDGE = frozenset({CaseState.LISTED, CaseState.AWAITING_ARBITRATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends something about a case, and what tells it from anything else that is sent."""

    identity: Identity
    submission: str  # 1 to 100 characters, the same when it is sent again
    revision: int  # of the result that was shown
    at: datetime
    sent_from: str = LOCAL

    def new(self, act: ReadAct, *, content: Content | None = None, undoes: int | None = None) -> NewRead:
        """Return the act to be recorded.

        Raises:
            InputError: the submission cannot be one.
        """
        if not 1 <= len(self.submission) <= SUBMISSION_MAX or not self.submission.isprintable():
            raise InputError(f"a submission has 1 to {SUBMISSION_MAX} visible characters")
        return NewRead(
            act=act,
            actor=self.identity.actor,
            at=self.at,
            submission=self.submission,
            content=content,
            undoes=undoes,
            sent_from=self.sent_from,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Act that was recorded, now or when it was sent before."""

    read_id: int
    state: CaseState  # of the case, as it is now
    is_new: bool


def note_opened(store: Store, case_id: int, sender: Sender) -> None:
    """Record when a second reader saw a case first; of anybody else, nothing."""
    if not may_judge(sender.identity):
        return
    with store.reading() as connection:
        case = find_case(connection, case_id)
        if case.state not in _TO_JUDGE or _opened(connection, case, sender):
            return
    with store.writing(durable=False) as connection:
        case = case_for_change(connection, case_id)
        if case.state in _TO_JUDGE and not _opened(connection, case, sender):
            name = f"opened {case_id} {case.result_revision} {sender.identity.actor.identifier}"
            once = hashlib.sha256(name.encode()).hexdigest()
            add_read(connection, case, replace(sender, submission=once).new(ReadAct.OPENED))


def commit_own_read(store: Store, case_id: int, own_read: OwnRead, sender: Sender) -> Recorded:
    """Record what a second reader sees before anything is shown; from then on everything is.

    Raises:
        InputError: the own read or the submission cannot be one.
        NotFoundError: there is no such case.
        TransitionError: the case is not waiting for this, or it changed meanwhile.
        ContradictionError: the submission was used for something else.
    """
    check_own_read(own_read, load_vocabulary())
    new = sender.new(ReadAct.COMMITTED, content=own_read)
    with store.writing() as connection:
        case = case_for_change(connection, case_id)
        before = recorded_before(connection, new, case_id)
        if before is not None:
            return Recorded(read_id=before.read_id, state=case.state, is_new=False)
        _require(case.state is CaseState.LISTED, f"case {case_id} is not waiting for a second reader")
        _require_free(connection, case, sender)
        if not is_withheld(connection, case, sender.identity):
            raise TransitionError(f"report and result of case {case_id} are shown to you already")
        return Recorded(read_id=add_read(connection, case, new).read_id, state=case.state, is_new=True)


def judge(store: Store, case_id: int, judgement: Judgement, sender: Sender) -> Recorded:
    """Record a judgement, or the arbitration of one, and let the case go where it leads.

    Raises:
        InputError: the judgement or the submission cannot be one.
        NotFoundError: there is no such case.
        TransitionError: the case is not to be judged, by this person, or it changed meanwhile.
        ContradictionError: the submission was used for something else.
        UnreadableRecordError: its result is stored in a form that this release does not know.
    """
    new = sender.new(ReadAct.JUDGED, content=judgement)
    with store.writing() as connection:
        case = case_for_change(connection, case_id)
        before = recorded_before(connection, new, case_id)
        if before is not None:
            return Recorded(read_id=before.read_id, state=case.state, is_new=False)
        standing_now = _require_judgeable(connection, case, sender)
        result = triage_result(connection, case_id, sender.revision).result
        flags = {(item.finding, item.kind) for item in result.discrepancies}
        check_judgement(judgement, flags, load_vocabulary())
        if case.state is CaseState.AWAITING_ARBITRATION:
            event: CaseEvent | None = CaseEvent.ARBITRATED
            new = sender.new(ReadAct.ARBITRATED, content=judgement)
        else:
            event = _event_after(connection, standing_now, judgement)
        concludes = event in {CaseEvent.JUDGED, CaseEvent.ARBITRATED}
        record = add_read(connection, case, replace(new, concludes=concludes))
        state = _changed(connection, case, event, sender).state
    _log.info("judged", case=case_id, entry=record.read_id, state=state.value)
    return Recorded(read_id=record.read_id, state=state, is_new=True)


def undo(store: Store, case_id: int, read_id: int, sender: Sender) -> Recorded:
    """Take back one's own judgement or arbitration by a further event, and let the case go back.

    Raises:
        InputError: the submission cannot be one.
        NotFoundError: there is no such case.
        TransitionError: it is not one's own, was undone, was arbitrated, or the case changed meanwhile.
        ContradictionError: the submission was used for something else.
        UnreadableRecordError: a read is stored in a form that this release does not know.
    """
    new = sender.new(ReadAct.UNDONE, undoes=read_id)
    with store.writing() as connection:
        case = case_for_change(connection, case_id)
        before = recorded_before(connection, new, case_id)
        if before is not None:
            return Recorded(read_id=before.read_id, state=case.state, is_new=False)
        event = _event_of_undoing(connection, case, read_id, sender)
        record = add_read(connection, case, new)
        state = _changed(connection, case, event, sender).state
    _log.info("judgement_undone", case=case_id, entry=read_id, state=state.value)
    return Recorded(read_id=record.read_id, state=state, is_new=True)


def _require_judgeable(connection: Transaction, case: CaseRecord, sender: Sender) -> tuple[ReadRecord, ...]:
    """Return the judgements that stand, if this person may add one."""
    number = case.case_id
    _require(case.state in _TO_JUDGE, f"case {number} is not waiting for a second reader any more")
    _require(
        case.result_revision == case.revision == sender.revision,
        f"case {number} changed while you read it; load it again",
    )
    _require_free(connection, case, sender)
    _require(
        not wrote_report(connection, number, sender.identity.actor),
        f"you wrote the report of case {number}: another person judges it",
    )
    reads = standing(reads_of(connection, number), case.result_revision)
    mine = [item for item in reads if item.actor.identifier == sender.identity.actor.identifier]
    _require(
        not mine,
        f"you have judged case {number} yourself: another person arbitrates"
        if case.state is CaseState.AWAITING_ARBITRATION
        else f"you have judged case {number} already; undo that first",
    )
    _require(
        not is_withheld(connection, case, sender.identity), f"commit your own read of case {number} first"
    )
    return reads


def _require_free(connection: Transaction, case: CaseRecord, sender: Sender) -> None:
    """Return unless another reader has the case.

    Raises:
        ClaimedError: another reader has it; the message says who.
    """
    claim = claims_of(connection, (case.case_id,), now=sender.at).get(case.case_id)
    if claim is not None and claim.holder.identifier != sender.identity.actor.identifier:
        raise held_by(claim)


def _event_after(
    connection: Transaction, before: tuple[ReadRecord, ...], judgement: Judgement
) -> CaseEvent | None:
    """Return what happens to a listed case upon one more judgement; None: another reader is awaited."""
    judgements = [*(item.judgement for item in before if item.judgement is not None), judgement]
    if len(judgements) < policy_in_force(connection).tables.second_read.readers:
        return None
    return CaseEvent.SENT_TO_ARBITRATION if needs_arbitration(judgements) else CaseEvent.JUDGED


def _event_of_undoing(
    connection: Transaction, case: CaseRecord, read_id: int, sender: Sender
) -> CaseEvent | None:
    reads = standing(reads_of(connection, case.case_id), case.result_revision)
    undone = next((item for item in reads if item.read_id == read_id), None)
    if undone is None:
        raise TransitionError(f"there is nothing to undo any more in case {case.case_id}")
    mine = undone.actor.identifier == sender.identity.actor.identifier
    _require(mine, "a judgement is undone by who made it")
    _require(
        case.result_revision == case.revision and case.state in {*_TO_JUDGE, CaseState.JUDGED},
        f"case {case.case_id} changed since; what was judged of it stays as it is",
    )
    if undone.act is ReadAct.ARBITRATED:
        return CaseEvent.ARBITRATION_UNDONE
    _require(
        all(item.act is not ReadAct.ARBITRATED for item in reads),
        "an arbitration has been made; it has to be undone first",
    )
    return None if case.state is CaseState.LISTED else CaseEvent.JUDGEMENT_UNDONE


def _changed(
    connection: Transaction, case: CaseRecord, event: CaseEvent | None, sender: Sender
) -> CaseRecord:
    end_claim(connection, case.case_id)
    if event is None:
        return case
    return change_case(connection, case, Entry(event=event, at=sender.at, actor=sender.identity.actor))


def _opened(connection: Transaction, case: CaseRecord, sender: Sender) -> bool:
    return any(
        item.act is ReadAct.OPENED
        and item.revision == (case.result_revision or case.revision)
        and item.actor.identifier == sender.identity.actor.identifier
        for item in reads_of(connection, case.case_id)
    )


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise TransitionError(otherwise)
