"""Roles of people, scopes of programs, and what a route asks of either."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from overread.errors import InputError


class Role(StrEnum):
    """What a person may do. A person may have several roles."""

    SECOND_READER = "SECOND_READER"
    COORDINATOR = "COORDINATOR"
    QUALITY = "QUALITY"
    ADMINISTRATOR = "ADMINISTRATOR"
    FIRST_READER = (
        "FIRST_READER"  # is told what second reads say of reports of one's own, and sees nothing else
    )

    @property
    def words(self) -> str:
        """Return the role as a person is shown it."""
        return self.value.replace("_", " ").lower()


class Scope(StrEnum):
    """What a program may do. A token has the scopes that it was made with."""

    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    REPORTS_WRITE = "reports:write"
    IMAGES_READ = "images:read"
    IMAGES_WRITE = "images:write"
    QUARANTINE = "quarantine"
    TRIAGE = "triage"
    MONITORING = "monitoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What whoever calls a route must have: one of the roles, or one of the scopes."""

    roles: frozenset[Role] = frozenset()
    scopes: frozenset[Scope] = frozenset()
    is_public: bool = False  # nobody is asked who it is

    def is_met(self, roles: Collection[Role], scopes: Collection[Scope]) -> bool:
        """Whether somebody with these may call it."""
        return self.is_public or not self.roles.isdisjoint(roles) or not self.scopes.isdisjoint(scopes)


def roles_named(names: Collection[str]) -> frozenset[Role]:
    """Return the roles of these names, however they are written.

    Raises:
        InputError: one is none; the message lists them.
    """
    found = set()
    for name in names:
        try:
            found.add(Role(name.strip().upper().replace("-", "_").replace(" ", "_")))
        except ValueError:
            known = ", ".join(role.value.lower() for role in Role)
            raise InputError(f"{name!r} is no role; there are {known}") from None
    return frozenset(found)


def scopes_named(names: Collection[str]) -> frozenset[Scope]:
    """Return the scopes of these names.

    Raises:
        InputError: one is none; the message lists them.
    """
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError:
        known = ", ".join(Scope)
        raise InputError(f"one of {', '.join(names)} is no scope; there are {known}") from None


def kept_roles(names: Collection[str]) -> frozenset[Role]:
    """Return the roles of a stored account; what this release does not know allows nothing."""
    return frozenset(Role(name) for name in names if name in set(Role))


def kept_scopes(names: Collection[str]) -> frozenset[Scope]:
    """Return the scopes of a stored token; what this release does not know allows nothing."""
    return frozenset(Scope(name) for name in names if name in set(Scope))
