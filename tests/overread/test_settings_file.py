from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from overread.settings_file import SettingsFile, data_folder_of, read_settings_file


def test_without_a_file_there_is_nothing_and_the_data_folder_is_the_default() -> None:
    environ = {"OVERREAD_FOLDER": ""}

    assert read_settings_file(environ) == SettingsFile()
    assert data_folder_of(environ, SettingsFile()) == Path.cwd() / "overread-data"


def test_the_file_of_the_data_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text("[worker]\nattempts_max = 3\n")

    file = read_settings_file({"OVERREAD_FOLDER": str(tmp_path)})

    assert file.path == tmp_path / "overread.toml"
    assert file.value("worker", "attempts_max") == 3
    assert file.value("worker", "poll_seconds") is None


def test_a_file_that_is_named_is_read_in_its_place_and_may_name_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text("[worker]\nattempts_max = 3\n")
    (tmp_path / "site.toml").write_text('[store]\ndata_folder = "/srv/overread"\n')
    environ = {"OVERREAD_CONFIG": str(tmp_path / "site.toml")}

    file = read_settings_file(environ)

    assert file.value("worker", "attempts_max") is None
    assert data_folder_of(environ, file) == Path("/srv/overread")
    assert data_folder_of({**environ, "OVERREAD_FOLDER": str(tmp_path)}, file) == tmp_path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[store\n", "is not TOML"),
        (b"quiet_seconds = 3\n", "quiet_seconds stands outside a table"),
        (b"\xff", "is not UTF-8"),
        (b'[store]\ndata_folder = "/elsewhere"\n', "names another folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "overread.toml").write_bytes(content)

    with pytest.raises(ConfigurationError, match=said) as caught:
        read_settings_file({"OVERREAD_FOLDER": str(tmp_path)})
    assert str(tmp_path / "overread.toml") in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_settings_file({"OVERREAD_CONFIG": str(tmp_path / "none.toml")})
