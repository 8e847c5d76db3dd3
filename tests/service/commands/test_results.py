"""`overread results`: the outbox on the command line."""

import json
from pathlib import Path

import pytest
from pydicom import dcmread

from overread.command import main
from service.settings import load_settings
from service.store.database import open_store
from tests.service.results.material import TO_PACS, make_due, seen, told_case
from tests.service.results.peers import ScriptedPacs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with one result on its way."""
    folder = tmp_path / "data"
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    told_case(store, seen())
    make_due(store, TO_PACS)
    store.close()
    return folder


def run(folder: Path, *words: str) -> int:
    return main(["results", *words, "--data-folder", str(folder)])


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    capsys.readouterr()
    assert run(folder, "list", "--all", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(line["form"], line["state"]) for line in lines]


def test_what_is_due_is_sent_once_and_again_when_a_person_wants_it(folder, capsys, monkeypatch) -> None:
    pacs = ScriptedPacs()
    monkeypatch.setenv("OVERREAD_RESULTS_DESTINATIONS", "pacs=PACS")
    monkeypatch.setenv("OVERREAD_RESULTS_STORAGE_COMMITMENT", "false")
    monkeypatch.setenv("OVERREAD_FREE_BYTES_MIN", "0")
    with pacs.listening():
        monkeypatch.setenv("OVERREAD_DICOM_PEERS", f"PACS=127.0.0.1:{pacs.port}")
        assert run(folder, "send", "--once") == 0
        assert listed(folder, capsys) == [("SR", "SENT")]
        assert run(folder, "replay", "1") == 0
        assert listed(folder, capsys) == [("SR", "DUE")]
        assert run(folder, "send", "--once") == 0

    assert listed(folder, capsys) == [("SR", "SENT")]
    assert list(pacs.received.values()) == [2]


def test_an_object_is_written_to_a_file_and_sent_nowhere(folder, tmp_path, capsys) -> None:
    before = listed(folder, capsys)

    assert run(folder, "write", "1", str(tmp_path / "sr.dcm")) == 0

    assert dcmread(tmp_path / "sr.dcm").Modality == "SR"
    assert listed(folder, capsys) == before


def test_what_waits_is_named_with_its_reason(folder, capsys) -> None:
    assert run(folder, "list") == 0

    assert "case 1\tSR\tto pacs\tDUE\t0 attempts" in capsys.readouterr().out


def test_to_send_again_a_person_has_to_say_what(folder, capsys) -> None:
    assert run(folder, "replay") != 0

    assert "say what to send again" in capsys.readouterr().err
