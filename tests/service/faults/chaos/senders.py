"""The senders' side: parcels are sent until each is acknowledged, as hospitals do."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from benchmarks.sending import Parcel, Ports, Sender
from tests.service.faults.chaos.ledger import Ledger
from tests.service.faults.chaos.load import Consignment

SENDERS = 8
BEHIND_MAX = 150  # parcels that wait; with more of them nothing new is sent
AGAIN_SECONDS = 0.5


@dataclass(kw_only=True)
class Post:
    """Senders, each a thread with connections of its own, and what they have still to send."""

    ports: Ports
    ledger: Ledger
    token: str = ""  # of the senders, where the installation asks for one
    over: threading.Event = field(default_factory=threading.Event)
    waiting: "SimpleQueue[Parcel]" = field(default_factory=SimpleQueue)
    repeated: Counter[str] = field(default_factory=Counter)  # why something was sent again
    senders: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Let the senders begin."""
        self.senders = [threading.Thread(target=self.send_all, daemon=True) for _ in range(SENDERS)]
        for sender in self.senders:
            sender.start()

    def stop(self) -> None:
        """Let the senders end and hang up."""
        self.over.set()
        for sender in self.senders:
            sender.join()

    def feed(self, load: Iterator[Consignment], *, per_second: float, until: float) -> None:
        """Give the senders consignments at a pace, until then (monotonic seconds)."""
        while time.monotonic() < until and not self.over.wait(1 / per_second):
            if self.waiting.qsize() < BEHIND_MAX:
                consignment = next(load)
                self.ledger.announce(consignment)
                for parcel in consignment.parcels:
                    self.waiting.put(parcel)

    def send_all(self) -> None:
        """Send what waits, each thing until it is acknowledged."""
        sender = Sender(self.ports, token=self.token)
        while not self.over.is_set():
            try:
                parcel = self.waiting.get(timeout=AGAIN_SECONDS)
            except Empty:
                continue
            if refusal := sender.send(parcel):
                self.repeated[refusal] += 1
                self.waiting.put(parcel)
                self.over.wait(AGAIN_SECONDS)
            else:
                self.ledger.acknowledge(parcel)
        sender.close()
