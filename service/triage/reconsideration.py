"""Weighs cases again without another look at the images: under another policy, or a finding brought back.

What the detectors saw and what the report says are stored; only the comparison is made anew, outside of any
transaction. Its result is a further revision, stored unless the case has changed meanwhile;
what was concluded before stays.
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
from service.store.cases import case_for_change, find_case, listed_under_other_policy
from service.store.changes import Entry, change_case, revise_case
from service.store.conclusion import conclude
from service.store.database import Store, Transaction
from service.store.history import earlier_reports, restored_findings
from service.store.policies import policy_in_force
from service.store.records import CaseRecord, TriageRecord
from service.store.triage_results import triage_result

_log = structlog.get_logger("overread.reconsideration")
_BATCH = 100
_ATTEMPTS = 5  # while others change the same case
POLICY = Actor.program("policy")
"""Who weighs cases again because another policy is in force."""


def restore_finding(store: Store, case_id: int, finding: str, *, actor: Actor, now: datetime) -> CaseState:
    """Bring back a finding that was set aside as known before, and return where the case stands then.

    Raises:
        NotFoundError: there is no such case, or the finding is not among those set aside.
        TransitionError: the case is not triaged, or is being triaged anew.
        UnreadableRecordError: its result is stored in a form that this release does not know.
    """
    entry = Entry(event=CaseEvent.RESTORED, at=now, actor=actor, detail=finding)
    for _ in range(_ATTEMPTS):
        case, policy = _case_and_policy(store, case_id)
        anew = _compared_anew(store, case, policy, entry, restoring=finding)
        after = _conclude_unless_changed(store, case, policy, anew, entry)
        if after is not None:
            _log.info("restored", case=case_id, finding=finding, state=after.state.value)
            return after.state
    raise TransitionError(f"case {case_id} is being changed by others; try again then")


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
    case, policy = _case_and_policy(store, case_id)
    if case.state is not CaseState.LISTED or case.policy_version == policy.version:
        return  # another process was faster
    detail = f"policy {policy.version}"
    entry = Entry(event=CaseEvent.POLICY_CHANGED, at=now, actor=actor, detail=detail)
    try:
        anew = _compared_anew(store, case, policy, entry)
    except UnreadableRecordError:
        detail = f"{detail}: what was stored cannot be read, so it is triaged anew"
        with store.writing() as connection:
            current = case_for_change(connection, case_id)
            if current.revision == case.revision:
                entry = Entry(event=CaseEvent.REVISED, at=now, actor=actor, detail=detail)
                revise_case(connection, current, entry)
        return
    _conclude_unless_changed(store, case, policy, anew, entry)


def _case_and_policy(store: Store, case_id: int) -> tuple[CaseRecord, Policy]:
    with store.reading() as connection:
        return find_case(connection, case_id), policy_in_force(connection)


def _compared_anew(
    store: Store, case: CaseRecord, policy: Policy, entry: Entry, *, restoring: str | None = None
) -> TriageRecord:
    """Return the comparison made anew, under no lock: reading earlier reports takes its time."""
    with store.reading() as connection:
        record = _latest(connection, case)
        earlier = earlier_reports(connection, case)
        restored = restored_findings(connection, case.case_id)
    if restoring is not None:
        if restoring not in {item.discrepancy.finding for item in record.result.known_before}:
            raise NotFoundError(
                f"no finding {restoring[:64]!r} of case {case.case_id} is set aside as known before"
            )
        restored |= {restoring}
    history = read_history(earlier, load_reader(), restored=restored)
    # The stored reading was refined when the report was read; its text is not read again.
    compared = compare(
        ComparedCase(reading=record.reading, detections=record.detections, history=history),
        policy,
        load_vocabulary(),
    )
    return TriageRecord(
        revision=case.revision + 1,
        report_version=record.report_version,
        instances_sha256=record.instances_sha256,
        result=compared.result,
        reading=compared.reading,
        detections=record.detections,
        worker=entry.actor.display_name[:128],
        triaged_at=entry.at,
    )


def _conclude_unless_changed(
    store: Store, case: CaseRecord, policy: Policy, anew: TriageRecord, entry: Entry
) -> CaseRecord | None:
    """Store the result as a further revision; None where case or policy have changed meanwhile."""
    with store.writing() as connection:
        current = case_for_change(connection, case.case_id)
        if (current.revision, current.state) != (case.revision, case.state):
            return None
        if policy_in_force(connection).version != policy.version:
            return None
        taken = change_case(connection, current, entry, revision=anew.revision)
        return conclude(connection, taken, anew, policy, actor=entry.actor)


def _latest(connection: Transaction, case: CaseRecord) -> TriageRecord:
    if case.result_revision is None or case.result_revision != case.revision:
        raise TransitionError(f"case {case.case_id} is not triaged, or is to be triaged anew; try again then")
    return triage_result(connection, case.case_id, case.result_revision)
