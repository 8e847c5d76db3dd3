"""Recognises whoever sends a request, by what it shows."""

import getpass
import hmac
import os
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from overread.actor import Actor
from overread.errors import ConfigurationError
from service.security.elsewhere import Named, person_named
from service.security.identity import Identity, Means
from service.security.roles import Role, Scope
from service.security.sessions import Lifetime, recognise_session
from service.security.settings import SecuritySettings
from service.security.tokens import recognise_token
from service.store.database import Store
from service.store.people import has_people

EVERY_ROLE = frozenset(Role)
EVERY_SCOPE = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows of whoever sends it."""

    bearer: str | None = None  # of the header Authorization; None where there is no such header
    cookie: str | None = None  # of a session
    named: Named | None = None  # by a reverse proxy that is known
    is_from_this_machine: bool = False
    is_use: bool = True  # of a session; False where an open page asks by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How people and programs are recognised at one listening address."""

    api_token: str | None = None
    security: SecuritySettings = field(default_factory=SecuritySettings)
    is_reached_by_others: bool = False  # other machines can reach the address

    @property
    def may_be_open(self) -> bool:
        """Whether the user of this machine is let in without a sign-in while nobody has an account."""
        return not (self.api_token or self.is_meant_for_others or self.takes_people_from_elsewhere)

    @property
    def is_meant_for_others(self) -> bool:
        """Whether other machines reach the address, or a proxy on this one that hides who asks."""
        return bool(self.is_reached_by_others or self.security.host_names or self.security.proxies)

    @property
    def takes_people_from_elsewhere(self) -> bool:
        """Whether somebody else confirms who people are: a reverse proxy or a provider."""
        return bool(self.security.proxy_user_header or self.security.oidc_issuer)

    @property
    def lifetime(self) -> Lifetime:
        """How long a session lives."""
        return Lifetime.of(self.security)

    def require_a_way_in(self, *, has_accounts: bool) -> None:
        """Return if somebody who is known can come in, or only this machine can reach the address.

        Raises:
            ConfigurationError: other machines can reach it, and nobody could be told from anybody.
        """
        is_known = has_accounts or self.api_token is not None or self.takes_people_from_elsewhere
        if self.is_meant_for_others and not is_known:
            raise ConfigurationError(
                "other machines are meant to reach this and nobody has an account: make the first with "
                "`overread users add NAME --role administrator`; or let a provider of OpenID Connect "
                "confirm who people are (OVERREAD_OIDC_ISSUER); or, for programs alone, set "
                "OVERREAD_API_TOKEN to a secret (for instance from `openssl rand -hex 24`); or bind to "
                "127.0.0.1 and set neither OVERREAD_HOST_NAMES nor OVERREAD_PROXIES"
            )


def identify(store: Store, entrance: Entrance, shown: Shown, *, now: datetime) -> Identity | None:
    """Return who sends a request; None where it shows nothing that counts.

    Raises:
        OutOfResourcesError: the database cannot be asked.
    """
    if shown.bearer is not None:
        return _of_installation(entrance, shown.bearer) or recognise_token(store, shown.bearer, now=now)
    if shown.named is not None:
        return person_named(store, shown.named, entrance.security, now=now)
    if shown.cookie:
        found = recognise_session(store, shown.cookie, entrance.lifetime, now=now, is_use=shown.is_use)
        if found is not None:
            return found
    if entrance.may_be_open and shown.is_from_this_machine and not has_people(store):
        return local_identity()
    return None


@cache
def local_identity() -> Identity:
    """Return the user of this machine under whose account the service runs."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        login = f"user {os.getuid()}"
    return Identity(actor=Actor.account(login), means=Means.LOCAL, roles=EVERY_ROLE, scopes=EVERY_SCOPE)


def _of_installation(entrance: Entrance, token: str) -> Identity | None:
    if entrance.api_token is not None and hmac.compare_digest(token.encode(), entrance.api_token.encode()):
        return Identity(
            actor=Actor.program("token OVERREAD_API_TOKEN"), means=Means.TOKEN, scopes=EVERY_SCOPE
        )
    return None
