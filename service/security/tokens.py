"""Tokens by which programs are let in: made, recognised; what is kept of them lets nobody in."""

import secrets
from datetime import datetime, timedelta

from overread.actor import Actor
from overread.errors import InputError
from service.security.identity import Identity, Means
from service.security.roles import Scope, kept_scopes
from service.security.sessions import sha256_of
from service.store.access_tokens import NewToken, add_token, find_token
from service.store.database import Store
from service.store.people import Act

PREFIX = "overread_"  # by which a token is known where it must not be, as in a log or a repository
_NAME_MAX = 100
_DAYS_MAX = 3660


def make_token(
    store: Store,
    name: str,
    scopes: frozenset[Scope],
    *,
    days: float,
    by: Act,
    sites: frozenset[str] | None = None,
) -> str:
    """Add a token and return it; it is kept nowhere and cannot be shown again.

    Raises:
        InputError: the name, the scopes or the days cannot be.
        ContradictionError: there is or was one of that name.
    """
    if not name.isprintable() or not name.strip() or len(name) > _NAME_MAX:
        raise InputError(f"a token's name has 1 to {_NAME_MAX} visible characters")
    if not scopes:
        raise InputError("a token without a scope lets nobody in")
    if not 0 < days <= _DAYS_MAX:
        raise InputError(f"a token lasts for more than 0 and at most {_DAYS_MAX} days")
    token = PREFIX + secrets.token_urlsafe(32)
    new = NewToken(
        name=name.strip(),
        token_sha256=sha256_of(token),
        scopes=tuple(scope.value for scope in scopes),
        expires_at=by.at + timedelta(days=days),
        sites=sites,
    )
    add_token(store, new, by=by)
    return token


def recognise_token(store: Store, token: str, *, now: datetime) -> Identity | None:
    """Return the program that a token is of; None where it is none, has expired or was revoked."""
    if not token.startswith(PREFIX):
        return None
    found = find_token(store, sha256_of(token), now=now)
    if found is None:
        return None
    return Identity(
        actor=Actor.program(f"token {found.name}"),
        means=Means.TOKEN,
        scopes=kept_scopes(found.scopes),
        sites=found.sites,
        ends_at=found.expires_at,
    )
