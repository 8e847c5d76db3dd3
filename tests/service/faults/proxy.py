"""Stands between senders and an installation and spoils connections: cuts them, or makes them crawl."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

_PIECE = 65536
_DRIP = 16  # bytes at a time of a connection that crawls
_DRIP_SECONDS = 0.5
_SHORTEST, _LONGEST = 1.0, 20.0  # log2 of the bytes after which a connection is cut


@dataclass(kw_only=True)
class SpoilingProxy:
    """Passes connections on to one place after the other, and spoils some of them."""

    targets: tuple[tuple[str, int], ...]  # addresses and ports
    cut_share: float  # of the connections: cut after a random number of bytes from the sender
    crawl_share: (
        float  # of the connections: they send a few bytes and then hardly any, until somebody hangs up
    )
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    listener: socket.socket = field(init=False)
    turns: "Iterator[tuple[str, int]]" = field(init=False)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.turns = cycle(self.targets)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where to connect to."""
        port: int = self.listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sender, _ = self.listener.accept()
            except OSError:
                return
            draw, limit = self.chance.random(), int(2 ** self.chance.uniform(_SHORTEST, _LONGEST))
            if draw < self.cut_share:
                self.counts["cut"] += 1
                way = (limit, False)
            elif draw < self.cut_share + self.crawl_share:
                self.counts["made to crawl"] += 1
                way = (limit, True)
            else:
                self.counts["passed on"] += 1
                way = (None, False)
            passed = (sender, next(self.turns), *way)
            threading.Thread(target=self._pass_on, args=passed, daemon=True).start()

    def _pass_on(
        self, sender: socket.socket, target: tuple[str, int], limit: int | None, crawl: bool
    ) -> None:
        with sender:
            try:
                receiver = socket.create_connection(target, 10.0)
            except OSError:
                return
            with receiver:
                receiver.settimeout(None)
                back = threading.Thread(target=_pump, args=(receiver, sender), daemon=True)
                back.start()
                passed = _pump(sender, receiver, limit=limit)
                if limit is not None and passed >= limit and crawl:
                    _drip(sender, receiver, until_closed=back)


def _pump(source: socket.socket, sink: socket.socket, *, limit: int | None = None) -> int:
    """Pass bytes on until either end hangs up, or so many have passed; return how many did."""
    passed = 0
    with suppress(OSError):
        while limit is None or passed < limit:
            piece = source.recv(_PIECE if limit is None else min(_PIECE, limit - passed))
            if not piece:
                break
            sink.sendall(piece)
            passed += len(piece)
    if limit is None or passed < limit:
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
    return passed


def _drip(sender: socket.socket, receiver: socket.socket, *, until_closed: threading.Thread) -> None:
    """Pass on a few bytes now and then until the receiver hangs up."""
    with suppress(OSError):
        while until_closed.is_alive():
            piece = sender.recv(_DRIP)
            if not piece:
                return
            receiver.sendall(piece)
            time.sleep(_DRIP_SECONDS)
