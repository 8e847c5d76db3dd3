import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_judgement_is_lost_or_recorded_twice_however_often_we_are_killed(database, request) -> None:
    url = []
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        url = ["--database-url", running.url(running.new_database())]
    size = ["--kills", "15", "--seed", "20260301"]

    killing = [sys.executable, "-m", "tests.service.faults.kill_judging", *size, *url]
    done = subprocess.run(killing, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost                                 0" in done.stdout
