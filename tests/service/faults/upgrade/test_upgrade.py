"""Short runs: two releases at work on one database, and an upgrade that has to stop the former."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.faults.upgrade.releases import NO_HISTORY, earlier_release
from tests.service.postgres import MISSING, program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program("initdb") is None, reason=MISSING),
]


def upgraded(way: str, folder: Path) -> str:
    words = ["-m", "tests.service.faults.upgrade", way, "--studies", "10", "--folder", str(folder)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_this_release_and_one_to_come_work_on_one_database_and_either_may_go(tmp_path) -> None:
    told = upgraded("beside", tmp_path / "run")

    assert "by the next release" in told
    assert "by this release" in told


def test_nothing_is_lost_from_a_release_that_has_to_be_stopped_nor_on_the_way_back(tmp_path) -> None:
    if earlier_release(tmp_path / "probe") is None:
        pytest.skip(NO_HISTORY)

    told = upgraded("restart", tmp_path / "run")

    assert "after the restore" in told
