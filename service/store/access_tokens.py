"""The tokens by which programs are let in."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from overread.actor import Actor
from overread.errors import ContradictionError, InputError, NotFoundError, OutOfResourcesError
from service.store import locks
from service.store.account_tables import access_tokens
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.people import Act, kept_sites, site_words, sites_of
from service.store.records import actor_columns, actor_of

NOTED_EVERY = timedelta(hours=1)
"""How exactly it is kept when a token was last used."""

_BY_NAME = select(access_tokens).where(access_tokens.c.name == bindparam("wanted"))
_VALID = select(access_tokens).where(
    access_tokens.c.token_sha256 == bindparam("sha256"),
    access_tokens.c.expires_at > bindparam("now"),
    access_tokens.c.revoked_at.is_(None),
    access_tokens.c.suspended_at.is_(None),
)
_ALL = select(access_tokens).order_by(access_tokens.c.created_at, access_tokens.c.token_id)
_ADD = insert(access_tokens)
_CHANGE = update(access_tokens).where(access_tokens.c.token_id == bindparam("changed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One token, without what is shown to be let in."""

    token_id: int
    name: str
    scopes: tuple[str, ...]  # names of service.security.roles.Scope
    created_by: Actor
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    sites: frozenset[str] | None  # whose cases are seen; None: of every site
    suspended_at: datetime | None  # by a restore; None while it lets somebody in


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be added."""

    name: str
    token_sha256: str
    scopes: tuple[str, ...]
    expires_at: datetime
    sites: frozenset[str] | None = None


def add_token(store: Store, new: NewToken, *, by: Act) -> None:
    """Add a token.

    Raises:
        ContradictionError: there is one of that name, if only a revoked one: events name it.
    """
    values = {
        "name": new.name,
        "token_sha256": new.token_sha256,
        "scopes": json.dumps(sorted(new.scopes)),
        "expires_at": new.expires_at,
        "sites": kept_sites(new.sites),
        "created_at": by.at,
        **actor_columns(by.actor),
    }
    with store.writing(locks.people()) as connection:
        if connection.execute(_BY_NAME, {"wanted": new.name}).first() is not None:
            raise ContradictionError(f"there is or was a token {new.name} already; choose another name")
        connection.execute(_ADD, values)
        scopes = ", ".join(sorted(new.scopes))
        seen = "" if new.sites is None else f", {site_words(new.sites)}"
        detail = f"added, {scopes}{seen}, to {new.expires_at:%Y-%m-%d}"
        record_act(connection, by.entry(f"token {new.name}", detail))


def find_token(store: Store, token_sha256: str, *, now: datetime) -> TokenRecord | None:
    """Return the token that was shown; None where it is none, has expired or was revoked."""
    with store.reading() as connection:
        row = connection.execute(_VALID, {"sha256": token_sha256, "now": now}).one_or_none()
    if row is None:
        return None
    if row.used_at is None or now - row.used_at >= NOTED_EVERY:
        with suppress(OutOfResourcesError), store.writing(durable=False) as connection:
            connection.execute(_CHANGE, {"changed": row.token_id, "used_at": now})
    return _record_of(row)


def list_tokens(store: Store) -> tuple[TokenRecord, ...]:
    """Return every token, the oldest first."""
    with store.reading() as connection:
        return tuple(_record_of(row) for row in connection.execute(_ALL))


def revoke_token(store: Store, name: str, *, by: Act) -> None:
    """Let nobody in by a token any more.

    Raises:
        NotFoundError: there is none of that name.
    """
    with store.writing(locks.people()) as connection:
        row = connection.execute(_BY_NAME, {"wanted": name}).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no token {name}; `overread tokens list` shows them")
        if row.revoked_at is None:
            connection.execute(_CHANGE, {"changed": row.token_id, "revoked_at": by.at})
            record_act(connection, by.entry(f"token {name}", "revoked"))


def resume_token(store: Store, name: str, *, by: Act) -> None:
    """Let a token that a restore suspended let its program in again.

    Raises:
        NotFoundError: there is none of that name.
        InputError: it was revoked, or is not suspended.
    """
    with store.writing(locks.people()) as connection:
        row = connection.execute(_BY_NAME, {"wanted": name}).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no token {name}; `overread tokens list` shows them")
        if row.revoked_at is not None or row.suspended_at is None:
            state = "was revoked" if row.revoked_at is not None else "is not suspended"
            raise InputError(f"the token {name} {state}; nothing was changed")
        connection.execute(_CHANGE, {"changed": row.token_id, "suspended_at": None})
        record_act(connection, by.entry(f"token {name}", "resumed after a restore"))


def _record_of(row: Row[Any]) -> TokenRecord:
    return TokenRecord(
        token_id=row.token_id,
        name=row.name,
        scopes=tuple(json.loads(row.scopes)),
        created_by=actor_of(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
        sites=sites_of(row.sites),
        suspended_at=row.suspended_at,
    )
