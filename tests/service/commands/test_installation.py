"""What every command does with the installation that its options name."""

from pathlib import Path

import pytest

from overread.command import main
from service.store.database import Store

READING = [
    ["fsck"],
    ["export", "--out", "past.jsonl"],
    ["policy", "show"],
    ["policy", "history"],
    ["quarantine", "list"],
    ["shadow"],
    ["fetch", "list"],
    ["db", "check"],
    ["db", "backup", "backup"],
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_command_that_reads_refuses_a_folder_that_is_no_data_folder(
    words: list[str], tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main([*words, "--data-folder", "mistyped"]) == 1

    assert f"{tmp_path}/mistyped is no data folder of overread" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", READING[:1] + READING[2:7], ids=" ".join)
def test_the_data_folder_may_stand_before_and_after_the_subcommand(
    words: list[str], sqlite_store: Store, capsys
) -> None:
    option = ["--data-folder", str(sqlite_store.settings.data_folder)]

    assert main([*option, *words]) == 0
    before = capsys.readouterr().out
    assert main([words[0], *option, *words[1:]]) == 0
    assert main([*words, *option]) == 0
    assert capsys.readouterr().out == before * 2


def test_the_option_after_the_subcommand_is_the_stronger(sqlite_store: Store, tmp_path: Path) -> None:
    folder = str(sqlite_store.settings.data_folder)

    assert main(["--data-folder", str(tmp_path / "none"), "fsck", "--data-folder", folder]) == 0


def test_a_settings_file_that_is_named_counts_before_and_after_the_subcommand(
    sqlite_store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f'[store]\ndata_folder = "{sqlite_store.settings.data_folder}"\n')

    assert main(["--config", str(file), "fsck"]) == 0
    assert main(["fsck", "--config", str(file)]) == 0


@pytest.mark.parametrize("words", [["fsck"], ["worker", "--once"], ["import", "--reports", "none.csv"]])
def test_a_variable_that_means_nothing_is_refused(
    words: list[str], sqlite_store, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("OVERREAD_LEESE_SECONDS", "3")

    assert main([*words, "--data-folder", str(sqlite_store.settings.data_folder)]) == 1

    assert "did you mean OVERREAD_LEASE_SECONDS?" in capsys.readouterr().err
