"""Wheel and source archive: twice the same bytes, the version of the code, and installed by pipx they run."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from overread import __version__

ROOT = Path(__file__).parents[2]
COMMIT_TIME = "1700000000"

pytestmark = pytest.mark.slow


def built(folder: Path) -> list[Path]:
    """The source archive, and the wheel that is built from it, as `make package` makes them."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": COMMIT_TIME}, check=True)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheel and source archive."""
    return built(tmp_path_factory.mktemp("dist"))


def test_wheel_and_source_are_built_the_same_twice_and_bear_the_version(package, tmp_path) -> None:
    again = built(tmp_path)

    names = [path.name for path in package]
    assert names == [f"overread-{__version__}-py3-none-any.whl", f"overread-{__version__}.tar.gz"]
    assert [path.name for path in again] == names
    for one, other in zip(package, again, strict=True):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_the_version_stands_in_one_place() -> None:
    """Only overread/__init__.py states it; what else names it as a version takes it from there."""
    stated = re.compile(rf'(?:version|__version__)\s*=\s*"{re.escape(__version__)}"')
    sources = [
        *ROOT.glob("*.toml"),
        *(path for room in ("overread", "service") for path in (ROOT / room).rglob("*.py")),
    ]

    assert [path.name for path in sources if stated.search(path.read_text())] == ["__init__.py"]


def test_the_wheel_alone_runs_the_main_job(package, tmp_path) -> None:
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(package[0]) as archive:
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


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_an_environment_of_its_own_is_made_by_the_usual_tools(tool, package, tmp_path) -> None:
    program = Path(sys.executable).with_name(tool)
    if not program.exists():
        pytest.skip(f"{tool} is not installed (pip install {tool})")
    places = {"PIPX_HOME": "home", "PIPX_BIN_DIR": "bin", "UV_TOOL_DIR": "home", "UV_TOOL_BIN_DIR": "bin"}
    environment = {**os.environ, **{name: str(tmp_path / place) for name, place in places.items()}}
    constraints, wheel = str(ROOT / "constraints.txt"), str(package[0])
    words = {
        "pipx": ["install", "--python", sys.executable, f"--pip-args=--constraint {constraints}", wheel],
        "uv": ["tool", "install", "--python", sys.executable, "--constraints", constraints, wheel],
    }
    subprocess.run([program, *words[tool]], env=environment, cwd=tmp_path, check=True)

    ran = subprocess.run(
        [tmp_path / "bin" / "overread", "demo", "--once"],
        env={name: value for name, value in environment.items() if name != "PYTHONPATH"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout)
