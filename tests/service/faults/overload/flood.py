"""Studies as fast as senders can push them: each an image and a report, sent until they are acknowledged."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from queue import Empty, SimpleQueue

import numpy as np

from benchmarks.radiographs import dicom_of, radiograph
from benchmarks.sending import IMAGE_WAYS, REPORT_WAYS, Parcel, Ports, Sender, Way
from benchmarks.worker import file_of, name
from tests.service.faults.chaos.ledger import Ledger
from tests.service.faults.chaos.load import Consignment, Expected

SIDE = 256  # of the images: the flood is of many, not of large ones
FILMS = 8
REMEMBERED = 200  # studies that may be sent again
AGAIN_SECONDS = 2.0  # sooner than Retry-After says: the senders of a flood are not polite
BEGUN_PER_SENDER = 2  # things that wait to be acknowledged; further studies are not begun meanwhile
WAYS = (*IMAGE_WAYS, *REPORT_WAYS)
_IDLE_SECONDS = 0.2


def studies(seed: int, *, fresh: float) -> Iterator[Consignment]:
    """Yield an image and a report each, by ways that chance draws, without end.

    Args:
        seed: of chance.
        fresh: share of studies that are new; the others are sent once more, as from an archive.
    """
    chance, generator = random.Random(f"overload {seed}"), np.random.default_rng(seed)
    films = [dicom_of(radiograph(generator, SIDE), compressed=False) for _ in range(FILMS)]
    sent: deque[tuple[int, bytes]] = deque(maxlen=REMEMBERED)
    numbers = count(1)
    while True:
        if not sent or chance.random() < fresh:
            number = next(numbers)
            sent.append((number, file_of(name(chance.choice(films), number))))
            yield _study(*sent[-1], chance)
        else:
            yield _study(*chance.choice(sent), chance)


def _study(number: int, image: bytes, chance: random.Random) -> Consignment:
    accession, text = f"A{number}", f"Case {number}. No mass. No pleural effusion."
    parcels = (
        Parcel(way=chance.choice(IMAGE_WAYS), accession=accession, image=image),
        Parcel(way=chance.choice(REPORT_WAYS), accession=accession, report=text),
    )
    expected = Expected(accession=accession, results_max=1, in_force=(text,))
    return Consignment(parcels=parcels, expected=(expected,))


@dataclass(kw_only=True)
class Flood:
    """Senders, each of one protocol with a connection of its own, and what they have still to send.

    What was offered and never reached a sender's hand when the flood ends is withdrawn: nobody waits for it.
    """

    ports: Ports
    ledger: Ledger
    load: Iterator[Consignment]
    over: threading.Event = field(default_factory=threading.Event)
    refusals: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)  # by way
    longest_answer_seconds: dict[str, float] = field(default_factory=dict)  # by way, of any answer
    offered: int = 0  # studies
    _waiting: "dict[Way, SimpleQueue[Parcel]]" = field(
        default_factory=lambda: {way: SimpleQueue() for way in WAYS}
    )
    _offers: "SimpleQueue[None]" = field(default_factory=SimpleQueue)  # each is made when it is taken up
    _senders: list[threading.Thread] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def start(self, senders: int) -> None:
        """Let further senders begin, as many of each protocol."""
        for way in islice(cycle(WAYS), senders):
            sender = threading.Thread(target=self._send_all, args=(way,), daemon=True)
            self._senders.append(sender)
            sender.start()

    def stop(self) -> None:
        """Let the senders end and hang up."""
        self.over.set()
        for sender in self._senders:
            sender.join()

    def press(self, seconds: float, *, backlog: int) -> None:
        """Let the senders always have so many studies to send, for so long: what the machine can take."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._offers.qsize() < backlog:
                self._offer()
            else:
                time.sleep(_IDLE_SECONDS / 10)
        self.withdraw()

    def pour(self, seconds: float, *, per_second: float) -> None:
        """Offer studies at this pace for so long, whatever becomes of them; withdraw what was not begun."""
        began, due = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            while due < now * per_second:
                due += 1
                self._offer()
            time.sleep(_IDLE_SECONDS / 10)
        self.withdraw()

    def withdraw(self) -> None:
        """Forget what was offered and never begun."""
        while True:
            try:
                self._offers.get_nowait()
            except Empty:
                return

    def _offer(self) -> None:
        self.offered += 1
        self._offers.put(None)

    def _send_all(self, way: Way) -> None:
        sender = Sender(self.ports)
        while not self.over.is_set():
            parcel = self._next(way)
            if parcel is None:
                self.over.wait(_IDLE_SECONDS)
                continue
            asked = time.monotonic()
            refusal = sender.send(parcel)
            self._note(parcel, refusal, time.monotonic() - asked)
            if refusal:
                self._waiting[way].put(parcel)  # one of the others, who has a connection, may have it
                self.over.wait(AGAIN_SECONDS)
        sender.close()

    def _next(self, way: Way) -> Parcel | None:
        """Return what is to be sent next by this protocol; a study is begun where little waits."""
        if self.ledger.waiting < BEGUN_PER_SENDER * len(self._senders):
            with suppress(Empty):
                self._offers.get_nowait()
                self._begin()
        with suppress(Empty):
            return self._waiting[way].get_nowait()
        return None

    def _begin(self) -> None:
        """Let the senders have both things of a further study."""
        with self._guard:
            study = next(self.load)
        self.ledger.announce(study)
        for parcel in study.parcels:
            self._waiting[parcel.way].put(parcel)

    def _note(self, parcel: Parcel, refusal: str, seconds: float) -> None:
        with self._guard:
            longest = self.longest_answer_seconds.get(parcel.way, 0.0)
            self.longest_answer_seconds[parcel.way] = max(longest, seconds)
            if refusal:
                self.refusals[refusal] += 1
            else:
                self.acknowledged[parcel.way] += 1
        if not refusal:
            self.ledger.acknowledge(parcel)
