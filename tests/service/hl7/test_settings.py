import pytest

from overread.errors import ConfigurationError
from service.hl7.settings import Hl7Settings
from service.store.records import ReportStatus


def test_nothing_need_be_set() -> None:
    settings = Hl7Settings.read({})

    assert settings.accession_fields == ("OBR-18", "OBR-3", "OBR-2")
    assert not settings.is_restricted


def test_the_environment_sets_everything() -> None:
    settings = Hl7Settings.read(
        {
            "OVERREAD_HL7_SENDERS": "10.0.0.1, 10.1.0.0/16,fd00::/8",
            "OVERREAD_HL7_ACCESSION_FIELDS": "OBR-2",
            "OVERREAD_HL7_CHARSET": "Latin-1",
            "OVERREAD_HL7_PROCESSING_IDS": "P,T",
            "OVERREAD_HL7_STATUSES": "A=PRELIMINARY,Q=FINAL",
        }
    )

    assert [str(network) for network in settings.senders] == ["10.0.0.1/32", "10.1.0.0/16", "fd00::/8"]
    assert (settings.accession_fields, settings.charset) == (("OBR-2",), "iso8859-1")
    assert settings.processing_ids == ("P", "T")
    assert settings.statuses == {"A": ReportStatus.PRELIMINARY, "Q": ReportStatus.FINAL}


def test_the_settings_file_gives_lists_and_tables(tmp_path) -> None:
    text = '[hl7]\nsenders = ["10.1.0.0/16"]\nprocessing_ids = ["P", "T"]\nstatuses = {A = "PRELIMINARY"}\n'
    (tmp_path / "overread.toml").write_text(text)

    settings = Hl7Settings.read({"OVERREAD_FOLDER": str(tmp_path)})

    assert [str(network) for network in settings.senders] == ["10.1.0.0/16"]
    assert settings.processing_ids == ("P", "T")
    assert settings.statuses == {"A": ReportStatus.PRELIMINARY}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENDERS", "the RIS"),
        ("SENDERS", "10.0.0.1/8"),
        ("ACCESSION_FIELDS", "OBX-3"),
        ("CHARSET", "8859-99"),
        ("STATUSES", "A=LATER"),
        ("STATUSES", "A"),
        ("MESSAGE_SECONDS", "0"),
        ("CONNECTIONS_MAX", "0"),
        ("TLS_CLIENT_CA", "authority"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"OVERREAD_HL7_{name}"):
        Hl7Settings.read({f"OVERREAD_HL7_{name}": value})
