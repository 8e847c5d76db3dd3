"""One HTTP process of `overread serve`: `python -m service.runtime.http_process {api,stow} DESCRIPTOR...`.

It serves on listening sockets that the supervisor holds and hands down. The BentoML service runs here in its
documented ASGI form, in one process without BentoML's own supervisor: that one is not needed beside ours, and
it would orphan its workers when killed.
"""

import json
import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from service.log import configure_logging
from service.runtime.http_protocol import bounded_protocol
from service.tracing import configure_tracing
from service.web.settings import WebSettings

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 3  # shorter than the supervisor waits before it kills


class JsonFormatter(logging.Formatter):
    """Lines of the libraries in the form of ours, without what may be of a patient.

    Of an exception the kind and places are given, not the text; of a message its first line as it stands in
    the library, without the values that were to be put in.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON line."""
        is_warning = record.name == "py.warnings"  # whose message is the text of the warning
        line: dict[str, object] = {
            "action": "library",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": "a warning" if is_warning else str(record.msg).partition("\n")[0],
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line["error"] = kind.__name__
            line["where"] = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-8:]]
        return json.dumps(line)


def serve(app: ASGIApp, listeners: list[socket.socket], *, connections_max: int) -> None:
    """Serve on all sockets until SIGTERM or SIGINT; requests in flight get a few seconds to end."""
    config = uvicorn.Config(
        app,
        http=bounded_protocol(connections_max),
        log_config=None,
        access_log=False,  # ours names routes by template; uvicorn's would name cases and studies
        server_header=False,
        proxy_headers=False,  # service.web.forwarded believes those that the settings name
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    uvicorn.Server(config).run(sockets=listeners)


def configure_process_logging() -> None:
    """From now on our own logs and the libraries' are JSON lines on standard error."""
    configure_logging()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _api() -> ASGIApp:
    from service.bento import Overread  # each process imports what it serves

    app: ASGIApp = cast(Any, Overread).to_asgi(is_main=True)
    return app


def _stow() -> ASGIApp:
    from service.dicomweb.stow import stow_app

    return stow_app(os.environ)


APPLICATIONS: dict[str, Callable[[], ASGIApp]] = {"api": _api, "stow": _stow}


def main(arguments: list[str]) -> None:
    """Serve the named application on the inherited descriptors."""
    name, *descriptors = arguments
    app = APPLICATIONS[name]()
    configure_process_logging()  # after the import: BentoML configures logging too
    configure_tracing(os.environ)
    listeners = [socket.socket(fileno=int(descriptor)) for descriptor in descriptors]
    serve(app, listeners, connections_max=WebSettings.read(os.environ).http_connections_max)


if __name__ == "__main__":
    main(sys.argv[1:])
