"""Rows of a patient that are erased: all that names a case, its study and its images, in one transaction.

The database refuses every change of what was concluded and decided. Here alone that guard is lifted, for the
deletions of one transaction and for nobody else, and it stands again when the transaction ends, however it
ends. What stays is the audit trail, which refuses as before and says who erased which case, when and why.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, text, update

from overread.actor import Actor
from overread.case import CaseState
from overread.errors import NotFoundError
from service.store import locks
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.metadata import metadata
from service.store.schema import (
    APPEND_ONLY,
    cases,
    fetches,
    instances,
    quarantine,
    quarantine_actions,
    studies,
    workers,
)

NAME_CASES_IN_PASSING = (quarantine, workers)
"""Tables with the number of a case whose rows are no part of the case."""

_OF_A_PATIENT = (
    "study_instance_uid",
    "sop_instance_uid",
    "accession_number",
    "patient_id",
    "site",
    "case_id",
)
_UNGUARDED = text("""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF TG_OP = 'DELETE' THEN RETURN NULL; END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
""")
_GUARD = text("SELECT pg_get_functiondef('refuse_change'::regproc)")
_TRIGGERS = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Who erases, when and why."""

    actor: Actor
    at: datetime
    why: str  # in words, without patient data

    def entry(self, subject: str) -> AuditEntry:
        """Return what the audit trail is told."""
        return AuditEntry(
            at=self.at,
            actor=self.actor,
            action=AuditAction.REMOVED,
            what="rows",
            subject=subject,
            detail=f"erased with all that was kept of it: {self.why}",
        )


def erase_case(store: Store, case_id: int, erasure: Erasure) -> str | None:
    """Erase all that names a case, its study and its images; return why it cannot go now, None if it went.

    The bytes of its images have to be removed before.

    Raises:
        NotFoundError: there is no such case.
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        found = _case(connection, case_id)
    names = [locks.erasure()]
    if found.study_instance_uid is not None:
        names.append(locks.study(found.study_instance_uid))
    if found.accession_number is not None:
        names.append(locks.accession(found.accession_number))
    with store.writing(*names) as connection:
        case = _case(connection, case_id)
        if (why := _why_not(connection, case, found)) is not None:
            return why
        with _deletions_allowed(connection):
            for table in _tables_of_cases():
                connection.execute(delete(table).where(table.c.case_id == case_id))
            _erase_study(connection, case)
        record_act(connection, erasure.entry(f"case {case_id}"))
    return None


def erase_refusal(store: Store, quarantine_id: int, erasure: Erasure) -> None:
    """Erase who an entry of the quarantine was about, and what was put right; its bytes are removed before.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.writing(locks.erasure(), locks.quarantine_entry(quarantine_id)) as connection:
        with _deletions_allowed(connection):
            connection.execute(
                delete(quarantine_actions).where(quarantine_actions.c.quarantine_id == quarantine_id)
            )
        connection.execute(
            update(quarantine)
            .where(quarantine.c.quarantine_id == quarantine_id)
            .values(dict.fromkeys(_OF_A_PATIENT))
        )
        record_act(connection, erasure.entry(f"quarantine {quarantine_id}"))


def _case(connection: Connection, case_id: int) -> Row[Any]:
    row = connection.execute(select(cases).where(cases.c.case_id == case_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no case {case_id}")
    return row


def _why_not(connection: Connection, case: Row[Any], found: Row[Any]) -> str | None:
    """Return why a case cannot be erased now, in words."""
    names = ("study_instance_uid", "accession_number")
    if case.state == CaseState.IN_TRIAGE.value or any(getattr(case, n) != getattr(found, n) for n in names):
        return "it is in work; try again in a moment"
    of_study = instances.c.study_instance_uid == case.study_instance_uid
    kept = select(func.count()).select_from(instances).where(of_study, instances.c.removed_at.is_(None))
    if connection.execute(kept).scalar_one():
        return "its images are kept: its study is open, or they were sent again"
    if connection.dialect.name == "sqlite":
        latest = connection.execute(select(func.max(cases.c.case_id))).scalar_one()
        if latest == case.case_id:  # SQLite would give its number to the next case, of another patient
            return "it is the latest case, whose number must not be given again; try again after the next one"
    return None


def _tables_of_cases() -> Iterator[Table]:
    """Give the tables whose rows are part of a case, what refers to another before that other."""
    for table in reversed(metadata.sorted_tables):
        if "case_id" in table.c and table not in NAME_CASES_IN_PASSING:
            yield table


def _erase_study(connection: Connection, case: Row[Any]) -> None:
    uid = case.study_instance_uid
    subjects = [str(case.case_id)] if uid is None else [str(case.case_id), uid]
    connection.execute(delete(fetches).where(or_(*(fetches.c.subject == name for name in subjects))))
    if uid is None:
        return
    connection.execute(delete(instances).where(instances.c.study_instance_uid == uid))
    connection.execute(delete(studies).where(studies.c.study_instance_uid == uid))


@contextmanager
def _deletions_allowed(connection: Connection) -> Iterator[None]:
    """Let this transaction delete rows of append-only tables; nobody else sees the guard lifted.

    Both databases keep such a change within the transaction: if it is undone, so is this.
    """
    if connection.dialect.name == "postgresql":
        guard = connection.execute(_GUARD).scalar_one()
        connection.execute(_UNGUARDED)
        yield
        connection.execute(text(guard.replace(":", r"\:")))
        return
    guarded = {f"{table.name}_append_only_delete" for table in APPEND_ONLY}
    triggers = [row for row in connection.execute(_TRIGGERS) if row.name in guarded]
    for trigger in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    yield
    for trigger in triggers:
        connection.exec_driver_sql(trigger.sql)
