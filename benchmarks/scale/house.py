"""Time that housekeeping and retention take beside so many cases."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from benchmarks.scale.filling import NOW
from overread.statistics import Estimate, mean_estimate
from service.intake.closing import close_quiet_studies
from service.maintenance.retention import retain
from service.store.audit_trail import seal_trail
from service.store.case_counts import fold_counts
from service.store.database import Store
from service.store.queue import expire_leases
from service.store.workers import remove_gone_workers
from service.triage.reconsideration import reorder_list

REPEATS = 40
KEEP_DAYS = 20.0
FOUND = 250  # studies, as many as one question finds


def housekeeping_ms(store: Store) -> Iterator[tuple[str, Estimate]]:
    """Yield each task of housekeeping with the milliseconds that it takes when nothing is to be done."""
    tasks: dict[str, Callable[[], object]] = {
        "give back the cases of dead workers": lambda: expire_leases(store, now=NOW),
        "close quiet studies": lambda: close_quiet_studies(store, now=NOW),
        "follow a change of policy": lambda: reorder_list(store, now=NOW),
        "forget workers that are gone": lambda: remove_gone_workers(store, now=NOW),
        "add up the counts": lambda: fold_counts(store),
        "seal the audit trail": lambda: seal_trail(store),
    }
    for name, task in tasks.items():
        task()
        yield name, mean_estimate([_milliseconds(task) for _ in range(REPEATS)])


def retention_ms(store: Store) -> tuple[Estimate, Estimate]:
    """Return the milliseconds per study of retention: to find it, and to remove its pixels as well."""
    settings = store.settings.model_copy(update={"keep_days_concordant": KEEP_DAYS})
    kept = Store(settings=settings, engine=store.engine, files=store.files)
    now = NOW + timedelta(days=1)
    return _each_ms(retain(kept, now=now, dry_run=True), of=FOUND), _each_ms(retain(kept, now=now), of=1)


def _each_ms(steps: Iterator[object], *, of: int) -> Estimate:
    """Return the milliseconds of a step, each a mean of so many: they are found some at a time."""

    def take() -> None:
        for _ in range(of):
            next(steps)

    return mean_estimate([_milliseconds(take) / of for _ in range(REPEATS)])


def _milliseconds(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    return 1000 * (time.perf_counter() - started)
