"""What the documentation prints under a command is what the command prints."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_of_the_budget_prints_what_the_page_shows(tmp_path) -> None:
    page = (DOCS / "budget.md").read_text(encoding="utf-8")
    commands, shown = re.search(
        r"```sh\n(python -m tests.*?)```\n\n```text\n(.*?)```", page, re.DOTALL
    ).groups()

    printed = ""
    for line in commands.replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(line)
        start = [sys.executable] if program == "python" else [sys.executable, "-m", "overread"]
        # the tests are importable from the root of the repository, where the page is read
        root = {"PYTHONPATH": str(DOCS.parent)}
        done = subprocess.run(
            [*start, *arguments], cwd=tmp_path, env=root, check=True, capture_output=True, text=True
        )
        printed = done.stdout

    assert printed == shown
