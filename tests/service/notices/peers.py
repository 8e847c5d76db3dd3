"""Who is told in the tests: a receiver of webhooks and a mail server, each on a free port of this machine."""

import os
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from service.notices.settings import NoticeSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGE = "https://overread.example.org"
KILL = -1  # in the script of a receiver: the sender dies before it is answered


@dataclass(frozen=True, kw_only=True)
class Call:
    """One message as a receiver was sent it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """A receiver of webhooks that answers with the statuses of a script, then with 204."""

    def __init__(self, *statuses: int, context: ssl.SSLContext | None = None) -> None:
        self.statuses = list(statuses)
        self.calls: list[Call] = []
        self.sender: int | None = None  # process that is killed where the script says so
        self._context = context

    @contextmanager
    def listening(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server names it so
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.calls.append(Call(path=self.path, headers=headers, body=body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == KILL:
                    assert receiver.sender is not None
                    os.kill(receiver.sender, signal.SIGKILL)
                    return
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self._context is not None:
            server.socket = self._context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            scheme = "http" if self._context is None else "https"
            yield f"{scheme}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Listener(Controller):
    """A mail server on a free port."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


class MailHost:
    """A mail server that answers each message with the words of a script, then takes it."""

    def __init__(self, *answers: str, password: str = "", **options: Any) -> None:
        self.answers = list(answers)
        self.messages: list[Envelope] = []
        self.secured: list[bool] = []
        self.people: list[str] = []
        self._password = password
        self._options = options

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.messages.append(envelope)
            self.secured.append(session.ssl is not None)
        return answer

    def _let_in(self, _server: SMTP, _session: Any, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.people.append(given.login.decode())
        return AuthResult(success=given.password.decode() == self._password, handled=False)

    @contextmanager
    def listening(self) -> Iterator[int]:
        options = dict(self._options)
        if self._password:
            options |= {"authenticator": self._let_in, "auth_required": True}
        listener = _Listener(self, hostname="127.0.0.1", port=0, **options)
        listener.start()
        try:
            yield listener.port
        finally:
            listener.stop()


def server_context(folder: Path) -> ssl.SSLContext:
    """The context of a server that shows the certificate of the tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def hooked(url: str, **changes: Any) -> NoticeSettings:
    """Settings with one webhook, `pager`."""
    given: dict[str, Any] = {
        "destinations": {"pager": url},
        "webhook_secrets": {"pager": SECRET},
        "page_url": PAGE,
        "untaken_minutes": 0,
        "rules": ("waiting:*:pager",),
    }
    return NoticeSettings(**(given | changes))


def mailed(port: int, **changes: Any) -> NoticeSettings:
    """Settings with one person, `chief`, who is told by e-mail."""
    given: dict[str, Any] = {
        "destinations": {"chief": "mailto:chief@hospital.example"},
        "page_url": PAGE,
        "mail_server": f"localhost:{port}",
        "mail_sender": "overread@hospital.example",
        "untaken_minutes": 0,
        "rules": ("waiting:*:chief",),
    }
    return NoticeSettings(**(given | changes))
