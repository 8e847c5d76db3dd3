"""A short flood: that the program works, and that nothing acknowledged is lost or doubled under it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_flood_is_turned_away_in_order_and_what_was_taken_is_there_once(tmp_path: Path) -> None:
    size = ["--minutes", "0.2", "--capacity-seconds", "6", "--senders", "40", "--seed", "20260301"]
    # Patience is for a busy machine: the run ends as soon as everything is done.
    told = ["--patience", "2400", "--output", str(tmp_path / "outcome.json"), "--log", str(tmp_path / "log")]

    run = [sys.executable, "-m", "tests.service.faults.overload", *size, *told]
    done = subprocess.run(run, capture_output=True, text=True, timeout=3000, check=False)

    assert done.stdout, done.stderr
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    # How long a page takes is no matter for a machine that others use too.
    assert [fault for fault in outcome["faults"] if not fault.startswith("a page took")] == [], done.stdout
    reckoning = outcome["reckoning"]
    assert reckoning["studies"] == reckoning["triaged_once"] > 0
    assert reckoning["lost"] == reckoning["twice"] == []
    assert outcome["flood"]["offered"] > outcome["flood"]["acknowledged"] / 2
    assert set(outcome["acknowledged"]) == {"STOW-RS", "C-STORE", "HTTP", "HL7", "FHIR"}
