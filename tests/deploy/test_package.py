"""The wheel holds all that the main job needs, twice the same bytes, and the version of the code."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from overread import __version__

ROOT = Path(__file__).parents[2]
COMMIT_TIME = "1700000000"

pytestmark = pytest.mark.slow


def built(folder: Path) -> Path:
    """The wheel, built from the working tree."""
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": COMMIT_TIME}, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_alone_runs_the_main_job_and_is_built_the_same_twice(tmp_path) -> None:
    wheel = built(tmp_path / "one")
    again = built(tmp_path / "two")
    assert wheel.name == f"overread-{__version__}-py3-none-any.whl"
    assert hashlib.sha256(wheel.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()

    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    program = (
        "import sys, overread, service, models; from overread.command import main;"
        "print(overread.__file__, service.__file__, models.__file__, file=sys.stderr);"
        "sys.exit(main(['demo', '--once']))"
    )
    ran = subprocess.run(
        (sys.executable, "-P", "-c", program),
        env={**os.environ, "PYTHONPATH": str(unpacked), "BENTOML_DO_NOT_TRACK": "True"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    places = ran.stderr.splitlines()[0].split()
    assert all(place.startswith(str(unpacked)) for place in places)
    assert json.loads(ran.stdout)
