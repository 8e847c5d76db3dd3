from pathlib import Path

import pytest

from models.language_model import EndpointSettings
from overread.errors import ConfigurationError
from service.settings import load_settings


def test_nothing_need_be_set() -> None:
    settings = load_settings({})

    assert settings.data_folder == Path.cwd() / "overread-data"
    assert settings.database_url == f"sqlite:///{settings.data_folder}/overread.sqlite3"
    assert settings.detectors_file == settings.data_folder / "detectors.json"


def test_the_environment_sets_everything(tmp_path) -> None:
    environ = {
        "OVERREAD_FOLDER": str(tmp_path),
        "OVERREAD_DATABASE_URL": "postgresql://user:word@host/name",
        "OVERREAD_QUIET_SECONDS": "2.5",
        "OVERREAD_ATTEMPTS_MAX": "3",
        "OVERREAD_DETECTORS": str(tmp_path / "registry.json"),
    }

    settings = load_settings(environ)

    assert settings.data_folder == tmp_path
    assert settings.database_url == "postgresql+psycopg://user:word@host/name"
    assert (settings.quiet_seconds, settings.attempts_max) == (2.5, 3)
    assert settings.detectors_file == tmp_path / "registry.json"


def test_a_folder_that_is_given_is_stronger_than_the_environment(tmp_path) -> None:
    assert load_settings({"OVERREAD_FOLDER": "/elsewhere"}, data_folder=tmp_path).data_folder == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OVERREAD_QUIET_SECONDS", "soon"),
        ("OVERREAD_QUIET_SECONDS", "-1"),
        ("OVERREAD_LEASE_SECONDS", "nan"),
        ("OVERREAD_LEASE_SECONDS", "inf"),
        ("OVERREAD_ATTEMPTS_MAX", "0"),
        ("OVERREAD_ATTEMPTS_MAX", "1.5"),
        ("OVERREAD_DATABASE_URL", "mysql://host/name"),
        ("OVERREAD_DATABASE_URL", "overread.sqlite3"),
        ("OVERREAD_DATABASE_URL", "sqlite://"),
        ("OVERREAD_SHIFTS", "day"),
        ("OVERREAD_SHIFTS", "day=25:00"),
        ("OVERREAD_SHIFTS", "day=07:00+02:00"),
        ("OVERREAD_SHIFTS", "day=07:00,early=07:00"),
    ],
)
def test_a_wrong_setting_is_named(name, value) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_settings({name: value})


def test_no_language_model_is_asked_unless_one_is_named() -> None:
    assert load_settings({}).language_model is None


def test_a_language_model_has_an_address_a_name_and_a_time_limit() -> None:
    environ = {
        "OVERREAD_LANGUAGE_MODEL_URL": "http://127.0.0.1:8000/v1",
        "OVERREAD_LANGUAGE_MODEL_NAME": "local",
        "OVERREAD_LANGUAGE_MODEL_KEY": "secret",
        "OVERREAD_LANGUAGE_MODEL_SECONDS_MAX": "3",
    }

    settings = load_settings(environ)

    assert settings.language_model == EndpointSettings(
        url="http://127.0.0.1:8000/v1", model="local", api_key="secret", timeout_seconds=3
    )
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OVERREAD_LANGUAGE_MODEL_URL", ""),
        ("OVERREAD_LANGUAGE_MODEL_NAME", ""),
        ("OVERREAD_LANGUAGE_MODEL_URL", "file:///v1"),
        ("OVERREAD_LANGUAGE_MODEL_URL", "http:///v1"),
        ("OVERREAD_LANGUAGE_MODEL_NAME", "x" * 65),
        ("OVERREAD_LANGUAGE_MODEL_SECONDS_MAX", "0"),
    ],
)
def test_a_wrong_setting_of_the_language_model_is_named(name, value) -> None:
    environ = {"OVERREAD_LANGUAGE_MODEL_URL": "http://127.0.0.1/v1", "OVERREAD_LANGUAGE_MODEL_NAME": "local"}

    with pytest.raises(ConfigurationError, match=name):
        load_settings({**environ, name: value})


def test_the_message_about_a_wrong_url_does_not_repeat_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"OVERREAD_DATABASE_URL": "mysql://user:secret@host/name"})

    assert "secret" not in str(caught.value)
