"""The people who may sign in."""

import json
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, inspect, select, update

from overread.actor import Actor
from overread.errors import ContradictionError, InputError, NotFoundError
from service.settings import Settings
from service.store import locks
from service.store.account_tables import people, sessions
from service.store.audit_entries import LOCAL, AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store, database_exists, open_engine, translated

_NAME_MAX = 200


class PersonSource(StrEnum):
    """Who confirms that a person is who it says it is."""

    LOCAL = "LOCAL"  # a password that is kept here
    OIDC = "OIDC"  # a provider of OpenID Connect
    PROXY = "PROXY"  # a reverse proxy that says so in a header


_ANY = select(people.c.person_id).limit(1)
_ANY_LOCAL = _ANY.where(people.c.source == PersonSource.LOCAL.value)
_BY_NAME = select(people).where(people.c.name == bindparam("wanted"))
_BY_SUBJECT = select(people).where(people.c.subject == bindparam("wanted"))
_BY_NUMBER = select(people).where(people.c.person_id == bindparam("wanted"))
_ALL = select(people).order_by(people.c.name)
_ADD = insert(people).returning(people)
_CHANGE = update(people).where(people.c.person_id == bindparam("changed"))
_USE_STEP = _CHANGE.where((people.c.totp_step.is_(None)) | (people.c.totp_step < bindparam("step"))).values(
    totp_step=bindparam("step")
)
_END_SESSIONS = delete(sessions).where(sessions.c.person_id == bindparam("changed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who changes accounts or tokens, and by what; the audit trail records it with the change."""

    actor: Actor
    at: datetime
    what: str  # route template or command
    sent_from: str = LOCAL  # address of the client

    def entry(self, subject: str, detail: str) -> AuditEntry:
        """Return what the audit trail is told."""
        return AuditEntry(
            at=self.at,
            actor=self.actor,
            sent_from=self.sent_from,
            action=AuditAction.CONFIGURED,
            what=self.what,
            subject=subject,
            detail=detail,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecord:
    """One person who may sign in, or could once."""

    person_id: int
    name: str  # to sign in with, folded
    display_name: str
    roles: tuple[str, ...]  # names of service.security.roles.Role
    source: PersonSource
    subject: str | None
    password_hash: str | None
    totp_secret: str | None
    created_at: datetime
    disabled_at: datetime | None
    sites: frozenset[str] | None  # whose cases are seen; None: of every site
    subspecialties: tuple[str, ...]  # whose second looks are listed first

    @property
    def is_active(self) -> bool:
        """Whether the account may be used."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A person to be added."""

    name: str
    display_name: str
    roles: tuple[str, ...]
    source: PersonSource = PersonSource.LOCAL
    subject: str | None = None
    password_hash: str | None = None
    sites: frozenset[str] | None = None


def folded(name: str) -> str:
    """Return a name so that two ways of typing it are one: NFKC, without case and outer space.

    Raises:
        InputError: it is empty, too long, or holds what cannot be seen.
    """
    name = unicodedata.normalize("NFKC", name).strip().casefold()
    if not name or len(name) > _NAME_MAX or not name.isprintable():
        raise InputError(f"a name has 1 to {_NAME_MAX} visible characters")
    return name


def has_people(store: Store) -> bool:
    """Whether anybody has an account, be it disabled."""
    with store.reading() as connection:
        return connection.execute(_ANY).first() is not None


def takes_passwords(store: Store) -> bool:
    """Whether anybody signs in by a password that is kept here."""
    with store.reading() as connection:
        return connection.execute(_ANY_LOCAL).first() is not None


def accounts_are_kept(settings: Settings) -> bool:
    """Whether anybody has an account in the database of an installation that is not opened; nothing is made.

    Raises:
        OutOfResourcesError: it cannot be reached.
    """
    if not database_exists(settings):
        return False
    engine = open_engine(settings.database_url)
    try:
        with translated(), engine.connect() as connection:
            return inspect(connection).has_table(people.name) and connection.execute(_ANY).first() is not None
    finally:
        engine.dispose()


def list_people(store: Store) -> tuple[PersonRecord, ...]:
    """Return everybody, by name."""
    with store.reading() as connection:
        return tuple(person_of(row) for row in connection.execute(_ALL))


def find_person(store: Store, name: str) -> PersonRecord | None:
    """Return the person of a name, however it is typed; None where there is none."""
    try:
        wanted = folded(name)
    except InputError:
        return None
    return _found(store, _BY_NAME, wanted)


def find_subject(store: Store, subject: str) -> PersonRecord | None:
    """Return the person whom a source knows under a subject; None where there is none."""
    return _found(store, _BY_SUBJECT, subject)


def load_person(store: Store, person_id: int) -> PersonRecord:
    """Return one person.

    Raises:
        NotFoundError: there is none of that number.
    """
    person = _found(store, _BY_NUMBER, person_id)
    if person is None:
        raise NotFoundError(f"there is no account number {person_id}")
    return person


def add_person(store: Store, new: NewPerson, *, by: Act) -> PersonRecord:
    """Add a person.

    Raises:
        ContradictionError: the name or the subject is somebody's.
        InputError: the name cannot be one.
    """
    name = folded(new.name)
    values = {
        "name": name,
        "display_name": new.display_name.strip()[:_NAME_MAX] or name,
        "roles": json.dumps(sorted(new.roles)),
        "source": new.source.value,
        "subject": new.subject,
        "password_hash": new.password_hash,
        "sites": kept_sites(new.sites),
        "created_at": by.at,
    }
    with store.writing(locks.people()) as connection:
        taken = connection.execute(_BY_NAME, {"wanted": name}).first()
        if taken is None and new.subject is not None:
            taken = connection.execute(_BY_SUBJECT, {"wanted": new.subject}).first()
        if taken is not None:
            raise ContradictionError(f"there is an account {taken.name} already")
        detail = f"added, {_words(new.roles)}{'' if new.sites is None else f', {site_words(new.sites)}'}"
        record_act(connection, by.entry(f"person {name}", detail))
        return person_of(connection.execute(_ADD, values).one())


def change_roles(store: Store, person_id: int, roles: tuple[str, ...], *, by: Act) -> None:
    """Give a person other roles; they count from the next request on."""
    values = {"roles": json.dumps(sorted(roles))}
    _change(store, person_id, values, by=by, detail=f"roles: {_words(roles)}")


def bind_person(
    store: Store, person_id: int, sites: Collection[str] | None, subspecialties: Collection[str], *, by: Act
) -> None:
    """Bind a person to sites and subspecialties; it counts from the next request on.

    Args:
        store: where.
        person_id: whom.
        sites: whose cases are seen, as `service.intake.sites.site_of` calls them; None: of every site.
        subspecialties: whose second looks are listed first; empty: nobody's in particular.
        by: who does it.
    """
    values = {"sites": kept_sites(sites), "subspecialties": json.dumps(sorted(subspecialties))}
    first = f", {', '.join(sorted(subspecialties))} first" if subspecialties else ""
    _change(store, person_id, values, by=by, detail=f"sees {site_words(sites)}{first}")


def change_password(store: Store, person_id: int, password_hash: str, *, by: Act) -> None:
    """Give a person another password; every session ends, wherever it is."""
    values = {"password_hash": password_hash}
    _change(store, person_id, values, by=by, detail="another password", ends_sessions=True)


def renew_hash(store: Store, person_id: int, password_hash: str) -> None:
    """Keep the hash of the same password anew, after its parameters were raised."""
    with store.writing() as connection:
        connection.execute(_CHANGE, {"changed": person_id, "password_hash": password_hash})


def change_second_factor(store: Store, person_id: int, totp_secret: str | None, *, by: Act) -> None:
    """Give a person another second factor, or none; every session ends."""
    values = {"totp_secret": totp_secret, "totp_step": None}
    detail = "no second factor" if totp_secret is None else "another second factor"
    _change(store, person_id, values, by=by, detail=detail, ends_sessions=True)


def use_step(store: Store, person_id: int, step: int) -> bool:
    """Whether a time step of the second factor had not been used; from now on it has."""
    with store.writing() as connection:
        return connection.execute(_USE_STEP, {"changed": person_id, "step": step}).rowcount == 1


def disable_person(store: Store, person_id: int, *, by: Act) -> None:
    """Close an account and end its sessions."""
    _change(store, person_id, {"disabled_at": by.at}, by=by, detail="disabled", ends_sessions=True)


def enable_person(store: Store, person_id: int, *, by: Act) -> None:
    """Open an account again."""
    _change(store, person_id, {"disabled_at": None}, by=by, detail="enabled")


def end_sessions_of(store: Store, person_id: int, *, by: Act) -> None:
    """End every session of a person."""
    _change(store, person_id, {}, by=by, detail="every session ended", ends_sessions=True)


def person_of(row: Row[Any]) -> PersonRecord:
    """Return the person of a row."""
    return PersonRecord(
        person_id=row.person_id,
        name=row.name,
        display_name=row.display_name,
        roles=tuple(json.loads(row.roles)),
        source=PersonSource(row.source),
        subject=row.subject,
        password_hash=row.password_hash,
        totp_secret=row.totp_secret,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        sites=sites_of(row.sites),
        subspecialties=tuple(json.loads(row.subspecialties)),
    )


def kept_sites(sites: Collection[str] | None) -> str | None:
    """Return sites as a row keeps them; None: every site."""
    return None if sites is None else json.dumps(sorted(sites))


def sites_of(kept: str | None) -> frozenset[str] | None:
    """Return the sites that a row keeps; None: every site."""
    return None if kept is None else frozenset(json.loads(kept))


def site_words(sites: Collection[str] | None) -> str:
    """Return whose cases are seen, in words."""
    if sites is None:
        return "cases of every site"
    return f"cases of {', '.join(sorted(sites))}" if sites else "no case"


def _words(roles: tuple[str, ...]) -> str:
    return ", ".join(sorted(roles)) or "no role"


def _found(store: Store, query: Any, wanted: object) -> PersonRecord | None:
    with store.reading() as connection:
        row = connection.execute(query, {"wanted": wanted}).one_or_none()
    return None if row is None else person_of(row)


def _change(
    store: Store,
    person_id: int,
    values: dict[str, Any],
    *,
    by: Act,
    detail: str,
    ends_sessions: bool = False,
) -> None:
    with store.writing(locks.people()) as connection:
        person = connection.execute(_BY_NUMBER, {"wanted": person_id}).one_or_none()
        if person is None:
            raise NotFoundError(f"there is no account number {person_id}")
        if values:
            connection.execute(_CHANGE, {"changed": person_id, **values})
        record_act(connection, by.entry(f"person {person.name}", detail))
        if ends_sessions:
            connection.execute(_END_SESSIONS, {"changed": person_id})
