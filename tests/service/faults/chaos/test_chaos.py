"""A run of half a minute: that the program works, and that what it disturbs stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_nothing_is_lost_or_doubled_whatever_goes_wrong_at_once(tmp_path: Path) -> None:
    size = ["--minutes", "0.4", "--rate", "0.7", "--pace", "1.5", "--seed", "20260301"]
    # Patience is for a busy machine: the run ends as soon as everything is done.
    size += ["--patience", "1500"]
    told = ["--output", str(tmp_path / "outcome.json"), "--log", str(tmp_path / "log")]

    run = [sys.executable, "-m", "tests.service.faults.chaos", *size, *told]
    done = subprocess.run(run, capture_output=True, text=True, timeout=3000, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["is_perfect"]
    assert outcome["reckoning"]["studies"] == outcome["reckoning"]["triaged_once"] > 0
    assert sum(outcome["happened"].values()) > 0
    assert sum(outcome["hostile"].values()) > 0
    assert outcome["peak_megabytes"]["worker"] > 0
