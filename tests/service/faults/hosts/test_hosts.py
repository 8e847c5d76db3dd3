"""A short run: a worker's machine is cut off, and the database fails over to its standby."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.faults.hosts.network import MISSING, can_have_hosts
from tests.service.postgres import MISSING as NO_POSTGRESQL
from tests.service.postgres import program

pytestmark = pytest.mark.slow


def test_nothing_is_lost_or_doubled_when_machines_go_away_and_the_database_fails_over(tmp_path: Path) -> None:
    if not can_have_hosts():
        pytest.skip(MISSING)
    if program("pg_basebackup") is None:
        pytest.skip(NO_POSTGRESQL)
    told = tmp_path / "outcome.json"
    # Patience is for a busy machine, and shorter than the kernel's with a server that is gone: without limits
    # of our own the workers would still wait for it.
    run = ["--away", "12", "--event", "cut work1", "--event", "fail over", "--patience", "500"]
    run += ["--output", str(told)]

    done = subprocess.run(
        [sys.executable, "-m", "tests.service.faults.hosts", *run],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    reckoning = json.loads(told.read_text())["reckoning"]
    assert reckoning["studies"] == reckoning["triaged_once"] > 0
