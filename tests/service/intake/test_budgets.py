"""The table of budgets states what the code holds."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from service.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "intake.md"
ROWS = re.findall(r"^\| [^|]+ \| (\d+) \| `([\w.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_is_a_table() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("stated", "name"), ROWS, ids=[name for _, name in ROWS])
def test_a_budget_is_what_the_table_says(stated: str, name: str) -> None:
    if name.startswith("OVERREAD_"):
        held = Settings.model_fields[name.removeprefix("OVERREAD_").lower()].default
    else:
        module, _, constant = name.rpartition(".")
        held = getattr(import_module(module), constant)

    assert held == int(stated)
