"""What docs/how-to/record-system.md asks is answered, with FHIR."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.store.database import Store
from tests.service.fhir import official
from tests.service.results.material import seen, told_case

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "record-system.md"
COMMANDS = re.findall(r"^(?:curl|overread) .*$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def ran(command: str, **environ: str) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(
        ["bash", "-c", command],
        env=dict(os.environ) | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_every_question_of_the_page_is_answered(api: httpx.Client, sqlite_store: Store) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian package curl)")
    told_case(sqlite_store, seen("nodule", (10, 20, 30, 44)))
    names = {"http://127.0.0.1:8400": str(api.base_url), "A-1001": "A1", "2.25.1001": "2.25.1"}
    make_token, *asked = COMMANDS
    overread = make_token.replace("overread", f"{sys.executable} -m overread")
    token = ran(overread, OVERREAD_FOLDER=str(sqlite_store.settings.data_folder)).split()[0]
    kinds = []
    for shown in asked:
        command = shown.replace("curl", f'curl -H "Authorization: Bearer {token}"')
        for there, here in names.items():
            command = command.replace(there, here)
        resource = json.loads(ran(command))
        official.require_valid(resource, official.R5 if "=5.0" in shown else official.R4)
        kinds.append((resource.get("type"), len(resource.get("entry", []))))

    # Result with Observation and Task; Task; nothing since; Task; nothing confirmed; the box; the version.
    assert kinds == [
        ("searchset", 3),
        ("searchset", 1),
        ("searchset", 0),
        ("searchset", 1),
        ("searchset", 0),
        ("searchset", 1),
        ("history", 1),
        (None, 0),
    ]
