"""One run: start the hosts, load, take hosts away, put right, settle, count."""

import signal
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx

from benchmarks.sending import Ports
from service.settings import load_settings
from service.store.database import open_store
from tests.service.faults.chaos.ledger import Ledger, Reckoning, read_holdings, reckon
from tests.service.faults.chaos.load import Load
from tests.service.faults.chaos.run import settle
from tests.service.faults.chaos.senders import Post
from tests.service.faults.hosts.network import Network, network
from tests.service.faults.hosts.places import (
    API_PORT,
    DICOM_PORT,
    HL7_PORT,
    LEASE_SECONDS,
    STOW_PORT,
    Host,
    started,
)
from tests.service.faults.hosts.servers import DatabasePair, database_pair, object_storage
from tests.service.faults.proxy import SpoilingProxy
from tests.service.waiting import eventually

HOSTS = ("db1", "db2", "s3", "in1", "in2", "work1", "work2", "work3")
TOKEN = "of-the-senders-of-this-test"
CLOCKS = {"in2": -120, "work2": 300, "work3": -300}  # seconds ahead
EVENTS = ("cut in1", "cut in2", "cut work1", "stop work2", "cut s3", "fail over")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is asked to do."""

    seed: int
    events: tuple[str, ...]  # one after the other
    away_seconds: float  # for which a host is cut off or stopped; the lease of a case is shorter
    studies_per_second: float
    patience_seconds: float  # for what is still to be done when the load has ended


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was counted in a run."""

    order: Order
    load_seconds: float
    settling_seconds: float
    reckoning: Reckoning
    repeated: dict[str, int] = field(default_factory=dict)  # sent again because of

    def as_json(self) -> dict[str, object]:
        """Return all of it as JSON values."""
        return asdict(self) | {"is_perfect": self.reckoning.is_perfect}


def run(folder: Path, order: Order) -> Outcome:
    """Return what became of everything; nothing runs any more."""
    with ExitStack() as stack:
        wire = stack.enter_context(network(HOSTS))
        pair = stack.enter_context(database_pair(wire, folder / "db", primary="db1", standby="db2"))
        objects = stack.enter_context(object_storage(wire, "s3"))
        shared = {**objects, "OVERREAD_DATABASE_URL": pair.url, "OVERREAD_API_TOKEN": TOKEN}
        watched = folder / "watched"
        watched.mkdir()
        hosts = {host.name: host for host in _hosts(wire, folder, shared, watched)}
        first, *others = hosts.values()
        stack.enter_context(started([first]))
        eventually(lambda: _is_ready(wire, "in1"))
        stack.enter_context(started(others))
        eventually(lambda: _is_ready(wire, "in2"))
        ledger = Ledger()
        post = Post(ports=_ports(wire, order.seed, watched, stack), ledger=ledger, token=TOKEN)
        stack.callback(post.over.set)
        load_over = threading.Event()
        begun = time.monotonic()
        post.start()
        feeding = threading.Thread(target=_feed, args=(post, order, load_over), daemon=True)
        feeding.start()
        for event in order.events:
            _say(begun, ledger, event)
            _happen(event, hosts, wire, pair, order.away_seconds)
        load_over.set()
        feeding.join()
        ended = time.monotonic()
        store = open_store(load_settings(shared, data_folder=folder / "reckoning"))
        stack.callback(store.close)
        settle(
            store,
            ledger,
            patience_seconds=order.patience_seconds,
            tell=lambda: _say(begun, ledger, "settling"),
        )
        post.stop()
        return Outcome(
            order=order,
            load_seconds=ended - begun,
            settling_seconds=time.monotonic() - ended,
            reckoning=reckon(ledger, read_holdings(store, frozenset(ledger.expected))),
            repeated=dict(Counter(post.repeated)),
        )


def _hosts(wire: Network, folder: Path, shared: dict[str, str], watched: Path) -> list[Host]:
    def serving(name: str) -> tuple[str, ...]:
        return ("serve", "--host", wire.address(name), "--workers", "0")

    words = {"in1": serving("in1"), "in2": serving("in2")}
    words |= dict.fromkeys(("work1", "work2", "work3"), ("worker",))
    return [
        Host(
            network=wire,
            name=name,
            words=words[name],
            folder=folder / name,
            environment=shared,
            clock_ahead_seconds=CLOCKS.get(name, 0),
            own={"OVERREAD_WATCH_FOLDER": str(watched)} if name == "in1" else {},
        )
        for name in words
    ]


def _ports(wire: Network, seed: int, watched: Path, stack: ExitStack) -> Ports:
    """Return the ports of what spreads the senders' connections over the two hosts that take in."""

    def proxy(port: int) -> int:
        made = SpoilingProxy(
            targets=tuple((wire.address(host), port) for host in ("in1", "in2")),
            cut_share=0.02,
            crawl_share=0.0,
            chance=Random(f"{port} {seed}"),
        )
        stack.callback(made.close)
        return made.port

    names = {"api": API_PORT, "stow": STOW_PORT, "dicom": DICOM_PORT, "hl7": HL7_PORT}
    return Ports(**{name: proxy(port) for name, port in names.items()}, folder=watched)


def _feed(post: Post, order: Order, over: threading.Event) -> None:
    load = iter(Load(seed=order.seed, start=datetime.now(UTC)))
    while not over.is_set():
        post.feed(load, per_second=order.studies_per_second, until=time.monotonic() + 1.0)


def _happen(
    event: str, hosts: dict[str, Host], wire: Network, pair: DatabasePair, away_seconds: float
) -> None:
    """Let it happen, and put it right; then give everybody some time."""
    kind, _, name = event.partition(" ")
    if kind == "cut":
        wire.cut(name)
        time.sleep(away_seconds)
        wire.join(name)
    elif kind == "stop":
        hosts[name].stop_short(signal.SIGSTOP)
        time.sleep(away_seconds)
        hosts[name].stop_short(signal.SIGCONT)
    else:
        wire.cut(pair.primary)
        time.sleep(LEASE_SECONDS / 2)
        pair.fail_over()
        time.sleep(away_seconds)
    time.sleep(LEASE_SECONDS)


def _is_ready(wire: Network, host: str) -> bool:
    try:
        address = f"http://{wire.address(host)}:{API_PORT}/health/ready"
        answer = httpx.get(address, timeout=10.0, headers={"Authorization": f"Bearer {TOKEN}"})
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def _say(begun: float, ledger: Ledger, what: str) -> None:
    sys.stderr.write(
        f"{time.monotonic() - begun:5.0f} s  {len(ledger.expected)} studies, {ledger.acknowledged} "
        f"acknowledged, {ledger.waiting} waiting; {what}\n"
    )
    sys.stderr.flush()
