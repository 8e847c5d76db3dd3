import re
import tomllib
from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from service.configuration import (
    MODELS,
    ONLY_VARIABLES,
    all_keys,
    effective_settings,
    faults,
    known_variables,
    reference,
    require_known_names,
    template,
)

ROOT = Path(__file__).parents[2]


def test_no_two_settings_share_a_variable_or_a_key() -> None:
    keys = all_keys()

    assert len({key.variable for key in keys}) == len(keys)
    assert len({(key.table, key.name) for key in keys}) == len(keys)


def test_every_setting_says_what_it_means() -> None:
    assert [key.variable for key in all_keys() if not key.meaning or key.meaning.endswith(".")] == []


def test_the_reference_is_what_the_models_say() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    assert page == reference(), "python -m service.configuration > docs/settings.md"


def test_the_documentation_names_no_variable_that_means_nothing() -> None:
    named = {
        name
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
        for name in re.findall(r"OVERREAD_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_*])", path.read_text(encoding="utf-8"))
    }

    assert {
        name for name in named - known_variables() if not any(k.startswith(name) for k in known_variables())
    } == set()


def test_the_template_is_a_settings_file_in_which_every_key_has_its_default(tmp_path: Path) -> None:
    text = template()
    assert tomllib.loads(text) == {key.table: {} for key in all_keys()}

    filled = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "overread.toml").write_text(filled)

    environ = {"OVERREAD_FOLDER": str(tmp_path)}
    assert {(table, name) for table, names in tomllib.loads(filled).items() for name in names} == {
        (key.table, key.name) for key in all_keys()
    }
    assert faults(environ) == []
    for model in MODELS[1:]:  # the first has paths in the data folder
        assert model.read(environ) == model.read({})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OVERREAD_QUITE_SECONDS", "OVERREAD_QUIET_SECONDS"),
        ("OVERREAD_DICOM_PEER", "OVERREAD_DICOM_PEERS"),
        ("OVERREAD_API_TOKEN_FIL", "OVERREAD_API_TOKEN_FILE"),
    ],
)
def test_a_variable_that_means_nothing_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is no setting; did you mean {nearest}\\?"):
        require_known_names({name: "x"})


def test_variables_that_are_known_empty_or_of_others_pass() -> None:
    require_known_names(
        {**dict.fromkeys(known_variables() - {"OVERREAD_CONFIG"}, "x"), "OVERREAD_OLD": "", "HOME": "x"}
    )
    assert set(ONLY_VARIABLES) <= known_variables()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[stores]", "[stores] is no table of settings; did you mean store?"),
        ("[store]\nquite_seconds = 3", "[store] quite_seconds is no setting; did you mean quiet_seconds?"),
        (
            "[store]\nattempts_max = 3",
            "[store] attempts_max is no setting; it belongs into [worker] attempts_max",
        ),
        ("[store]\nzzz = 3", "[store] zzz is no setting; `overread config init` lists all"),
    ],
)
def test_a_key_that_means_nothing_is_refused_with_the_nearest(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "overread.toml").write_text(content)

    assert faults({"OVERREAD_FOLDER": str(tmp_path)}) == [f"{tmp_path}/overread.toml: {said}"]


def test_all_faults_of_all_rooms_are_told_at_once() -> None:
    environ = {"OVERREAD_LEASE_SECONDS": "x", "OVERREAD_HL7_SENDERS": "the RIS", "OVERREAD_PEERS": "x"}

    names = [fault.partition(":")[0].partition(" ")[0] for fault in faults(environ)]

    assert names == ["OVERREAD_PEERS", "OVERREAD_LEASE_SECONDS", "OVERREAD_HL7_SENDERS"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OVERREAD_HOST": "0.0.0.0"}, "overread users add"),
        ({"OVERREAD_HOST_NAMES": "overread.example.org"}, "overread users add"),
        ({"OVERREAD_PACS": "PACS"}, "OVERREAD_DICOM_PEERS"),
        ({"OVERREAD_WATCH_FOLDER": "/nowhere"}, "OVERREAD_WATCH_FOLDER"),
        ({"OVERREAD_HL7_TLS_CERTIFICATE": "/none", "OVERREAD_HL7_TLS_KEY": "/none"}, "TLS cannot be set up"),
    ],
)
def test_settings_that_contradict_each_other_are_told(environ: dict[str, str], said: str) -> None:
    (fault,) = faults(environ)

    assert said in fault


@pytest.mark.parametrize(
    "way_in",
    [
        {"OVERREAD_API_TOKEN": "a token that is long enough"},
        {"OVERREAD_PROXIES": "10.0.0.2", "OVERREAD_PROXY_USER_HEADER": "X-Forwarded-User"},
        {
            "OVERREAD_OIDC_ISSUER": "https://login.example.org",
            "OVERREAD_OIDC_CLIENT_ID": "overread",
            "OVERREAD_GROUP_ROLES": "it=administrator",
        },
    ],
)
def test_others_may_reach_it_where_somebody_can_come_in(tmp_path: Path, way_in: dict[str, str]) -> None:
    assert faults({"OVERREAD_FOLDER": str(tmp_path), "OVERREAD_HOST": "0.0.0.0", **way_in}) == []


def test_what_is_in_effect_is_told_with_its_source_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "overread.toml").write_text(
        '[language_model]\nurl = "http://h/v1"\nname = "m"\nkey = "hush1"\n'
    )
    (tmp_path / "token").write_text("hush2-hush2-hush2")
    environ = {
        "OVERREAD_FOLDER": str(tmp_path),
        "OVERREAD_DATABASE_URL": "postgresql://user:hush3@host/name?password=hush4",
        "OVERREAD_API_TOKEN_FILE": str(tmp_path / "token"),
    }

    shown = {item.key.variable: (item.value, item.source) for item in effective_settings(environ)}

    file = tmp_path / "overread.toml"
    assert shown["OVERREAD_LANGUAGE_MODEL_NAME"] == ('"m"', f"file: [language_model] name in {file}")
    assert shown["OVERREAD_DATABASE_URL"] == (
        '"postgresql+psycopg://********@host/name"',
        "environment: OVERREAD_DATABASE_URL",
    )
    assert shown["OVERREAD_API_TOKEN"] == ('"********"', "secret file: OVERREAD_API_TOKEN_FILE")
    assert shown["OVERREAD_QUIET_SECONDS"] == ("30.0", "default")
    assert "hush" not in str(shown)
