"""Context of the handlers of one process: opened when the process starts, handed to each request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from overread.observation import ObserverIdentity
from service.hl7.settings import Hl7Settings
from service.store.database import Store
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
    hl7: Hl7Settings = field(default_factory=Hl7Settings)  # for messages out of quarantine


async def _context_of(request: Request) -> ServerContext:
    context: ServerContext = request.app.state.context  # in the loop: a plain function would take a thread
    return context


Context = Annotated[ServerContext, Depends(_context_of)]


def sender(request: Request, protocol: str) -> str:
    """Return who sent a request, for the history of what it brought."""
    return f"{protocol} {request.client.host if request.client else 'local'}"
