"""One run: start, find out what the machine can take, flood it with ten times that, let it drain, count."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.kill import Installation, free_ports
from overread.case import TRIAGED
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.schema import cases
from tests.service.faults.chaos.ledger import Ledger, read_holdings, reckon
from tests.service.faults.chaos.places import database_of
from tests.service.faults.chaos.processes import LiveProcess, family
from tests.service.faults.chaos.run import settle, wait_until_ready
from tests.service.faults.overload.flood import Flood, studies
from tests.service.faults.overload.outcome import Outcome, Phase
from tests.service.faults.overload.pages import PageWatch

SENDERS_BEFORE = 10  # two of each protocol, while it is found out what the machine can take
BACKLOG = 20  # studies that these have always at hand
TOLD_SECONDS = 5.0
LOOK_SECONDS = 1.0
# As installations have them: `Installation` has short ones, for tests that kill.
ENVIRONMENT = {"OVERREAD_LEASE_SECONDS": "60", "OVERREAD_RETRY_SECONDS": "10"}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is asked to do."""

    seed: int
    seconds: float  # of flood
    capacity_seconds: float
    times: float  # what the machine can take
    fresh: float  # share of what is sent that is new
    senders: int
    database: str  # sqlite or postgresql
    patience_seconds: float  # for what is still to be done when the flood has ended
    log: Path | None = None


@dataclass(kw_only=True)
class _Scene:
    """What is looked at all the time."""

    installation: Installation
    store: Store
    ledger: Ledger
    flood: Flood
    pages: PageWatch
    over: threading.Event
    began: float
    memory: list[float] = field(default_factory=list)  # megabytes of all processes together
    peaks: dict[str, float] = field(default_factory=dict)  # of one process, by role

    def look_at_memory(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            assert self.installation.process is not None
            processes = family(self.installation.process.pid)
            self.memory.append(sum(map(_resident, processes)))
            for process in processes:
                self.peaks[process.role] = max(self.peaks.get(process.role, 0.0), process.peak_megabytes)

    def tell(self) -> None:
        sys.stderr.write(
            f"{time.monotonic() - self.began:5.0f} s  {self.flood.offered} studies offered, "
            f"{self.ledger.acknowledged} things acknowledged, {self.flood.refusals.total()} turned away, "
            f"{_concluded(self.store)} concluded; {self.memory[-1] if self.memory else 0:.0f} MB\n"
        )
        sys.stderr.flush()

    def phase(self, work: Callable[[], None]) -> Phase:
        """Return what was counted while something was done."""
        marks = (self.flood.offered, self.ledger.acknowledged, _concluded(self.store))
        pages, looks, began = len(self.pages.seconds), len(self.memory), time.monotonic()
        done = threading.Event()

        def keep_telling() -> None:
            while not done.wait(TOLD_SECONDS):
                self.tell()

        teller = threading.Thread(target=keep_telling, daemon=True)
        teller.start()
        work()
        done.set()
        teller.join()
        return Phase(
            seconds=time.monotonic() - began,
            offered=self.flood.offered - marks[0],
            acknowledged=self.ledger.acknowledged - marks[1],
            concluded=_concluded(self.store) - marks[2],
            pages=tuple(self.pages.seconds[pages:]),
            memory_megabytes=tuple(self.memory[looks:]),
        )


def run(order: Order, folder: Path) -> Outcome:
    """Return what became of everything; the installation has been stopped."""
    with ExitStack() as stack:
        data, over = folder / "data", threading.Event()
        database = stack.enter_context(database_of(order.database, data))
        installation = Installation(
            folder=data,
            ports=free_ports(),
            log=order.log or folder / "log",
            database_url=database.url,
            environment=ENVIRONMENT,
        )
        stack.callback(installation.stop)
        stack.callback(over.set)
        installation.keep_up()
        wait_until_ready(installation)
        given = {"OVERREAD_DATABASE_URL": database.url} if database.url else {}
        settings = load_settings(given, data_folder=data).model_copy(update={"free_bytes_min": 0})
        store = open_store(settings, sweep=False)
        stack.callback(store.close)
        ledger = Ledger()
        flood = Flood(ports=installation.ports, ledger=ledger, load=studies(order.seed, fresh=order.fresh))
        stack.callback(flood.over.set)
        scene = _Scene(
            installation=installation,
            store=store,
            ledger=ledger,
            flood=flood,
            pages=PageWatch(api=f"http://127.0.0.1:{installation.ports.api}"),
            over=over,
            began=time.monotonic(),
        )
        return _go(order, scene)


def _go(order: Order, scene: _Scene) -> Outcome:
    flood, ledger = scene.flood, scene.ledger
    scene.pages.start()
    threading.Thread(target=scene.look_at_memory, daemon=True).start()
    flood.start(SENDERS_BEFORE)
    flood.press(LOOK_SECONDS, backlog=1)  # until workers have loaded what they look with
    settle(scene.store, ledger, patience_seconds=order.patience_seconds, tell=lambda: None)
    capacity = scene.phase(lambda: flood.press(order.capacity_seconds, backlog=BACKLOG))
    per_second = max(capacity.per_second["acknowledged"] / 2, 0.1)  # studies, of two things each
    flood.start(order.senders - SENDERS_BEFORE)
    flooded = scene.phase(lambda: flood.pour(order.seconds, per_second=order.times * per_second))
    drained = scene.phase(
        lambda: settle(scene.store, ledger, patience_seconds=order.patience_seconds, tell=lambda: None)
    )
    flood.stop()
    scene.over.set()
    return Outcome(
        seed=order.seed,
        database=order.database,
        capacity=capacity,
        flood=flooded,
        drain=drained,
        refusals=flood.refusals,
        acknowledged=flood.acknowledged,
        longest_answer_seconds=flood.longest_answer_seconds,
        pages=Counter(scene.pages.statuses),  # it goes on asking
        peak_megabytes=scene.peaks,
        reckoning=reckon(ledger, read_holdings(scene.store, frozenset(ledger.expected))),
    )


def _concluded(store: Store) -> int:
    wanted = select(func.count()).where(cases.c.state.in_([state.value for state in TRIAGED]))
    with store.reading() as connection:
        return int(connection.execute(wanted).scalar_one())


def _resident(process: LiveProcess) -> float:
    """Return the megabytes that a process has in memory now, with what it shares; 0 if it has ended."""
    with suppress(OSError, IndexError):
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return 0.0
