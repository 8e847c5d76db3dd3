"""A store on PostgreSQL with so many cases: a day of them, multiplied inside the database."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from benchmarks.day import START, fill
from benchmarks.large_list import SEED_CASES, multiply
from service.settings import Settings, load_settings
from service.store.case_counts import fold_counts
from service.store.database import Store, open_store
from tests.service.postgres import cluster

NOW = START + timedelta(days=30)  # nothing that the filled store holds is in the future then

# Two images of each case, as rows: `multiply` leaves them out, since no list reads them.
_COPY_INSTANCES = text(
    "INSERT INTO instances (sop_instance_uid, study_instance_uid, series_instance_uid, sop_class_uid, "
    "transfer_syntax_uid, modality, sha256, size_bytes, source, received_at) "
    "SELECT study || '.1.' || image, study, study || '.1', sop_class_uid, transfer_syntax_uid, modality, "
    "lpad(to_hex(2 * (number + :shift) + image), 64, '0'), size_bytes, source, received_at "
    "FROM (SELECT *, '2.25.' || (number + 1 + :shift) AS study FROM (SELECT *, "
    "CAST(split_part(sop_instance_uid, '.', 3) AS BIGINT) - 1 AS number, "
    "CAST(split_part(sop_instance_uid, '.', 5) AS BIGINT) AS image FROM instances) AS numbered "
    "WHERE number < :seed_cases) AS named"
)
_MAKE_READY = text(
    "UPDATE cases SET state = 'READY', revision = revision + 1, attempts = 0, priority = 0, "
    "due_at = CAST(:since AS timestamptz) + case_id * interval '1 millisecond', "
    "waiting_since = NULL, overdue_at = NULL, open_to_all_at = NULL "
    "WHERE case_id IN (SELECT case_id FROM cases WHERE state = 'CONCORDANT' ORDER BY case_id LIMIT :count)"
)
_NEXT_CASE = text("SELECT setval(pg_get_serial_sequence('cases', 'case_id'), max(case_id)) FROM cases")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Installation on a PostgreSQL of its own: what a process needs to open its store."""

    database_url: str
    folder: Path

    def settings(self, **changes: object) -> Settings:
        """Return its settings, some of them changed."""
        environ = {"OVERREAD_DATABASE_URL": self.database_url, "OVERREAD_FREE_BYTES_MIN": "0"}
        return load_settings(environ, data_folder=self.folder).model_copy(update=changes)

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Give its store, opened by this process."""
        store = open_store(self.settings(), sweep=False)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def filled_site(count: int, seed: int) -> Iterator[Site]:
    """Give an installation with so many cases, each with its rows; the server's settings are Debian's."""
    with TemporaryDirectory(prefix="overread-scale-") as folder, cluster() as running:
        site = Site(database_url=running.url(running.new_database()), folder=Path(folder))
        with site.opened() as store:
            started = time.monotonic()
            fill(store, min(count, SEED_CASES), random.Random(seed))
            multiply(store, max(count // SEED_CASES, 1))
            for number in range(1, count // SEED_CASES):
                with store.writing() as connection:
                    bound = {"shift": number * SEED_CASES, "seed_cases": SEED_CASES}
                    connection.execute(_COPY_INSTANCES, bound)
            with store.writing() as connection:
                connection.execute(_NEXT_CASE)
            vacuum(store)
            print(
                f"{count:,} cases, {database_bytes(store) / 1e9:.1f} GB of database, filled in "
                f"{time.monotonic() - started:.0f} s",
                flush=True,
            )
        yield site


def make_ready(store: Store, count: int, *, since: datetime = START) -> int:
    """Let so many concluded cases wait for a worker again, and return how many do."""
    with store.writing() as connection:
        made = connection.execute(_MAKE_READY, {"count": count, "since": since}).rowcount
    fold_counts(store, changes=1)
    vacuum(store)
    return made


def vacuum(store: Store) -> None:
    """Take away what is dead and look at all tables, as autovacuum does when nothing is going on."""
    engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


def database_bytes(store: Store) -> int:
    """Return what the database takes on the disk."""
    with store.reading() as connection:
        size: int = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return size
