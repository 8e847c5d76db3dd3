"""People whose identity somebody else confirms: a provider of OpenID Connect, or a reverse proxy."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.actor import Actor
from overread.errors import ContradictionError, InputError
from service.security.identity import Identity, Means
from service.security.provider import Confirmed
from service.security.roles import Role
from service.security.sessions import identity_of
from service.store.database import Store
from service.store.people import (
    Act,
    NewPerson,
    PersonRecord,
    PersonSource,
    add_person,
    change_roles,
    find_person,
    find_subject,
    load_person,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a reverse proxy says of whoever sends a request."""

    user: str
    groups: frozenset[str] | None  # None: it says nothing of groups, and the account's roles count


def roles_of(groups: Collection[str], group_roles: Mapping[str, Role]) -> tuple[str, ...]:
    """Return the roles that groups give."""
    return tuple(sorted({group_roles[group].value for group in groups if group in group_roles}))


def person_confirmed(
    store: Store, who: Confirmed, group_roles: Mapping[str, Role], *, now: datetime
) -> PersonRecord:
    """Return the account of somebody who signed in at the provider, with the roles that the groups give.

    The account is found by issuer and subject, never by a name, which somebody else may have here.

    Raises:
        InputError: the account is disabled, or no group gives a role.
    """
    subject = f"{who.issuer} {who.subject}"
    person = find_subject(store, subject)
    roles = roles_of(who.groups, group_roles)
    if person is not None and not person.is_active:
        raise InputError("your account is disabled here; ask an administrator")
    if not roles:
        raise InputError("none of your groups gives you a role here; ask an administrator")
    if person is None:
        return _added(store, who, subject, roles, now=now)
    return _with_roles(store, person, roles, now=now)


def person_named(
    store: Store, named: Named, group_roles: Mapping[str, Role], *, now: datetime
) -> Identity | None:
    """Return whom a reverse proxy names; None where the account is disabled, unknown or without a role."""
    try:
        person = find_person(store, named.user)
        roles = None if named.groups is None else roles_of(named.groups, group_roles)
        if person is None and roles:
            new = NewPerson(name=named.user, display_name=named.user, roles=roles, source=PersonSource.PROXY)
            person = add_person(store, new, by=_act(new, now))
    except ContradictionError:  # another request of the same person was first
        person = find_person(store, named.user)
    except InputError:
        return None
    if person is None or not person.is_active:
        return None
    if roles is not None:
        person = _with_roles(store, person, roles, now=now)
    return identity_of(person, Means.PROXY) if person.roles else None


def _added(
    store: Store, who: Confirmed, subject: str, roles: tuple[str, ...], *, now: datetime
) -> PersonRecord:
    for name in (who.name, f"{who.name} ({who.subject})"):
        new = NewPerson(
            name=name,
            display_name=who.display_name,
            roles=roles,
            source=PersonSource.OIDC,
            subject=subject,
        )
        try:
            return add_person(store, new, by=_act(new, now))
        except ContradictionError:
            if (person := find_subject(store, subject)) is not None:  # another browser was first
                return _with_roles(store, person, roles, now=now)
    raise InputError("there is another account of your name here; ask an administrator")


def _with_roles(store: Store, person: PersonRecord, roles: tuple[str, ...], *, now: datetime) -> PersonRecord:
    if person.roles == roles:
        return person
    change_roles(store, person.person_id, roles, by=_act(person, now))
    return load_person(store, person.person_id)


def _act(person: NewPerson | PersonRecord, now: datetime) -> Act:
    """Return that the groups of somebody made or changed an account."""
    actor = Actor.program("provider" if person.source is PersonSource.OIDC else "proxy")
    return Act(actor=actor, at=now, what="groups of the account")
