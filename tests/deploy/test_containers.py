"""The container and the services in deploy/ give commands, settings and files that there are."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.commands import parsed

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
TEXT = (COMPOSE / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "overread"}


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_is_one_of_overread(name) -> None:
    words = OURS[name]["command"]

    assert parsed(words)
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]


def test_every_setting_is_one_of_the_reference() -> None:
    known = set(re.findall(r"`(OVERREAD_[A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    given = {key for service in OURS.values() for key in service["environment"] if "OVERREAD" in key}
    given |= set(re.findall(r"\bOVERREAD_[A-Z0-9_]+(?==)", DOCKERFILE.read_text()))

    assert given
    assert given - known == set()


def test_the_script_makes_every_secret_that_is_asked_for_once_and_for_its_owner_alone(tmp_path) -> None:
    script = shutil.copy(COMPOSE / "secrets.sh", tmp_path)
    subprocess.run([script], check=True)  # our own
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())

    assert set(made) == set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert all(len(secret) == 48 for secret in made.values())
    assert len(set(made.values())) == len(made)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    again = subprocess.run([script], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (1, ".env is there already\n")


def test_every_file_that_is_mounted_is_there() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]

    assert mounted
    assert [path for path in mounted if not (COMPOSE / path).exists()] == []


def test_everything_that_is_installed_is_copied_and_nothing_else() -> None:
    copied = {line.split()[1] for line in DOCKERFILE.read_text().splitlines() if line.startswith("COPY ")}
    copied -= {"--from=build"}
    project = (ROOT / "pyproject.toml").read_text()
    packages = set(re.findall(r'"(\w+)"', re.findall(r"^packages = \[(.*)\]$", project, re.MULTILINE)[0]))
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split()

    assert copied - {"pyproject.toml"} == packages
    assert packages <= {line.removeprefix("!") for line in ignored}
    assert ignored[0] == "*"
