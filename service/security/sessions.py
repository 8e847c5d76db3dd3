"""Sessions of people in browsers: begun, recognised, ended.

The cookie holds 256 random bits and nothing else; the database holds their hash. Each sign-in gives a new
one, whatever the browser showed before, so that nobody can be made to use a session that somebody else knows.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from overread.actor import Actor, ActorKind
from service.security.identity import Identity, Means
from service.security.roles import kept_roles
from service.security.settings import SecuritySettings
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.database import Store
from service.store.people import Act, PersonRecord
from service.store.sessions import SessionRecord, add_session, end_session, find_session, list_sessions

COOKIE = "overread_session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # RFC 6265bis section 4.1.3.2: of this host alone, and over TLS alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long a session lives."""

    idle: timedelta
    whole: timedelta

    @classmethod
    def of(cls, settings: SecuritySettings) -> "Lifetime":
        """Return the lifetime that the settings give."""
        return cls(
            idle=timedelta(minutes=settings.session_idle_minutes),
            whole=timedelta(hours=settings.session_hours),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a session is begun."""

    address: str  # of the machine that signs in
    what: str  # route template of the sign-in
    provider_token: str | None = None  # ID token of OpenID Connect
    provider_session: str | None = None  # its claim sid


def begin_session(
    store: Store, person: PersonRecord, origin: Origin, lifetime: Lifetime, *, now: datetime
) -> str:
    """Begin a session and return the value of its cookie, which is kept nowhere."""
    cookie = secrets.token_urlsafe(32)
    record = {
        "cookie_sha256": sha256_of(cookie),
        "started_at": now,
        "seen_at": now,
        "ends_at": now + lifetime.whole,
        "address": origin.address[:64],
        "provider_token": origin.provider_token,
        "provider_session": origin.provider_session,
    }
    entry = AuditEntry(
        at=now,
        actor=actor_of(person),
        sent_from=origin.address,
        action=AuditAction.SIGNED_IN,
        what=origin.what,
        subject=f"person {person.name}",
    )
    dead = {"now": now, "seen_since": now - lifetime.idle}
    add_session(store, person.person_id, record, dead=dead, entry=entry)
    return cookie


def recognise_session(
    store: Store, cookie: str, lifetime: Lifetime, *, now: datetime, is_use: bool = True
) -> Identity | None:
    """Return whose session a cookie is; None where it is over, or of nobody.

    Args:
        store: where.
        cookie: its value.
        lifetime: of sessions.
        now: the time.
        is_use: whether the session is used by that, so that it does not end for want of use.
    """
    found = find_session(store, sha256_of(cookie), now=now, idle=lifetime.idle, is_use=is_use)
    if found is None:
        return None
    session, person = found
    return identity_of(person, Means.SESSION, ends_at=session.ends_at)


def provider_token_of(store: Store, cookie: str, lifetime: Lifetime, *, now: datetime) -> str | None:
    """Return the ID token with which a session was begun; None where it was begun otherwise, or is over."""
    found = find_session(store, sha256_of(cookie), now=now, idle=lifetime.idle)
    return None if found is None else found[0].provider_token


def identity_of(person: PersonRecord, means: Means, *, ends_at: datetime | None = None) -> Identity:
    """Return a person with an account as who is recognised."""
    return Identity(
        actor=actor_of(person),
        means=means,
        roles=kept_roles(person.roles),
        sites=person.sites,
        subspecialties=person.subspecialties,
        person_id=person.person_id,
        ends_at=ends_at,
    )


def actor_of(person: PersonRecord) -> Actor:
    """Return a person as the history records it."""
    return Actor(identifier=f"person:{person.name}", kind=ActorKind.PERSON, display_name=person.display_name)


def stop_session(store: Store, cookie: str, *, by: Act | None) -> None:
    """End the session of a cookie; the cookie is worth nothing from now on.

    Args:
        store: where.
        cookie: its value.
        by: who signs out; None where another session takes its place.
    """
    entry = None
    if by is not None:
        entry = AuditEntry(
            at=by.at, actor=by.actor, sent_from=by.sent_from, action=AuditAction.SIGNED_OUT, what=by.what
        )
    end_session(store, sha256_of(cookie), entry=entry)


def living_sessions(store: Store, lifetime: Lifetime, *, now: datetime) -> tuple[SessionRecord, ...]:
    """Return every session that lives."""
    return list_sessions(store, now=now, idle=lifetime.idle)


def csrf_token_of(cookie: str) -> str:
    """Return what the forms of a session carry: only who may read its pages knows it."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"overread form", hashlib.sha256).hexdigest()


def sha256_of(secret: str) -> str:
    """Return what is kept of a cookie or token; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
