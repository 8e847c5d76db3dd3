"""Draws concordant cases for the audit, and lets those that are drawn stand in the list like any other.

A drawn case takes its place from a listed one that chance chooses: a priority between that case's and the
next one's, its wait and its subspecialty. So neither order nor time tells it from the others.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from overread.actor import Actor
from overread.audit_sample import SecondReadRule, draw, stratum_of
from overread.case import CaseEvent, CaseState
from overread.priority import MAXIMUM_PRIORITY, Policy
from service.store.case_counts import counts_by_state
from service.store.changes import Entry, change_case
from service.store.records import CaseRecord, TriageRecord
from service.store.schema import cases
from service.store.second_reads import AuditDraw, add_draw

SAMPLER = Actor.program("audit sample")
"""Who lists what was drawn."""

_LISTED = cases.c.state == CaseState.LISTED.value
_MODELS = (
    select(
        cases.c.priority,
        cases.c.waiting_since,
        cases.c.overdue_at,
        cases.c.open_to_all_at,
        cases.c.subspecialty,
    )
    .where(_LISTED)
    .order_by(cases.c.priority.desc(), cases.c.opened_at, cases.c.case_id)
    .limit(2)
    .offset(bindparam("before"))
)


def list_if_drawn(
    connection: Connection, case: CaseRecord, record: TriageRecord, policy: Policy, *, since: datetime
) -> CaseRecord:
    """Record the draw of a concordant case and return it as it is then: LISTED if it was drawn.

    Args:
        connection: of the transaction that concludes the case.
        case: as it was concluded.
        record: the triage that found it concordant.
        policy: that says how many are drawn.
        since: when its wait in the list begins, or began.
    """
    rule, study = policy.tables.second_read, case.study_instance_uid or ""
    if not any(rule.audit_shares.values()):
        return case
    stratum = stratum_of(record.reading, record.detections)
    drawn = AuditDraw(
        revision=record.revision,
        stratum=stratum.value,
        probability=rule.audit_shares[stratum],
        is_drawn=rule.samples(study, stratum),
    )
    add_draw(connection, case.case_id, drawn, policy_version=policy.version, now=record.triaged_at)
    if not drawn.is_drawn:
        return case
    entry = Entry(event=CaseEvent.SAMPLED, at=record.triaged_at, actor=SAMPLER)
    return change_case(connection, case, entry, **_place(connection, rule, study, since))


def _place(connection: Connection, rule: SecondReadRule, study: str, since: datetime) -> dict[str, Any]:
    """Return the columns that place a drawn case; in an empty list its priority alone is by chance."""
    count = counts_by_state(connection, everywhere=True).get(CaseState.LISTED.value, 0)
    before = int(draw(rule.seed, "place", study) * count)
    models = connection.execute(_MODELS, {"before": before}).all()
    fraction = draw(rule.seed, "priority", study)
    if not models:
        return {"priority": fraction * MAXIMUM_PRIORITY / 2, "waiting_since": since}
    model = models[0]
    low = models[1].priority if len(models) > 1 else 0.9 * model.priority
    place: dict[str, Any] = {
        "priority": low + fraction * (model.priority - low),
        "waiting_since": since,
        "subspecialty": model.subspecialty,
    }
    for name in ("overdue_at", "open_to_all_at"):
        until = getattr(model, name)
        has_times = until is not None and model.waiting_since is not None
        place[name] = since + (until - model.waiting_since) if has_times else None
    return place
