"""Server of inherited sockets with a bounded number of connections, for protocols other than HTTP."""

import socket
import socketserver
import sys
import threading
from typing import Any

import structlog

from service.metrics import IntakeProtocol, count_refused

_log = structlog.get_logger("overread.listener")


class BoundedServerMixin(socketserver.ThreadingMixIn):
    """Serves a socket that somebody else has bound, each connection in a thread, a bounded number of them.

    Stands before a server of `socketserver` among the bases. `prepare` must be called before its constructor.
    """

    daemon_threads = True
    block_on_close = False
    listener: socket.socket
    protocol: IntakeProtocol  # under which refused connections are counted

    def prepare(self, listener: socket.socket, *, connections_max: int) -> None:
        """Take the listening socket, and set how many connections there may be at once."""
        self.listener = listener
        self._free = threading.BoundedSemaphore(connections_max)

    def server_bind(self) -> None:
        """Take the socket that is bound already instead of the one that was just made."""
        unbound: socket.socket | None = getattr(self, "socket", None)
        if unbound is not None:
            unbound.close()
        vars(self).update(socket=self.listener, server_address=self.listener.getsockname())

    def server_activate(self) -> None:
        """Return: the socket listens already."""

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a new connection; a TLS handshake is left to its own thread, where it delays nobody."""
        return self.listener.accept()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection, and the sender is welcome."""
        del request
        if not self.is_welcome(client_address[0]):
            _log.warning("connection_refused", reason="not an allowed sender", address=client_address[0])
            count_refused(self.protocol, "SENDER_NOT_ALLOWED")
            return False
        if not self._free.acquire(blocking=False):
            _log.warning("connection_refused", reason="too many connections", address=client_address[0])
            count_refused(self.protocol, "TOO_MANY_CONNECTIONS")
            return False
        return True

    def is_welcome(self, address: str) -> bool:
        """Whether this address may connect."""
        del address
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that a connection broke, such as in the TLS handshake; without what was sent."""
        del request
        reason = type(sys.exception()).__name__
        _log.warning("connection_broken", address=client_address[0], reason=reason)
