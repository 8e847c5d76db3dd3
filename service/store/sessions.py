"""The sessions of people in their browsers."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, false, insert, or_, select, update

from overread.errors import OutOfResourcesError
from service.store import locks
from service.store.account_tables import people, provider_logouts, sessions
from service.store.audit_entries import AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.people import PersonRecord, person_of

NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a session was last used."""

_FIND = (
    select(people, sessions.c.session_id, sessions.c.started_at, sessions.c.seen_at, sessions.c.ends_at)
    .add_columns(sessions.c.address, sessions.c.provider_token)
    .join_from(sessions, people)
    .where(
        sessions.c.cookie_sha256 == bindparam("sha256"),
        sessions.c.ends_at > bindparam("now"),
        sessions.c.seen_at > bindparam("seen_since"),
        people.c.disabled_at.is_(None),
    )
)
"""A session that lives, with its person."""

_ADD = insert(sessions)
_NOTE = update(sessions).where(sessions.c.session_id == bindparam("noted"))
_END = delete(sessions).where(sessions.c.cookie_sha256 == bindparam("sha256"))
_END_ONE = delete(sessions).where(sessions.c.session_id == bindparam("ended"))
_OF_PROVIDER = (
    select(sessions.c.session_id, people.c.name)
    .join_from(sessions, people)
    .where(sessions.c.provider_token.is_not(None))
)
_TOLD = select(provider_logouts).where(provider_logouts.c.token_sha256 == bindparam("sha256"))
_FORGET = delete(provider_logouts).where(provider_logouts.c.kept_until <= bindparam("now"))
_DEAD = delete(sessions).where(
    (sessions.c.ends_at <= bindparam("now")) | (sessions.c.seen_at <= bindparam("seen_since"))
)
_LIST = (
    select(sessions)
    .where(sessions.c.ends_at > bindparam("now"), sessions.c.seen_at > bindparam("seen_since"))
    .order_by(sessions.c.started_at, sessions.c.session_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One session that lives."""

    session_id: int
    person_id: int
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str
    provider_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLogout:
    """What a provider tells of somebody who signed out there; subject or session is given, or both."""

    token_sha256: str  # of issuer and jti, by which it is known when it comes again
    expires_at: datetime
    subject: str | None  # as `people.subject` has it; None: whoever has the session
    session: str | None  # claim sid; None: every session of the subject


def add_session(
    store: Store, person_id: int, record: dict[str, Any], *, dead: dict[str, datetime], entry: AuditEntry
) -> None:
    """Put down a session; those that have died are removed.

    Args:
        store: where.
        person_id: whose it is.
        record: the other columns.
        dead: `now` and `seen_since`, by which a session has died.
        entry: what the audit trail is told.
    """
    with store.writing() as connection:
        connection.execute(_DEAD, dead)
        connection.execute(_ADD, {"person_id": person_id, **record})
        record_act(connection, entry)


def find_session(
    store: Store, cookie_sha256: str, *, now: datetime, idle: timedelta, is_use: bool = True
) -> tuple[SessionRecord, PersonRecord] | None:
    """Return the session of a cookie and its person; None where it is over or the account is disabled.

    Unless it is no use of the session, it is noted when it was used last.
    """
    values = {"sha256": cookie_sha256, "now": now, "seen_since": now - idle}
    with store.reading() as connection:
        row = connection.execute(_FIND, values).one_or_none()
    if row is None:
        return None
    if is_use and now - row.seen_at >= NOTED_EVERY:
        # Nobody is kept from reading by a disk that is full.
        with suppress(OutOfResourcesError), store.writing(durable=False) as connection:
            connection.execute(_NOTE, {"noted": row.session_id, "seen_at": now})
    return _record_of(row), person_of(row)


def end_session(store: Store, cookie_sha256: str, *, entry: AuditEntry | None) -> None:
    """End the session of a cookie, if there is one; the audit trail is told of that."""
    with store.writing() as connection:
        if connection.execute(_END, {"sha256": cookie_sha256}).rowcount and entry is not None:
            record_act(connection, entry)


def end_sessions_at_word(
    store: Store, logout: ProviderLogout, *, now: datetime, entry_of: Callable[[str], AuditEntry]
) -> int | None:
    """End the sessions that a provider says have ended; return how many, or None where it said so before.

    Args:
        store: where.
        logout: what it says.
        now: the time.
        entry_of: what the audit trail is told of each, by the name of the account.
    """
    with store.writing(locks.people()) as connection:
        connection.execute(_FORGET, {"now": now})
        if connection.execute(_TOLD, {"sha256": logout.token_sha256}).first() is not None:
            return None
        told = {"token_sha256": logout.token_sha256, "kept_until": logout.expires_at}
        connection.execute(insert(provider_logouts), told)
        wanted = _OF_PROVIDER
        if logout.subject is not None:
            wanted = wanted.where(people.c.subject == logout.subject)
        if logout.session is not None:
            is_it = sessions.c.provider_session == logout.session
            # Of a subject, a session that was begun without a number may be the one that is meant.
            unnumbered = sessions.c.provider_session.is_(None) if logout.subject is not None else false()
            wanted = wanted.where(or_(is_it, unnumbered))
        ended = connection.execute(wanted).all()
        for row in ended:
            connection.execute(_END_ONE, {"ended": row.session_id})
            record_act(connection, entry_of(row.name))
        return len(ended)


def list_sessions(store: Store, *, now: datetime, idle: timedelta) -> tuple[SessionRecord, ...]:
    """Return every session that lives, the oldest first."""
    with store.reading() as connection:
        rows = connection.execute(_LIST, {"now": now, "seen_since": now - idle})
        return tuple(_record_of(row) for row in rows)


def _record_of(row: Any) -> SessionRecord:
    return SessionRecord(
        session_id=row.session_id,
        person_id=row.person_id,
        started_at=row.started_at,
        seen_at=row.seen_at,
        ends_at=row.ends_at,
        address=row.address,
        provider_token=row.provider_token,
    )
