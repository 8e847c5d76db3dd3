"""Server of inherited sockets with a bounded number of connections, for protocols other than HTTP."""

import ipaddress
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import structlog

from service.metrics import IntakeProtocol, count_refused

_log = structlog.get_logger("overread.listener")


Clock = Callable[[], float]


class Place:
    """Place of one connection: whose it is, since when it is silent, and whether a whole message has come.

    Whoever reads the connection says what it hears, in any thread.
    """

    def __init__(self, peer: str, connection: socket.socket, clock: Clock) -> None:
        self.peer = peer
        self.is_mute = True  # no whole message has come yet
        self.is_open = True  # it has not made room for another
        self.heard_at = clock()
        self._clock = clock
        self._connection = connection.dup()  # TLS takes the socket over; this one stays ours

    def heard(self) -> None:
        """Note that something has come."""
        self.heard_at = self._clock()

    def spoke(self) -> None:
        """Note that a whole message has come: this connection is not closed to make room."""
        self.is_mute = False

    def hang_up(self) -> None:
        """End the connection; its thread reads that nothing more comes."""
        self.is_open = False
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()


class BoundedServerMixin(socketserver.ThreadingMixIn):
    """Serves a socket that somebody else has bound, each connection in a thread, a bounded number of them.

    Where every place is taken, the connection that has been silent for the longest and has never sent a whole
    message makes room for a new one. Stands before a server of `socketserver` among the bases. `prepare` must
    be called before its constructor.
    """

    daemon_threads = True
    block_on_close = False
    patience_seconds: ClassVar[float] = 1.0  # of silence, before which no connection is closed to make room
    listener: socket.socket
    protocol: IntakeProtocol  # under which refused connections are counted

    def prepare(
        self,
        listener: socket.socket,
        *,
        connections_max: int,
        per_address_max: int,
        spare: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Take the listening socket, and set how many connections there may be.

        Args:
            listener: the socket.
            connections_max: at once; beyond it a silent one has to make room.
            per_address_max: at once from one address; beyond it a silent one from there has to make room.
            spare: further ones where nobody can make room, for a protocol that tells them so itself.
            clock: seconds of a steady clock.
        """
        self.listener = listener
        self._connections_max, self._per_address_max = connections_max, per_address_max
        self._spare, self._place_clock = spare, clock
        self._places: dict[Any, Place] = {}  # by address and port of the peer
        self._placing = threading.Lock()
        self._served = threading.local()  # `place`: of the connection that a thread serves

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
        if not self.is_welcome(client_address[0]):
            _log.warning("connection_refused", reason="not an allowed sender", address=client_address[0])
            count_refused(self.protocol, "SENDER_NOT_ALLOWED")
            return False
        reason = self._take_place(request, client_address)
        if reason is not None:
            _log.warning("connection_refused", reason=reason, address=client_address[0])
            count_refused(self.protocol, "TOO_MANY_CONNECTIONS")
        return reason is None

    @property
    def place(self) -> Place:
        """Place of the connection that this thread serves; its handler tells it what it hears."""
        place: Place = self._served.place
        return place

    def _take_place(self, request: socket.socket, client_address: Any) -> str | None:
        """Take a place for a connection; return why there is none, else None."""
        peer = peer_of(client_address[0])
        with self._placing:
            reason = self._make_room(peer)
            if reason is None:
                self._places[client_address] = Place(peer, request, self._place_clock)
        return reason

    def _make_room(self, peer: str) -> str | None:
        """Close a silent connection where a new one of this peer needs its place; return why none is free."""
        of_peer = [address for address, place in self._places.items() if place.peer == peer]
        if len(of_peer) >= self._per_address_max and not self._close_silent(of_peer):
            return "too many connections from this address"
        count = len(self._places)
        if count < self._connections_max or self._close_silent(list(self._places)):
            return None
        return "too many connections" if count >= self._connections_max + self._spare else None

    def _close_silent(self, addresses: list[Any]) -> bool:
        """Close the one of these that was silent for the longest and never sent a whole message, if any."""
        mute = [address for address in addresses if self._places[address].is_mute]
        silent = min(mute, key=lambda address: self._places[address].heard_at, default=None)
        if silent is None:
            return False
        place = self._places[silent]
        if self._place_clock() - place.heard_at < self.patience_seconds:
            return False
        del self._places[silent]
        place.hang_up()
        place.close()
        _log.warning("connection_closed", reason="silent, to make room", address=silent[0])
        count_refused(self.protocol, "SILENT")
        return True

    def is_welcome(self, address: str) -> bool:
        """Whether this address may connect."""
        del address
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and make room for the next."""
        with self._placing:
            place = self._served.place = self._places.get(client_address)
        if place is None:  # it has made room already
            request.close()
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._placing:
                if self._places.get(client_address) is place:  # it may have made room
                    del self._places[client_address]
                    place.close()

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
