"""Units of deploy/systemd: systemd understands them, their commands are there, and they are well shut in."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.commands import parsed

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/overread/bin/overread"
EXPOSURE_MAX = 30  # tenths; systemd calls up to 5 "ok" and beyond that "exposed"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian package systemd)",
)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    command = ("systemd-analyze", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)  # our own files


@needs_systemd
def test_systemd_understands_every_line(tmp_path) -> None:
    for unit in UNITS:  # of this machine instead: it has neither the program nor the user
        text = unit.read_text().replace(PROGRAM, sys.executable)
        (tmp_path / unit.name).write_text(re.sub("=overread$", "=root", text, flags=re.MULTILINE))

    told = analyze("verify", *(str(path) for path in sorted(tmp_path.iterdir())))

    ours = [line for line in told.stderr.splitlines() if "overread" in line]
    assert (ours, told.returncode) == ([], 0)


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_exposed_to_little(unit) -> None:
    told = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--json=short", str(unit))

    open_doors = [row["name"] for row in json.loads(told.stdout) if float(row.get("exposure") or 0) >= 0.3]
    assert told.returncode == 0, open_doors


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_command_of_a_service_is_one_of_overread(unit) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    words = shlex.split(line)
    if words[0] == "/bin/sh":
        words = shlex.split(words[2].removeprefix("exec "))

    assert words[0] == PROGRAM
    assert parsed(words[1:]).data_folder == Path("/var/lib/overread")
