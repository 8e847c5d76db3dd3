import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from overread.command import main


def test_help_lists_every_subcommand_with_what_it_does(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])

    text = capsys.readouterr().out
    assert stop.value.code == 0
    for name in ("demo", "detect", "read", "serve", "train", "triage", "worker"):
        assert f"\n    {name} " in text


def test_an_unknown_subcommand_is_refused_with_the_known_ones(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["reed"])

    assert stop.value.code == 2
    assert "read" in capsys.readouterr().err


def test_starting_a_subcommand_of_the_domain_loads_neither_torch_nor_a_service() -> None:
    program = (
        "import sys; from overread.command import main\n"
        "try: main(['read', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'bentoml', 'onnxruntime', 'pydicom', 'sqlalchemy', 'service', 'models'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr


def completions(line: str) -> set[str]:
    """What the shell offers after a line, asked as argcomplete's program for bash asks."""
    program = (
        "import os, sys\n"
        "out = os.open('offers', os.O_WRONLY | os.O_CREAT)\n"
        "os.dup2(out, 8)\n"
        "from overread.command import main\n"
        "main()"
    )
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "_ARGCOMPLETE": "1",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE_IFS": "\n",
        }
        subprocess.run(
            [sys.executable, "-c", program], cwd=folder, env={**os.environ, **asked}, check=True, timeout=120
        )
        return set(Path(folder, "offers").read_text().split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("overread fs", {"fsck"}),
        ("overread db ch", {"check"}),
        ("overread fsck --rep", {"--repair"}),
        ("overread --data-folder x fsck --conf", {"--config"}),
    ],
)
def test_the_shell_completes_commands_and_options(line: str, offered: set[str]) -> None:
    assert completions(line) == offered
