"""Processes that work on one store at the same time, and begin together."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import TypeVar

import psutil
import structlog
from sqlalchemy import text

from benchmarks.scale.filling import Site
from service.store.database import Store

OPEN_SECONDS_MAX = 300.0  # in which every process opens the store

Result = TypeVar("Result")

_barriers: list[Barrier] = []  # of a process of the crowd: what it waits at until all can begin


def together(
    site: Site,
    job: Callable[[Store, int], Result],
    *,
    processes: int,
    meanwhile: Callable[[Callable[[], bool]], None] | None = None,
) -> list[Result]:
    """Let so many processes do a job, and return what each of them gives.

    Args:
        site: whose store each process opens.
        job: is given the store and the number of its process; module-level, so that it can be sent there.
        processes: at once.
        meanwhile: is called when all begin, with what says whether they are still at it.
    """
    context = get_context("spawn")
    all_open = context.Barrier(processes + 1)
    with ProcessPoolExecutor(processes, context, _take_barrier, (all_open,)) as pool:
        running = [pool.submit(_in_process, site, job, number) for number in range(processes)]
        all_open.wait(OPEN_SECONDS_MAX)
        if meanwhile is not None:
            meanwhile(lambda: not all(each.done() for each in running))
        return [each.result() for each in running]


def server_cpu_seconds(site: Site) -> float:
    """Return the processor time that sessions of the server have used which have ended by now."""
    with site.opened() as store, store.reading() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        times = psutil.Process(psutil.Process(backend).ppid()).cpu_times()
    return float(times.children_user + times.children_system)


def quiet() -> None:
    """Let only what is wrong be logged from now on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def every(seconds: float, is_going_on: Callable[[], bool], look: Callable[[float], None]) -> None:
    """Look again and again, with the seconds since the first look, until it is over."""
    began = time.monotonic()
    while is_going_on():
        look(time.monotonic() - began)
        time.sleep(seconds)


def _take_barrier(barrier: Barrier) -> None:
    _barriers.append(barrier)


def _in_process(site: Site, job: Callable[[Store, int], Result], number: int) -> Result:
    quiet()
    with site.opened() as store:
        with store.reading():
            pass  # connected before it begins
        _barriers[0].wait(OPEN_SECONDS_MAX)
        return job(store, number)
