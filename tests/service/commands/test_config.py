import tomllib
from pathlib import Path

import pytest

from overread.command import main


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERREAD_FOLDER", raising=False)
    monkeypatch.delenv("OVERREAD_CONFIG", raising=False)


def test_init_writes_a_file_that_check_accepts_and_does_not_overwrite(tmp_path: Path, capsys) -> None:
    file = tmp_path / "site.toml"

    assert main(["config", "init", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["config", "check", "--config", str(file)]) == 0
    assert f"nothing is wrong; settings file: {file}" in capsys.readouterr().out
    assert main(["config", "init", str(file)]) == 1
    assert "File exists" in capsys.readouterr().err


def test_init_writes_where_the_settings_file_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    assert main(["config", "init", "--data-folder", str(tmp_path / "data")]) == 0
    assert main(["--config", str(tmp_path / "site.toml"), "config", "init"]) == 0

    assert (tmp_path / "data" / "overread.toml").read_text() == (tmp_path / "site.toml").read_text()


def test_init_prints_the_file(capsys) -> None:
    assert main(["config", "init", "-"]) == 0

    assert "[dicom]" in capsys.readouterr().out


def test_show_prints_a_settings_file(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("OVERREAD_DICOM_PEERS", "PACS=10.0.0.1:104")
    (tmp_path / "site.toml").write_text("[worker]\nattempts_max = 3\n")

    assert main(["config", "show", "--config", str(tmp_path / "site.toml")]) == 0

    shown = capsys.readouterr().out
    assert tomllib.loads(shown)["worker"]["attempts_max"] == 3
    assert tomllib.loads(shown)["dicom"]["peers"]["PACS"]["port"] == 104
    assert "attempts_max = 3  # file: [worker] attempts_max in" in shown
    (tmp_path / "again.toml").write_text(shown)
    assert main(["config", "check", "--config", str(tmp_path / "again.toml")]) == 0


def test_check_says_each_fault_on_a_line(capsys, monkeypatch) -> None:
    monkeypatch.setenv("OVERREAD_QUITE_SECONDS", "3")
    monkeypatch.setenv("OVERREAD_LEASE_SECONDS", "0")

    assert main(["config", "check"]) == 1

    unknown, small = capsys.readouterr().out.splitlines()
    assert unknown == "OVERREAD_QUITE_SECONDS is no setting; did you mean OVERREAD_QUIET_SECONDS?"
    assert small.startswith("OVERREAD_LEASE_SECONDS: ")
