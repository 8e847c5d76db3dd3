"""Applications on real sockets, for clients that are not ours."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from overread.observation import ObserverIdentity
from service.application import make_app
from service.desk.pages import answer_refusal
from service.store.database import Store
from service.triage.looks import Looks
from service.web.access_log import AccessMiddleware
from service.web.context import ServerContext
from service.web.guard import Access, GuardMiddleware, access_for
from service.web.settings import WebSettings
from tests.service.material import NOW, readers

OpenContext = Callable[[], AbstractContextManager[ServerContext]]
MODEL = ObserverIdentity(name="tiny", version="7", sha256="c" * 64)
TOKEN = "a token that is long enough"


def opener(
    store: Store, *, access: Access | None = None, looks: Callable[[], Looks] | None = readers
) -> OpenContext:
    """Opens nothing anew: the test's own store, a fixed clock and a model that has been verified."""

    @contextlib.contextmanager
    def open_context() -> Iterator[ServerContext]:
        yield ServerContext(
            store=store,
            model=lambda: MODEL,
            looks=looks,
            clock=lambda: NOW,
            access=access or access_for("127.0.0.1", None),
        )

    return open_context


def guarded_app(store: Store, web: WebSettings | None = None) -> FastAPI:
    """Pages and API behind the guards of an installation on loopback, where this machine's user is known."""
    access = access_for("127.0.0.1", None)
    app = make_app(opener(store, access=access), list, web)
    app.add_middleware(GuardMiddleware, access=access, refuse=answer_refusal)
    app.add_middleware(AccessMiddleware)
    return app


@contextlib.contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The application on a free port of 127.0.0.1; gives its URL."""
    # By its number, as the service takes it over: asyncio gives no TCP_NODELAY to a socket that does not know
    # its protocol, and a short answer then waits 40 ms for the acknowledgement of its head.
    listener = socket.socket(fileno=socket.create_server(("127.0.0.1", 0)).detach())
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=2
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
