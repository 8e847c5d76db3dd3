"""A day of studies as fast as they go: taken in, reported, closed, claimed and concluded, beside millions.

Each study goes the service's own way, with one object of 64 pixels: it is the rows that are measured. The
day is shorter than a real one, so autovacuum has less time for the same number of changes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import text

from benchmarks.day import REPORT, specimens
from benchmarks.scale.crowd import every, server_cpu_seconds, together
from benchmarks.scale.filling import Site, database_bytes
from overread.case import CaseState
from overread.priority import default_policy
from overread.statistics import Estimate, mean_estimate
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.store.case_counts import fold_counts
from service.store.database import Store
from service.store.queue import claim_case, complete_case
from service.store.queue_front import QueueFront
from service.triage.housekeeping import do_housekeeping
from tests.service.material import dicom_bytes

LISTED_SHARE = 5  # one of so many studies is discrepant
FIRST_NUMBER = 1_000_000_000  # of its studies; those that are there have lower ones
HOUSE_SECONDS = 0.5  # as a worker does it
REAL_DAY_SECONDS = 86_400.0
_TABLES = ("cases", "events", "studies", "instances", "case_count_changes", "report_versions")
_STATISTICS = text(
    "SELECT relname, n_dead_tup, autovacuum_count, pg_relation_size(relid) AS bytes, "
    "pg_indexes_size(relid) AS index_bytes FROM pg_stat_user_tables WHERE relname = ANY(:tables)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDay:
    """What a day did to one table."""

    name: str
    dead_most: int  # rows, at any look
    vacuums: int  # of autovacuum
    grown_bytes: int
    index_grown_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day was like."""

    studies: int
    seconds: float
    server_cpu_seconds: float  # of the sessions of PostgreSQL, those of housekeeping too
    client_cpu_seconds: float  # of intake, claims and storing
    database_grown_bytes: int
    housekeeping_ms: Estimate  # all of its tasks together, once
    tables: tuple[TableDay, ...]
    index_bytes: int  # of the cases at the end of the day
    index_bytes_rebuilt: int

    @property
    def times_faster(self) -> float:
        """How many times faster than in a real day the studies came."""
        return REAL_DAY_SECONDS / self.seconds


@dataclass(slots=True)
class _Seen:
    dead: int
    vacuums: int
    table_bytes: int
    index_bytes: int


def busy_day(site: Site, *, studies: int, processes: int) -> Day:
    """Let so many studies pass, and return what it did to the database."""
    looks: list[dict[str, _Seen]] = []
    house_ms: list[float] = []

    def keep_house(is_going_on: Callable[[], bool]) -> None:
        with site.opened() as store:

            def look(_: float) -> None:
                started = time.perf_counter()
                do_housekeeping(store, now=datetime.now(UTC))
                house_ms.append(1000 * (time.perf_counter() - started))
                looks.append(_seen(store))

            every(HOUSE_SECONDS, is_going_on, look)

    with site.opened() as store:
        _put_rest_aside(store)
        before, size = _seen(store), database_bytes(store)
    job = partial(_pass_studies, studies=studies // processes)
    used = server_cpu_seconds(site)
    passed = together(site, job, processes=processes, meanwhile=keep_house)
    used = server_cpu_seconds(site) - used
    with site.opened() as store:
        after = _seen(store)
        grown = database_bytes(store) - size
        rebuilt = _rebuilt_index_bytes(store)
    tables = tuple(
        TableDay(
            name=name,
            dead_most=max(look[name].dead for look in (*looks, after)),
            vacuums=after[name].vacuums - before[name].vacuums,
            grown_bytes=after[name].table_bytes - before[name].table_bytes,
            index_grown_bytes=after[name].index_bytes - before[name].index_bytes,
        )
        for name in _TABLES
    )
    return Day(
        studies=studies // processes * processes,
        seconds=max(seconds for seconds, _ in passed),
        server_cpu_seconds=used,
        client_cpu_seconds=sum(cpu for _, cpu in passed),
        database_grown_bytes=grown,
        housekeeping_ms=mean_estimate(house_ms),
        tables=tables,
        index_bytes=after["cases"].index_bytes,
        index_bytes_rebuilt=rebuilt,
    )


def _pass_studies(store: Store, process: int, *, studies: int) -> tuple[float, float]:
    """Let studies pass, one after the other; return the seconds, and those of the processor."""
    worker, front, made = f"day {process}", QueueFront(), specimens(default_policy())
    began, used = time.perf_counter(), time.process_time()
    for each in range(studies):
        number = FIRST_NUMBER + process * studies + each
        _take_in(store, number)
        claimed = claim_case(store, worker=worker, now=datetime.now(UTC), front=front)
        if claimed is None:  # another process has just claimed it
            continue
        specimen = made[CaseState.CONCORDANT if number % LISTED_SHARE else CaseState.LISTED]
        complete_case(
            store,
            claimed,
            specimen.result,
            reading=specimen.reading,
            detections=(specimen.detection,),
            now=datetime.now(UTC),
        )
    return time.perf_counter() - began, time.process_time() - used


def _take_in(store: Store, number: int) -> None:
    study, accession, now = f"2.25.{number}", f"D{number}", datetime.now(UTC)
    content = dicom_bytes(study=study, AccessionNumber=accession, PatientID=f"D{number}")
    with begin_instance(store) as incoming:
        incoming.write(content)
        receive_instance(store, incoming, source="bulk", now=now)
    report = IncomingReport(content=REPORT, accession_number=accession, source="bulk")
    receive_report(store, report, now=now)
    close_study(store, study, now=datetime.now(UTC))


def _put_rest_aside(store: Store) -> None:
    """Let nothing wait that is not of this day."""
    with store.writing() as connection:
        connection.execute(
            text(
                "UPDATE cases SET state = 'CONCORDANT', lease_owner = NULL, lease_until = NULL "
                "WHERE state IN ('READY', 'IN_TRIAGE')"
            )
        )
    fold_counts(store, changes=1)
    _outside_transaction(store, "REINDEX TABLE cases")
    _outside_transaction(store, "VACUUM (ANALYZE)")


def _rebuilt_index_bytes(store: Store) -> int:
    _outside_transaction(store, "REINDEX TABLE cases")
    return _seen(store)["cases"].index_bytes


def _outside_transaction(store: Store, statement: str) -> None:
    engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def _seen(store: Store) -> dict[str, _Seen]:
    with store.reading() as connection:
        rows = connection.execute(_STATISTICS, {"tables": list(_TABLES)}).all()
    return {
        row.relname: _Seen(row.n_dead_tup, row.autovacuum_count, row.bytes, row.index_bytes) for row in rows
    }
