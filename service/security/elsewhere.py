"""People whose identity somebody else confirms: a provider of OpenID Connect, or a reverse proxy."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from overread.actor import Actor
from overread.errors import ContradictionError, InputError
from service.intake.sites import sites_named
from service.security.identity import Identity, Means
from service.security.provider import Confirmed
from service.security.roles import Role
from service.security.sessions import identity_of
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.people import (
    Act,
    NewPerson,
    PersonRecord,
    PersonSource,
    add_person,
    bind_person,
    change_roles,
    find_person,
    find_subject,
    load_person,
)

EVERY_SITE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a reverse proxy says of whoever sends a request."""

    user: str
    groups: frozenset[str] | None  # None: it says nothing of groups, and the account's roles count


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the groups of somebody give."""

    roles: tuple[str, ...]
    sites: frozenset[str] | None  # whose cases are seen; None: of every site
    binds: bool  # whether groups say so at all

    @classmethod
    def of(cls, groups: Collection[str], security: SecuritySettings) -> Self:
        """Return what groups give by the settings."""
        binds = bool(security.group_sites)
        return cls(
            roles=roles_of(groups, security.group_roles),
            sites=sites_of(groups, security.group_sites) if binds else None,
            binds=binds,
        )


def roles_of(groups: Collection[str], group_roles: Mapping[str, Role]) -> tuple[str, ...]:
    """Return the roles that groups give."""
    return tuple(sorted({group_roles[group].value for group in groups if group in group_roles}))


def sites_of(groups: Collection[str], group_sites: Mapping[str, str]) -> frozenset[str] | None:
    """Return the sites to which groups bind; None: every site."""
    named = {group_sites[group] for group in groups if group in group_sites}
    return None if EVERY_SITE in named else sites_named(named)


def person_confirmed(
    store: Store, who: Confirmed, security: SecuritySettings, *, now: datetime
) -> PersonRecord:
    """Return the account of somebody who signed in at the provider, with what the groups give.

    The account is found by issuer and subject, never by a name, which somebody else may have here.

    Raises:
        InputError: the account is disabled, or no group gives a role.
    """
    subject = f"{who.issuer} {who.subject}"
    person = find_subject(store, subject)
    given = Given.of(who.groups, security)
    if person is not None and not person.is_active:
        raise InputError("your account is disabled here; ask an administrator")
    if not given.roles:
        raise InputError("none of your groups gives you a role here; ask an administrator")
    if person is None:
        return _added(store, who, subject, given, now=now)
    return _with(store, person, given, now=now)


def person_named(store: Store, named: Named, security: SecuritySettings, *, now: datetime) -> Identity | None:
    """Return whom a reverse proxy names; None where the account is disabled, unknown or without a role."""
    try:
        person = find_person(store, named.user)
        given = None if named.groups is None else Given.of(named.groups, security)
        if person is None and given is not None and given.roles:
            new = NewPerson(
                name=named.user,
                display_name=named.user,
                roles=given.roles,
                source=PersonSource.PROXY,
                sites=given.sites,
            )
            person = add_person(store, new, by=_act(new, now))
    except ContradictionError:  # another request of the same person was first
        person = find_person(store, named.user)
    except InputError:
        return None
    if person is None or not person.is_active:
        return None
    if given is not None:
        person = _with(store, person, given, now=now)
    return identity_of(person, Means.PROXY) if person.roles else None


def _added(store: Store, who: Confirmed, subject: str, given: Given, *, now: datetime) -> PersonRecord:
    for name in (who.name, f"{who.name} ({who.subject})"):
        new = NewPerson(
            name=name,
            display_name=who.display_name,
            roles=given.roles,
            source=PersonSource.OIDC,
            subject=subject,
            sites=given.sites,
        )
        try:
            return add_person(store, new, by=_act(new, now))
        except ContradictionError:
            if (person := find_subject(store, subject)) is not None:  # another browser was first
                return _with(store, person, given, now=now)
    raise InputError("there is another account of your name here; ask an administrator")


def _with(store: Store, person: PersonRecord, given: Given, *, now: datetime) -> PersonRecord:
    by = _act(person, now)
    if person.roles != given.roles:
        change_roles(store, person.person_id, given.roles, by=by)
    if given.binds and person.sites != given.sites:
        bind_person(store, person.person_id, given.sites, person.subspecialties, by=by)
    return load_person(store, person.person_id)


def _act(person: NewPerson | PersonRecord, now: datetime) -> Act:
    """Return that the groups of somebody made or changed an account."""
    actor = Actor.program("provider" if person.source is PersonSource.OIDC else "proxy")
    return Act(actor=actor, at=now, what="groups of the account")
