"""`overread notices`: who was told, a test message, and what was given up sent again."""

import json
from pathlib import Path

import pytest

from overread.command import EXIT_FAILED, EXIT_OK, main
from service.settings import load_settings
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import open_store
from tests.service.material import triaged_case
from tests.service.notices.peers import PAGE, SECRET, Receiver


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one case that waits, and settings that tell a program of it."""
    folder = tmp_path / "data"
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    triaged_case(store)
    store.close()
    for name, value in {
        "FREE_BYTES_MIN": "0",
        "NOTICES_WEBHOOK_SECRETS": f"pager={SECRET}",
        "NOTICES_PAGE_URL": PAGE,
        "NOTICES_RULES": "waiting:*:pager",
    }.items():
        monkeypatch.setenv(f"OVERREAD_{name}", value)
    return folder


def run(folder: Path, *words: str) -> int:
    return main(["notices", *words, "--data-folder", str(folder)])


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    capsys.readouterr()
    assert run(folder, "list", "--all", "--json") == EXIT_OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(line["destination"], line["form"], line["state"]) for line in lines]


def test_what_is_due_is_sent_once_and_again_when_a_person_wants_it(folder, capsys, monkeypatch) -> None:
    receiver = Receiver()
    with receiver.listening() as url:
        monkeypatch.setenv("OVERREAD_NOTICES_DESTINATIONS", f"pager={url}")
        assert run(folder, "send", "--once") == EXIT_OK
        assert listed(folder, capsys) == [("notice:pager", "WAITING", "SENT")]
        assert run(folder, "replay", "--case", "1") == EXIT_OK
        assert listed(folder, capsys) == [("notice:pager", "WAITING", "DUE")]
        assert run(folder, "send", "--once") == EXIT_OK

    assert len({call.message_id for call in receiver.calls}) == 1
    assert len(receiver.calls) == 2


def test_a_test_message_is_sent_at_once_and_recorded(folder, capsys, monkeypatch) -> None:
    receiver = Receiver(204, 500)
    with receiver.listening() as url:
        monkeypatch.setenv("OVERREAD_NOTICES_DESTINATIONS", f"pager={url}")
        assert run(folder, "test", "pager") == EXIT_OK
        assert "SENT\tHTTP status 204" in capsys.readouterr().out
        assert run(folder, "test", "pager") == EXIT_FAILED
        assert "DUE\tHTTP status 500" in capsys.readouterr().out
        assert run(folder, "test", "nobody") != EXIT_OK
        assert "there are: pager" in capsys.readouterr().err

    assert [json.loads(call.body)["type"] for call in receiver.calls] == ["overread.test"] * 2
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    acts = [item.entry for item in find_entries(store, TrailFilter()) if item.entry.what == "notices"]
    store.close()
    assert {(act.subject, act.detail) for act in acts} == {("notice:pager", "a test message")}
