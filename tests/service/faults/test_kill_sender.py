import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_result_arrives_under_one_uid_however_often_the_sender_is_killed(database, request) -> None:
    url = []
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        url = ["--database-url", running.url(running.new_database())]
    size = ["--results", "40", "--kills", "25", "--seed", "7"]

    killing = [sys.executable, "-W", "ignore", "-m", "tests.service.faults.kill_sender", *size, *url]
    done = subprocess.run(killing, capture_output=True, text=True, timeout=400, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost                                     0" in done.stdout
