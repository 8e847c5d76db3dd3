"""Server of inherited sockets with a bounded number of connections, for protocols other than HTTP."""

import ipaddress
import socket
import socketserver
import sys
import threading
from collections import Counter
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

    def prepare(self, listener: socket.socket, *, connections_max: int, per_address_max: int) -> None:
        """Take the listening socket, and set how many connections there may be, and from one address."""
        self.listener = listener
        self._connections_max, self._per_address_max = connections_max, per_address_max
        self._open: Counter[str] = Counter()  # connections by peer
        self._counting = threading.Lock()

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
        reason = self._take_place(peer_of(client_address[0]))
        if reason is not None:
            _log.warning("connection_refused", reason=reason, address=client_address[0])
            count_refused(self.protocol, "TOO_MANY_CONNECTIONS")
        return reason is None

    def _take_place(self, peer: str) -> str | None:
        """Take a place for a connection of this peer; return why there is none, else None."""
        with self._counting:
            if self._open[peer] >= self._per_address_max:
                return "too many connections from this address"
            if self._open.total() >= self._connections_max:
                return "too many connections"
            self._open[peer] += 1
        return None

    def is_welcome(self, address: str) -> bool:
        """Whether this address may connect."""
        del address
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            peer = peer_of(client_address[0])
            with self._counting:
                self._open[peer] -= 1
                self._open += Counter()  # forgets the peers that have none

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that a connection broke, such as in the TLS handshake; without what was sent."""
        del request
        reason = type(sys.exception()).__name__
        _log.warning("connection_broken", address=client_address[0], reason=reason)


def peer_of(address: str) -> str:
    """Return whose place an address takes: its own, but of IPv6 that of its /64, which one host has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address) or found.is_link_local:
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((int(found), 64), strict=False))
