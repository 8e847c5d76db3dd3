import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_nothing_that_is_put_into_a_folder_is_lost_or_doubled_however_often_its_watcher_is_killed() -> None:
    killing = [sys.executable, "-m", "tests.service.faults.watching", "--files", "60", "--kills", "15"]

    done = subprocess.run(killing, capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
