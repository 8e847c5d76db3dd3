"""Who sends a request, how far that is known, and the request as what it is allowed to be."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from overread.actor import Actor
from service.security.roles import Role, Scope


class Means(StrEnum):
    """How somebody was recognised."""

    LOCAL = "LOCAL"  # nobody has an account, and the request comes from this machine: its own user
    SESSION = "SESSION"  # the cookie of somebody who has signed in
    TOKEN = "TOKEN"  # noqa: S105  # a program's
    PROXY = "PROXY"  # a header of a reverse proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person or program that was recognised."""

    actor: Actor
    means: Means
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[Scope] = frozenset()
    sites: frozenset[str] | None = None  # whose cases are seen; None: of every site
    subspecialties: tuple[str, ...] = ()  # whose second looks are listed first
    person_id: int | None = None  # of the account; None where there is none
    ends_at: datetime | None = None  # of the session; None where there is none

    @property
    def is_confirmed(self) -> bool:
        """Whether a name was confirmed, so that nobody need type it."""
        return self.means is not Means.LOCAL

    @property
    def role_words(self) -> str:
        """Return the roles as a person is shown them."""
        return ", ".join(role.words for role in Role if role in self.roles)

    def actor_named(self, name: str, *, sent_from: str | None = None) -> Actor:
        """Return who acts: who was recognised, else the person whose name was typed.

        Raises:
            InputError: nobody has an account, and no name was typed.
        """
        if self.means is Means.LOCAL:
            return Actor.unverified(name, sent_from=sent_from)
        return self.actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request that was let in: who does what. Everything that records access begins here."""

    template: str  # of the route, such as "/cases/{case_id}"
    method: str
    identity: Identity | None  # None: the route is public, and nobody was asked
    csrf_token: str = ""  # that the forms of the answer have to carry; empty where none is asked for

    @property
    def is_to_carry_token(self) -> bool:
        """Whether the request has to show that a page of ours made it: a browser sends cookies to anybody."""
        return bool(self.csrf_token) and self.method not in {"GET", "HEAD", "OPTIONS"}


VISIT_KEY = "overread.visit"
"""Where a request's scope holds its `Visit`."""
