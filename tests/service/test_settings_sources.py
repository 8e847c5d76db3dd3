from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.web.settings import WebSettings

TOKEN = "a-token-of-more-than-16"


def test_a_variable_is_stronger_than_the_file_and_the_file_than_the_default(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text("[worker]\nattempts_max = 3\nretry_seconds = 7\n")

    settings = load_settings({"OVERREAD_ATTEMPTS_MAX": "4"}, data_folder=tmp_path)

    assert (settings.attempts_max, settings.retry_seconds, settings.poll_seconds) == (4, 7.0, 0.5)


def test_what_is_empty_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text('[web]\ndicomweb_url = ""\narchive_readers = 3\n')

    settings = WebSettings.read({"OVERREAD_FOLDER": str(tmp_path), "OVERREAD_ARCHIVE_READERS": " "})

    assert (settings.dicomweb_url, settings.archive_readers) == (None, 3)


def test_settings_that_are_made_in_code_do_not_depend_on_the_process(monkeypatch) -> None:
    monkeypatch.setenv("OVERREAD_ARCHIVE_READERS", "5")
    monkeypatch.setenv("ARCHIVE_READERS", "6")

    assert WebSettings().archive_readers == 8


def test_a_key_in_its_table_lacks_the_name_of_the_table() -> None:
    names = {key.field: (key.table, key.name) for key in Settings.declared_keys()}

    assert names["objects_url"] == ("objects", "url")
    assert names["language_model_key"] == ("language_model", "key")
    assert names["quiet_seconds"] == ("store", "quiet_seconds")


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    settings = WebSettings.read({"OVERREAD_API_TOKEN_FILE": str(tmp_path / "token")})

    assert settings.api_token == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b" \n", "is empty"), (b"\xff", "UTF-8")]
)
def test_a_file_for_a_secret_that_holds_none_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    with pytest.raises(ConfigurationError, match=f"OVERREAD_API_TOKEN_FILE: .*token.*{said}"):
        WebSettings.read({"OVERREAD_API_TOKEN_FILE": str(tmp_path / "token")})


def test_every_fault_is_told_with_its_variable_or_its_key(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text('[worker]\nattempts_max = "many"\n')

    with pytest.raises(ConfigurationError) as caught:
        load_settings({"OVERREAD_LEASE_SECONDS": "0"}, data_folder=tmp_path)

    assert "OVERREAD_LEASE_SECONDS: input should be greater than or equal to 1, not '0'" in str(caught.value)
    assert f"[worker] attempts_max in {tmp_path}/overread.toml: input should be a" in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        'database_url = "mysql://user:hush@host/name"',
        'database_url = ["postgresql://user:hush@host/name"]',
        'data_folder = ["hush"]',
    ],
)
def test_a_fault_in_an_address_does_not_repeat_it(tmp_path: Path, lines: str) -> None:
    (tmp_path / "site.toml").write_text(f"[store]\n{lines}\n")

    with pytest.raises(ConfigurationError, match=r"\[store\] data") as caught:
        load_settings({"OVERREAD_CONFIG": str(tmp_path / "site.toml")})

    assert "hush" not in str(caught.value)
