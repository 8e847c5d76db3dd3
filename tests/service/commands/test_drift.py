"""`overread drift`: a look at the latest window, and what was found so far."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overread.actor import Actor
from overread.command import EXIT_OK, main
from service.settings import load_settings
from service.store.database import open_store
from service.store.drift import add_look
from tests.service.material import triaged_case
from tests.service.store.releases.whole import whole_look


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one case, and one look with an alarm; what is usual ended eight days ago."""
    folder = tmp_path / "data"
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    triaged_case(store)
    add_look(store, whole_look(), actor=Actor.program("overread drift"))
    store.close()
    monkeypatch.setenv("OVERREAD_FREE_BYTES_MIN", "0")
    last = datetime.now(UTC) - timedelta(days=8)
    reference = f"{last - timedelta(days=30):%Y-%m-%d}/{last:%Y-%m-%d}"
    monkeypatch.setenv("OVERREAD_DRIFT_REFERENCE", reference)
    return folder


def run(folder: Path, *words: str) -> int:
    return main(["drift", *words, "--data-folder", str(folder)])


def test_what_was_found_is_listed(folder, capsys) -> None:
    assert run(folder, "--list") == EXIT_OK

    assert capsys.readouterr().out.splitlines() == [
        "2026-02-17/2026-03-01: 110 studies, 220 of 2026-02-06/2026-02-17, looked at 2026-03-01 14:46 UTC",
        "  pixels: ALARM, most in 'p50': 0.4 -> 0.5, p=0.0010",
        "  scores: nothing to compare",
    ]


def test_a_window_is_looked_at_once(folder, capsys) -> None:
    assert run(folder) == EXIT_OK
    assert "nothing to compare: one of the two holds no study" in capsys.readouterr().out

    assert run(folder) == EXIT_OK
    assert "no window is due" in capsys.readouterr().out


def test_without_usual_days_nothing_is_due_and_a_watch_says_what_to_set(folder, capsys, monkeypatch) -> None:
    monkeypatch.delenv("OVERREAD_DRIFT_REFERENCE")

    assert run(folder) == EXIT_OK
    assert "no window is due" in capsys.readouterr().out
    assert run(folder, "--daily") != EXIT_OK
    assert "set OVERREAD_DRIFT_REFERENCE" in capsys.readouterr().err
