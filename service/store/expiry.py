"""Bytes that are over their time: pixels of settled cases, and what was refused and dealt with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, or_, select, tuple_

from overread.case import CaseState
from service.store.column_types import UtcDateTime
from service.store.database import Store
from service.store.records import QuarantineState
from service.store.schema import cases, instances, quarantine, quarantine_actions, studies

_PAGE = 500
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredInstance:
    """An instance that is over its time."""

    study_instance_uid: str
    sop_instance_uid: str
    size_bytes: int
    received_at: datetime
    state: CaseState  # of the case of its study


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredRefusal:
    """A refused thing that is over its time."""

    quarantine_id: int
    sha256: str
    size_bytes: int


def expired_instances(
    store: Store, ends: Sequence[tuple[CaseState, datetime]]
) -> Iterator[tuple[ExpiredInstance, ...]]:
    """Yield instances whose bytes are kept, a page at a time, the oldest first.

    Args:
        store: whose they are.
        ends: a state, and the time since which neither the case has changed nor the object was received.
    """
    query = _instances(ends)
    after = {"received_at": _EARLIEST, "study": "", "instance": ""}
    while True:
        with store.reading() as transaction:
            rows = transaction.execute(query, after).all()
        if not rows:
            return
        page = tuple(_expired(row) for row in rows if row.is_over)
        if page:
            yield page
        last = rows[-1]
        after = {
            "received_at": last.received_at,
            "study": last.study_instance_uid,
            "instance": last.sop_instance_uid,
        }


def expired_refusals(store: Store, end: datetime) -> Iterator[ExpiredRefusal]:
    """Yield what was dealt with by then, and waits for nobody; its bytes are still kept."""
    columns = quarantine.c
    since = select(quarantine_actions.c.action_id).where(
        quarantine_actions.c.quarantine_id == columns.quarantine_id, quarantine_actions.c.happened_at > end
    )
    query = (
        select(columns.quarantine_id, columns.sha256, columns.size_bytes)
        .where(
            columns.removed_at.is_(None),
            columns.state != QuarantineState.WAITING.value,
            columns.received_at <= end,
            ~since.exists(),
            columns.quarantine_id > bindparam("after"),
        )
        .order_by(columns.quarantine_id)
        .limit(_PAGE)
    )
    after = 0
    while True:
        with store.reading() as transaction:
            rows = transaction.execute(query, {"after": after}).all()
        if not rows:
            return
        yield from (ExpiredRefusal(**row._mapping) for row in rows)
        after = rows[-1].quarantine_id


def _expired(row: Row[Any]) -> ExpiredInstance:
    return ExpiredInstance(
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
        state=CaseState(row.state),
    )


def _instances(ends: Sequence[tuple[CaseState, datetime]]) -> Select[Any]:
    """Return the query of the next instances after one place, which says of each whether it is over its time.

    They are walked along their index, and only a page of them is joined to its cases: joined at once, every
    page would be a walk over all cases and instances.
    """
    received_at = bindparam("received_at", type_=UtcDateTime())
    columns = instances.c
    place = (columns.received_at, columns.study_instance_uid, columns.sop_instance_uid)
    page = (
        select(*place, columns.size_bytes)
        .where(
            columns.removed_at.is_(None),
            columns.result_of.is_(None),  # results are no pixels, and stay
            columns.received_at.between(received_at, max(end for _, end in ends)),
            tuple_(*place) > tuple_(received_at, bindparam("study"), bindparam("instance")),
        )
        .order_by(columns.removed_at, *place)  # the order of the index
        .limit(_PAGE)
        .subquery("page")
    )
    over = or_(
        *(
            and_(cases.c.state == state.value, cases.c.updated_at <= end, page.c.received_at <= end)
            for state, end in ends
        )
    )
    study = page.c.study_instance_uid
    return (
        select(*page.c, cases.c.state, and_(studies.c.closed_at.is_not(None), over).label("is_over"))
        .outerjoin_from(page, cases, cases.c.study_instance_uid == study)
        .outerjoin(studies, studies.c.study_instance_uid == study)
        .order_by(page.c.received_at, study, page.c.sop_instance_uid)
    )
