"""Retrievals from the PACS: one row for each study or series, tried again until done or given up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, String, bindparam, cast, exists, insert, or_, select

from overread.case import CaseState
from service.store import locks
from service.store.backlog import DUE, GIVEN_UP, Backlog
from service.store.database import Store
from service.store.schema import cases, fetches, instances, studies
from service.store.studies import require_study

_BATCH = 100
_BACKLOG = Backlog(table=fetches, number=fetches.c.fetch_id, first_delay_seconds=60.0, attempt_seconds=3600.0)
_ANY_TIME = datetime.max.replace(tzinfo=UTC)


class FetchKind(StrEnum):
    """Kind of a retrieval."""

    MISSED = "MISSED"  # the study of a case whose report has come without images; the subject is the case
    PRIORS = "PRIORS"  # the search for earlier studies; the subject is the study that they are earlier than
    PRIOR = "PRIOR"  # one earlier study; the subject is itself


class FetchState(StrEnum):
    """State of a retrieval."""

    DUE = DUE
    DONE = "DONE"
    GIVEN_UP = GIVEN_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One thing to be fetched."""

    fetch_id: int
    kind: FetchKind
    subject: str
    state: FetchState
    attempts: int
    due_at: datetime
    asked_at: datetime
    concluded_at: datetime | None
    detail: str | None  # what came, or why the last attempt failed


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCase:
    """A case whose report has come without images."""

    case_id: int
    study_instance_uid: str | None
    accession_number: str | None
    patient_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStudy:
    """Attributes that decide which studies are earlier ones of the same kind."""

    study_instance_uid: str
    patient_id: str | None = field(repr=False)
    issuer_of_patient_id: str | None
    modality: str | None
    body_part: str | None
    study_date: str | None


def _has_row(kinds: tuple[FetchKind, ...], subject: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(fetches.c.kind.in_([kind.value for kind in kinds]), fetches.c.subject == subject)


_ARRIVING = exists().where(
    studies.c.closed_at.is_(None),
    or_(
        studies.c.study_instance_uid == cases.c.study_instance_uid,
        studies.c.accession_number == cases.c.accession_number,
    ),
)

_WAITING = (
    select(cases.c.case_id, cases.c.study_instance_uid, cases.c.accession_number, cases.c.patient_id)
    .where(
        cases.c.state == CaseState.AWAITING_IMAGES.value,
        cases.c.due_at <= bindparam("before"),  # of a case that waits: when it was opened
        ~_ARRIVING,
    )
    .order_by(cases.c.due_at)
)
"""Cases that have waited for images since before a time, and whose images are not just arriving."""

_NEW_WAITING = _WAITING.where(~_has_row((FetchKind.MISSED,), cast(cases.c.case_id, String(64)))).limit(_BATCH)
"""Those of them that nothing has been done about."""

_NEW_STUDIES = (
    select(studies.c.study_instance_uid)
    .where(
        studies.c.closed_at > bindparam("after"),
        studies.c.study_date >= bindparam("first_day"),
        studies.c.patient_id.is_not(None),
        ~_has_row((FetchKind.PRIORS, FetchKind.PRIOR), studies.c.study_instance_uid),
    )
    .limit(_BATCH)
)
"""New studies that were closed after a time, are no priors themselves, and whose priors nobody has sought."""

_ROW = select(fetches.c.fetch_id).where(
    fetches.c.kind == bindparam("kind"), fetches.c.subject == bindparam("subject")
)
"""The row of one thing, if there is one."""

_ADD = insert(fetches)

_LIST = (
    select(fetches)
    .where(fetches.c.state.in_(bindparam("states", expanding=True)))
    .order_by(fetches.c.asked_at.desc(), fetches.c.fetch_id.desc())
    .limit(bindparam("limit"))
)
"""The latest that stand so."""

_STORED = select(instances.c.sop_instance_uid).where(
    instances.c.study_instance_uid == bindparam("study_instance_uid"),
    instances.c.series_instance_uid == bindparam("series_instance_uid"),
    instances.c.removed_at.is_(None),
)
"""The instances of a series whose bytes are stored."""


def waiting_cases(store: Store, *, before: datetime) -> tuple[WaitingCase, ...]:
    """Return the cases that have waited for images since before a time, the longest first."""
    with store.reading() as connection:
        rows = connection.execute(_WAITING, {"before": before}).all()
    return tuple(WaitingCase(**row._mapping) for row in rows)


def waiting_case(store: Store, case_id: int) -> WaitingCase | None:
    """Return a case that still waits for images which are not just arriving; None if it does not."""
    return next((case for case in waiting_cases(store, before=_ANY_TIME) if case.case_id == case_id), None)


def known_study(store: Store, study_instance_uid: str) -> KnownStudy:
    """Return a study of the store.

    Raises:
        NotFoundError: no image of it has been received.
    """
    with store.reading() as connection:
        study = require_study(connection, study_instance_uid)
    return KnownStudy(**{item.name: getattr(study, item.name) for item in dataclass_fields(KnownStudy)})


def stored_instances(store: Store, study_instance_uid: str, series_instance_uid: str) -> frozenset[str]:
    """Return the SOP instance UIDs of what is stored of a series."""
    key = {"study_instance_uid": study_instance_uid, "series_instance_uid": series_instance_uid}
    with store.reading() as connection:
        return frozenset(connection.execute(_STORED, key).scalars())


def note_missed(store: Store, *, before: datetime, now: datetime) -> int:
    """Put down the cases that have waited for images since before a time, once each; return how many."""
    with store.reading() as connection:
        found = connection.execute(_NEW_WAITING, {"before": before}).all()
    return _note(store, FetchKind.MISSED, [str(row.case_id) for row in found], now)


def note_new_studies(store: Store, *, after: datetime, first_day: date, now: datetime) -> int:
    """Put down the search for priors of studies that were closed after a time, once each; return how many.

    Those made before the first day are not new: they were imported or fetched.
    """
    bound = {"after": after, "first_day": first_day.strftime("%Y%m%d")}
    with store.reading() as connection:
        found = connection.execute(_NEW_STUDIES, bound).scalars().all()
    return _note(store, FetchKind.PRIORS, found, now)


def note_priors(store: Store, study_instance_uids: Sequence[str], *, now: datetime) -> int:
    """Put down earlier studies, once each; return how many were not there yet."""
    return _note(store, FetchKind.PRIOR, study_instance_uids, now)


def claim_fetch(store: Store, *, now: datetime) -> Fetch | None:
    """Return what has been due for longest, for the caller to fetch; None if nothing is due."""
    row = _BACKLOG.claim(store, now=now)
    return None if row is None else _fetch_of(row)


def conclude_fetch(store: Store, fetch: Fetch, detail: str, *, now: datetime) -> None:
    """Note that it is done, and what came."""
    _BACKLOG.end(store, fetch.fetch_id, FetchState.DONE.value, detail, now=now)


def postpone_fetch(store: Store, fetch: Fetch, why: str, *, now: datetime) -> FetchState:
    """Note why it did not succeed; it is tried again after a growing delay, or given up."""
    again = _BACKLOG.postpone(store, fetch.fetch_id, fetch.attempts, why, now=now)
    return FetchState.DUE if again else FetchState.GIVEN_UP


def give_up_fetch(store: Store, fetch: Fetch, why: str, *, now: datetime) -> None:
    """Note that it cannot succeed, and why."""
    _BACKLOG.end(store, fetch.fetch_id, FetchState.GIVEN_UP.value, why, now=now)


def list_fetches(store: Store, states: Sequence[FetchState], *, limit: int) -> tuple[Fetch, ...]:
    """Return the latest fetches that stand so."""
    with store.reading() as connection:
        bound = {"states": [state.value for state in states], "limit": limit}
        return tuple(_fetch_of(row) for row in connection.execute(_LIST, bound))


def _note(store: Store, kind: FetchKind, subjects: Sequence[str], now: datetime) -> int:
    if not subjects:
        return 0
    fresh = {"state": FetchState.DUE.value, "attempts": 0, "due_at": now, "asked_at": now}
    with store.writing(locks.fetches(kind)) as connection:
        missing = [
            {"kind": kind.value, "subject": subject, **fresh}
            for subject in subjects
            if connection.execute(_ROW, {"kind": kind.value, "subject": subject}).first() is None
        ]
        if missing:
            connection.execute(_ADD, missing)
    return len(missing)


def _fetch_of(row: Row[Any]) -> Fetch:
    values = {item.name: getattr(row, item.name) for item in dataclass_fields(Fetch)}
    return Fetch(**(values | {"kind": FetchKind(row.kind), "state": FetchState(row.state)}))
