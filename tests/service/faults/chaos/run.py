"""One run: start, load, disturb, put right, drain, count."""

import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
from sqlalchemy import select

from benchmarks.kill import Installation, free_ports
from benchmarks.sending import Ports
from overread.case import TRIAGED
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.schema import cases
from tests.service.faults.chaos.disturbances import STEP_SECONDS, Scene
from tests.service.faults.chaos.ledger import Ledger, Reckoning, read_holdings, reckon
from tests.service.faults.chaos.load import Load
from tests.service.faults.chaos.places import Clock, database_of, disk_of
from tests.service.faults.chaos.plan import plan
from tests.service.faults.chaos.report import Outcome
from tests.service.faults.chaos.senders import Post
from tests.service.faults.chaos.watch import Conditions, Watch, descriptors, percentile_99
from tests.service.faults.proxy import SpoilingProxy

READY_SECONDS = 600.0
PROGRESS_SECONDS = 5.0
QUIET_SECONDS = 5.0  # after which nothing that is still under way would be overlooked
SETTLING_SECONDS = 3.0  # between the last sender's end and the count of open files
CUT_SHARE, CRAWL_SHARE = 0.06, 0.01
ENVIRONMENT = {
    "OVERREAD_ATTEMPTS_MAX": "100",  # of one case whose worker is killed or frozen again and again
    "OVERREAD_LEASE_SECONDS": "10",
    "OVERREAD_CASE_SECONDS_MAX": "120",
    "OVERREAD_CASE_MEMORY_BYTES_MAX": str(2 << 30),
    "OVERREAD_DICOM_IDLE_SECONDS": "3",  # a sender that crawls is let go soon
    "OVERREAD_HL7_MESSAGE_SECONDS": "3",
    "OVERREAD_WATCH_SETTLED_SECONDS": "0.5",
    "OVERREAD_WATCH_POLL_SECONDS": "0.5",
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is asked to do."""

    seed: int
    seconds: float
    database: str  # sqlite or postgresql
    studies_per_second: float
    pace: float  # of the disturbances
    patience_seconds: float  # for what is still to be done when the load has ended
    api_processes: int = 2
    log: Path | None = None


def run(order: Order, folder: Path) -> Outcome:
    """Return what became of everything; the installation has been stopped."""
    over = threading.Event()
    with ExitStack() as stack:
        data = folder / "data"
        disk = stack.enter_context(disk_of(data))
        database = stack.enter_context(database_of(order.database, data))
        clock, watched = Clock(folder), folder / "watched"
        watched.mkdir()
        environment = {
            **ENVIRONMENT,
            **clock.environment,
            "OVERREAD_FREE_BYTES_MIN": str(disk.free_bytes_min),
            "OVERREAD_WATCH_FOLDER": str(watched),
        }
        installation = Installation(
            folder=data,
            ports=free_ports(),
            log=order.log or folder / "log",
            database_url=database.url,
            environment=environment,
            api_processes=order.api_processes,
        )
        scene = Scene(
            installation=installation,
            disk=disk,
            database=database,
            clock=clock,
            conditions=Conditions(),
            over=over,
        )
        stack.callback(installation.stop)
        stack.callback(over.set)
        installation.keep_up()
        wait_until_ready(installation)
        return go(order, scene, stack, watched)


def go(order: Order, scene: Scene, stack: ExitStack, watched: Path) -> Outcome:
    """Load and disturb a ready installation, let it finish, and count."""
    ledger, connections = Ledger(), Counter[str]()
    post = Post(ports=spoiled(scene, order.seed, connections, watched, stack), ledger=ledger)
    stack.callback(post.over.set)
    watch = Watch(
        api=f"http://127.0.0.1:{scene.installation.ports.api}",
        pid=lambda: scene.pid,
        starts=lambda: scene.installation.starts,
        conditions=scene.conditions,
        over=scene.over,
    )
    at_start = descriptors(scene.pid)
    threading.Thread(target=scene.keep_up, daemon=True).start()
    watch.start()
    begun = time.monotonic()
    disturbing = scene.start(plan(order.seed, order.seconds, pace=order.pace))
    post.start()
    load = iter(Load(seed=order.seed, start=datetime.now(UTC)))
    feeding = threading.Thread(
        target=post.feed,
        args=(load,),
        kwargs={"per_second": order.studies_per_second, "until": begun + order.seconds},
        daemon=True,
    )
    feeding.start()
    while feeding.is_alive() or any(thread.is_alive() for thread in disturbing):
        tell(time.monotonic() - begun, ledger, scene, watch)
        feeding.join(PROGRESS_SECONDS)
        if not feeding.is_alive():
            for thread in disturbing:
                thread.join()
    # What a step has put to a later time is due after this one; else it might wait for ten minutes.
    scene.clock.set(2 * STEP_SECONDS)
    ended = time.monotonic()
    reckoning = drain(order, scene, ledger, watch, begun)
    drained = time.monotonic()
    post.stop()
    time.sleep(SETTLING_SECONDS)
    at_end = descriptors(scene.pid)
    scene.over.set()
    return Outcome(
        seed=order.seed,
        database=order.database,
        load_seconds=ended - begun,
        drain_seconds=drained - ended,
        starts=scene.installation.starts,
        reckoning=reckoning,
        happened=scene.happened,
        hostile=scene.hostile,
        connections=connections,
        repeated=post.repeated,
        pages=watch.statuses,
        page_answers=len(watch.answers),
        page_longest_seconds=max(watch.answers, default=0.0),
        page_p99_seconds=percentile_99(watch.answers),
        page_answers_between_starts=len(watch.answers_between_starts),
        page_p99_between_starts_seconds=percentile_99(watch.answers_between_starts),
        peak_megabytes=dict(watch.peak_megabytes),
        descriptors_start=at_start,
        descriptors_end=at_end,
        health=watch.health,
        untrue=Counter(watch.untrue),
    )


def spoiled(scene: Scene, seed: int, counts: Counter[str], watched: Path, stack: ExitStack) -> Ports:
    """Return the ports of proxies that cut and slow connections of the senders."""

    def proxy(name: str) -> int:
        made = SpoilingProxy(
            target=getattr(scene.installation.ports, name),
            cut_share=CUT_SHARE,
            crawl_share=CRAWL_SHARE,
            chance=Random(f"{name} {seed}"),
            counts=counts,
        )
        stack.callback(made.close)
        return made.port

    ports = {name: proxy(name) for name in ("api", "stow", "dicom", "hl7")}
    return Ports(**ports, folder=watched)


def wait_until_ready(installation: Installation) -> None:
    """Wait until it says that it can take work.

    Raises:
        SystemExit: it does not say so; its log says why.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{installation.ports.api}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            installation.keep_up()
        time.sleep(0.2)
    raise SystemExit(f"the installation did not become ready: see {installation.log}")


def tell(seconds: float, ledger: Ledger, scene: Scene, watch: Watch) -> None:
    """Write one line of progress."""
    sys.stderr.write(
        f"{seconds:5.0f} s  {len(ledger.expected)} studies, {ledger.acknowledged} acknowledged, "
        f"{ledger.waiting} waiting; {scene.happened.total()} disturbances, {scene.hostile.total()} hostile; "
        f"{len(watch.answers)} pages, longest {max(watch.answers, default=0.0):.1f} s\n"
    )
    sys.stderr.flush()


def drain(order: Order, scene: Scene, ledger: Ledger, watch: Watch, begun: float) -> Reckoning:
    """Wait until all is acknowledged and concluded, and stays so; or until patience ends."""
    settings = load_settings(
        {"OVERREAD_DATABASE_URL": scene.database.url} if scene.database.url else {},
        data_folder=scene.installation.folder,
    )
    store = open_store(settings.model_copy(update={"free_bytes_min": 0}))
    deadline, settled_since = time.monotonic() + order.patience_seconds, None
    try:
        while time.monotonic() < deadline:
            if ledger.waiting or open_cases(store, ledger):
                settled_since = None
            else:
                settled_since = settled_since or time.monotonic()
                if time.monotonic() - settled_since > QUIET_SECONDS:
                    break
            tell(time.monotonic() - begun, ledger, scene, watch)
            time.sleep(2.0)
        return reckon(ledger, read_holdings(store, frozenset(ledger.expected)))
    finally:
        store.close()


def open_cases(store: Store, ledger: Ledger) -> int:
    """Return how many studies of the ledger have no concluded case."""
    concluded = select(cases.c.accession_number).where(cases.c.state.in_([state.value for state in TRIAGED]))
    with store.reading() as connection:
        done = set(connection.execute(concluded).scalars())
    return len(set(ledger.expected) - done)
