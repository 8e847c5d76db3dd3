"""Context of the handlers of one process: opened when the process starts, handed to each request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from overread.observation import ObserverIdentity
from service.adjudication.quality import QualityRoom
from service.adjudication.settings import SecondReadSettings
from service.hl7.settings import Hl7Settings
from service.security.identity import VISIT_KEY, Identity, Visit
from service.security.provider import Provider
from service.store.audit_entries import LOCAL
from service.store.database import Store
from service.store.people import Act
from service.triage.looks import Looks
from service.web.guard import Access

UID_PATTERN = r"^[0-9.]{1,64}$"
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """The parts of one HTTP process."""

    store: Store
    model: Callable[[], ObserverIdentity] | None  # the verified release; None where none is needed
    looks: Callable[[], Looks] | None = None  # triage a study in a request; None where nobody asks
    clock: Clock
    access: Access
    provider: Provider | None = None  # of identities, by OpenID Connect
    second_read: SecondReadSettings = field(default_factory=SecondReadSettings)  # who may claim what
    hl7: Hl7Settings = field(default_factory=Hl7Settings)  # for messages out of quarantine
    quality: QualityRoom = field(default_factory=QualityRoom)  # keeps what was judged
    certificates: Mapping[str, Path] = field(default_factory=dict)  # of our listeners, by their name


async def _context_of(request: Request) -> ServerContext:
    """Return the context of a request, with the store as whoever asks may see it."""
    context: ServerContext = request.app.state.context  # in the loop: a plain function would take a thread
    visit: Visit | None = request.scope.get(VISIT_KEY)
    if visit is None or visit.identity is None or visit.identity.sites is None:
        return context
    return replace(context, store=context.store.seen_from(visit.identity.sites))


Context = Annotated[ServerContext, Depends(_context_of)]


def _identity_of(request: Request) -> Identity:
    """Return who was recognised by the guard.

    Raises:
        HTTPException: 401, there is no guard before this application, or the route is public.
    """
    visit: Visit | None = request.scope.get(VISIT_KEY)
    if visit is None or visit.identity is None:
        raise HTTPException(401, "nobody was recognised")
    return visit.identity


def recognised_or_none(request: Request) -> Identity | None:
    """Return who was recognised by the guard; None where no guard stands before this application."""
    visit: Visit | None = request.scope.get(VISIT_KEY)
    return None if visit is None else visit.identity


Recognised = Annotated[Identity, Depends(_identity_of)]


def act_of(request: Request, context: ServerContext) -> Act:
    """Return what the audit trail is told of a request that changes accounts or sessions.

    Raises:
        HTTPException: 401, nobody was recognised.
    """
    visit: Visit = request.scope[VISIT_KEY]
    return Act(
        actor=_identity_of(request).actor,
        at=context.clock(),
        what=f"{visit.method} {visit.template}",
        sent_from=request.client.host if request.client else LOCAL,
    )


def sender(request: Request, protocol: str) -> str:
    """Return who sent a request, for the history of what it brought."""
    return f"{protocol} {request.client.host if request.client else 'local'}"
