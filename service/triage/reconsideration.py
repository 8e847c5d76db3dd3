"""Weighs cases again without another look at the images: under another policy, or a finding brought back.

What the detectors saw and what the report says are stored; only the comparison is made anew. Each case is one
transaction, and the result is a further revision: what was concluded before stays.
"""

from datetime import datetime

import structlog

from overread.actor import Actor
from overread.case import CaseEvent, CaseState
from overread.comparison import ComparedCase, compare, read_history
from overread.errors import NotFoundError, TransitionError, UnreadableRecordError
from overread.finding import load_vocabulary
from overread.priority import Policy
from overread.report import load_reader
from service.store.cases import case_for_change, listed_under_other_policy
from service.store.changes import Entry, change_case, revise_case
from service.store.conclusion import conclude
from service.store.database import Store, Transaction
from service.store.history import earlier_reports, restored_findings
from service.store.policies import policy_in_force
from service.store.records import CaseRecord, TriageRecord
from service.store.triage_results import triage_result

_log = structlog.get_logger("overread.reconsideration")
_BATCH = 100
POLICY = Actor.program("policy")
"""Who weighs cases again because another policy is in force."""


def restore_finding(store: Store, case_id: int, finding: str, *, actor: Actor, now: datetime) -> CaseState:
    """Bring back a finding that was set aside as known before, and return where the case stands then.

    Raises:
        NotFoundError: there is no such case, or the finding is not among those set aside.
        TransitionError: the case is not triaged, or is being triaged anew.
        UnreadableRecordError: its result is stored in a form that this release does not know.
    """
    with store.writing() as connection:
        case = case_for_change(connection, case_id)
        record = _latest(connection, case)
        if finding not in {item.discrepancy.finding for item in record.result.known_before}:
            raise NotFoundError(f"no finding {finding[:64]!r} of case {case_id} is set aside as known before")
        entry = Entry(event=CaseEvent.RESTORED, at=now, actor=actor, detail=finding)
        after = _reconsider(connection, case, record, entry, policy_in_force(connection))
    _log.info("restored", case=case_id, finding=finding, state=after.state.value)
    return after.state


def reorder_list(store: Store, *, now: datetime, actor: Actor = POLICY) -> int:
    """Weigh every case of the open list that was weighed under another policy again; return how many.

    Interrupted at any moment, the next call goes on where it stopped. A case whose stored result this release
    cannot read goes back to triage.
    """
    done = 0
    while True:
        with store.reading() as connection:
            version = policy_in_force(connection).version
            stale = listed_under_other_policy(connection, version, limit=_BATCH)
        for case_id in stale:
            _weigh_again(store, case_id, actor=actor, now=now)
        done += len(stale)
        if len(stale) < _BATCH:
            break
    if done:
        _log.info("reordered", cases=done, policy=version)
    return done


def _weigh_again(store: Store, case_id: int, *, actor: Actor, now: datetime) -> None:
    with store.writing() as connection:
        case, policy = case_for_change(connection, case_id), policy_in_force(connection)
        if case.state is not CaseState.LISTED or case.policy_version == policy.version:
            return  # another process was faster
        detail = f"policy {policy.version}"
        try:
            entry = Entry(event=CaseEvent.POLICY_CHANGED, at=now, actor=actor, detail=detail)
            _reconsider(connection, case, _latest(connection, case), entry, policy)
        except UnreadableRecordError:
            detail = f"{detail}: what was stored cannot be read, so it is triaged anew"
            entry = Entry(event=CaseEvent.REVISED, at=now, actor=actor, detail=detail)
            revise_case(connection, case, entry)


def _reconsider(
    connection: Transaction, case: CaseRecord, record: TriageRecord, entry: Entry, policy: Policy
) -> CaseRecord:
    """Make the comparison anew and store it as a further revision."""
    taken = change_case(connection, case, entry, revision=case.revision + 1)
    history = read_history(
        earlier_reports(connection, taken),
        load_reader(),
        restored=restored_findings(connection, case.case_id),
    )
    # The stored reading was refined when the report was read; its text is not read again.
    compared = compare(
        ComparedCase(reading=record.reading, detections=record.detections, history=history),
        policy,
        load_vocabulary(),
    )
    anew = TriageRecord(
        revision=taken.revision,
        report_version=record.report_version,
        instances_sha256=record.instances_sha256,
        result=compared.result,
        reading=compared.reading,
        detections=record.detections,
        worker=entry.actor.display_name[:128],
        triaged_at=entry.at,
    )
    return conclude(connection, taken, anew, policy, actor=entry.actor)


def _latest(connection: Transaction, case: CaseRecord) -> TriageRecord:
    if case.result_revision is None or case.result_revision != case.revision:
        raise TransitionError(f"case {case.case_id} is not triaged, or is to be triaged anew; try again then")
    return triage_result(connection, case.case_id, case.result_revision)
