"""Claims of many workers at once, each on a connection of its own, also while somebody holds a snapshot."""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from sqlalchemy import text

from benchmarks.scale.crowd import every, server_cpu_seconds, together
from benchmarks.scale.filling import NOW, Site
from overread.statistics import Estimate, mean_estimate
from service.store.database import Store
from service.store.queue import claim_case
from service.store.queue_front import QueueFront

THREADS = 8  # of a process, each a worker
WINDOWS_MIN = 5  # of one figure, for its interval
_LOOK_SECONDS = 1.0
_SIZES = text(
    "SELECT n_dead_tup, pg_relation_size(relid) AS bytes, pg_indexes_size(relid) AS index_bytes "
    "FROM pg_stat_user_tables WHERE relname = 'cases'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that gave a case."""

    at: float  # seconds since all began
    seconds: float  # that it took


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """All claims of some time."""

    claims: Sequence[Claim]  # by time
    server_cpu_seconds: float  # of the sessions of PostgreSQL
    client_cpu_seconds: float

    def cost(self) -> str:
        """Return in words what a claim takes of a core."""
        server, client = (
            1000 * seconds / max(len(self.claims), 1)
            for seconds in (self.server_cpu_seconds, self.client_cpu_seconds)
        )
        return (
            f"a claim takes {server:.2f} ms of a core at the server and {client:.2f} ms at the worker "
            f"(n = {len(self.claims)})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Claims of some time."""

    per_second: Estimate  # over windows
    claims: int
    window_seconds: float
    median_ms: float
    p99_ms: float

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"{self.per_second:.0f} claims/s ({self.claims} in {self.per_second.n} windows of "
            f"{self.window_seconds:g} s), one takes {self.median_ms:.1f} ms (median), "
            f"{self.p99_ms:.0f} ms (p99)"
        )


def claim_for(
    site: Site,
    *,
    workers: int,
    seconds: float,
    meanwhile: Callable[[Callable[[], bool]], None] | None = None,
) -> Claims:
    """Let so many workers claim for so long, each as fast as it can, and return the claims."""
    threads = min(workers, THREADS)
    job = partial(_claim_in_threads, threads=threads, seconds=seconds)
    used = server_cpu_seconds(site)
    made = together(site, job, processes=max(workers // threads, 1), meanwhile=meanwhile)
    return Claims(
        claims=sorted(chain.from_iterable(claims for claims, _ in made), key=lambda claim: claim.at),
        server_cpu_seconds=server_cpu_seconds(site) - used,
        client_cpu_seconds=sum(cpu for _, cpu in made),
    )


def _claim_in_threads(
    store: Store, number: int, *, threads: int, seconds: float
) -> tuple[list[Claim], float]:
    """Return the claims of this process, and the processor time that they took it."""
    made: list[Claim] = []
    used = time.process_time()
    began = time.perf_counter()

    def claim_all(worker: str) -> None:
        front = QueueFront()
        while (asked := time.perf_counter() - began) < seconds:
            if claim_case(store, worker=worker, now=NOW, front=front) is None:
                return
            made.append(Claim(at=asked, seconds=time.perf_counter() - began - asked))

    workers = [threading.Thread(target=claim_all, args=(f"{number}-{each}",)) for each in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return made, time.process_time() - used


def rate(claims: Sequence[Claim], *, since: float, until: float) -> Rate:
    """Return the rate between two times, in seconds, over windows of the same length."""
    windows = max(int((until - since) / 5), WINDOWS_MIN)
    length = (until - since) / windows
    within = [claim for claim in claims if since <= claim.at < until]
    counts = [0] * windows
    for claim in within:
        counts[min(int((claim.at - since) / length), windows - 1)] += 1
    taken = sorted(1000 * claim.seconds for claim in within) or [0.0]
    return Rate(
        per_second=mean_estimate([count / length for count in counts]),
        claims=len(within),
        window_seconds=length,
        median_ms=statistics.median(taken),
        p99_ms=taken[int(0.99 * len(taken))],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Claims before, during and after a snapshot, and what it kept from being cleared away."""

    before: Rate
    first_half: Rate  # of the time in which it was held
    second_half: Rate
    after: Rate
    dead_rows: int  # of the cases, just before it was let go
    grown_bytes: int  # of the cases and their indexes, since it was taken


def claims_under_snapshot(site: Site, *, workers: int, seconds: float, held_seconds: float) -> Held:
    """Let workers claim, hold a snapshot for a while, and let them go on.

    Args:
        site: where.
        workers: that claim all the time.
        seconds: before the snapshot, and after it.
        held_seconds: for which it is held.
    """
    ends = seconds + held_seconds
    sizes: list[tuple[int, int]] = []

    def hold(is_going_on: Callable[[], bool]) -> None:
        with site.opened() as store:
            engine = store.engine.execution_options(isolation_level="REPEATABLE READ")
            with engine.connect() as holder:

                def look(at: float) -> None:
                    if not seconds <= at < ends:
                        holder.rollback()
                        return
                    if not holder.in_transaction():
                        holder.execute(text("SELECT count(*) FROM policies"))
                    sizes.append(_sizes(store))

                every(_LOOK_SECONDS, is_going_on, look)

    claims = claim_for(site, workers=workers, seconds=ends + seconds, meanwhile=hold).claims
    middle = seconds + held_seconds / 2
    return Held(
        before=rate(claims, since=0, until=seconds),
        first_half=rate(claims, since=seconds, until=middle),
        second_half=rate(claims, since=middle, until=ends),
        after=rate(claims, since=ends, until=ends + seconds),
        dead_rows=sizes[-1][0],
        grown_bytes=sizes[-1][1] - sizes[0][1],
    )


def _sizes(store: Store) -> tuple[int, int]:
    """Return dead rows of the cases, and bytes of table and indexes."""
    with store.reading() as connection:
        row = connection.execute(_SIZES).one()
    return row.n_dead_tup, row.bytes + row.index_bytes
