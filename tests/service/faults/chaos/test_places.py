import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.faults.chaos.places import Clock, SqliteDatabase
from tests.service.faults.chaos.processes import descendants

TELL = "import sys, time\nfor line in sys.stdin: print(int(time.time()), flush=True)"

WAIT = """
import ctypes, time
libc, zeros = ctypes.CDLL(None), ctypes.create_string_buffer
condition, mutex, now = zeros(64), zeros(64), time.time()
until = (ctypes.c_long * 2)(int(now) + 1, int(now % 1 * 1e9))
libc.pthread_mutex_lock(mutex)
started = time.monotonic()
libc.pthread_cond_timedwait(condition, mutex, until)
print(time.monotonic() - started)
"""


def test_a_clock_is_stepped_under_a_process_that_runs(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    if not clock.can_be_stepped:
        pytest.skip("no C compiler is installed to make the clock of (Debian package gcc)")
    environment = {**os.environ, **clock.environment}
    with subprocess.Popen(
        [sys.executable, "-c", TELL],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def asked() -> int:
            process.stdin.write("\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        before = asked()
        clock.set(-86_400)
        back = asked()
        clock.set(86_400)
        forth = asked()

    assert back < before - 40_000
    assert forth > before + 40_000


def test_a_wait_until_a_wall_time_lasts_as_long_under_a_clock_that_was_stepped(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    if not clock.can_be_stepped:
        pytest.skip("no C compiler is installed to make the clock of (Debian package gcc)")
    clock.set(-86_400)
    environment = {**os.environ, **clock.environment}
    waited = subprocess.check_output([sys.executable, "-c", WAIT], env=environment, text=True)
    assert float(waited) > 0.9  # it was 0: a library that waits so would try again and again


def test_a_locked_database_takes_no_writes_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "database"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE things (number INTEGER)")
    database = SqliteDatabase(path)

    assert "locked" in database.take_away(abrupt=False)
    with sqlite3.connect(path, timeout=0) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("INSERT INTO things VALUES (1)")
    database.give_back()

    with sqlite3.connect(path, timeout=0) as other:
        other.execute("INSERT INTO things VALUES (1)")


def test_what_a_process_starts_is_found_by_its_pid() -> None:
    with subprocess.Popen([sys.executable, "-c", TELL], stdin=subprocess.PIPE) as process:
        found = {each.pid: each for each in descendants(os.getpid())}

        assert found[process.pid].peak_megabytes > 0
        assert found[process.pid].descriptors >= 0
