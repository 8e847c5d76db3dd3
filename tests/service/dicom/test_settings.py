import pytest

from overread.errors import ConfigurationError
from service.dicom.settings import DicomSettings, Peer


def test_nothing_need_be_set() -> None:
    settings = DicomSettings.read({})

    assert (settings.ae_title, settings.peers, settings.tls) == (None, {}, None)
    assert not settings.is_restricted


def test_the_environment_sets_everything() -> None:
    settings = DicomSettings.read(
        {
            "OVERREAD_DICOM_AE_TITLE": "OVERREAD",
            "OVERREAD_DICOM_CALLING_AE_TITLES": "PACS, CT 1",
            "OVERREAD_DICOM_ASSOCIATIONS_MAX": "3",
            "OVERREAD_DICOM_IDLE_SECONDS": "1.5",
            "OVERREAD_DICOM_PEERS": "PACS=10.0.0.1:104, WS 1=tls://[::1]:2762",
        }
    )

    assert (settings.ae_title, settings.calling_ae_titles) == ("OVERREAD", ("PACS", "CT 1"))
    assert (settings.associations_max, settings.idle_seconds) == (3, 1.5)
    assert settings.peers == {
        "PACS": Peer(host="10.0.0.1", port=104),
        "WS 1": Peer(host="::1", port=2762, secured=True),
    }


@pytest.mark.parametrize(
    "peers",
    [
        'peers = "PACS=10.0.0.1:104"',
        'peers = ["PACS=10.0.0.1:104"]',
        'peers = {PACS = "10.0.0.1:104"}',
        "peers = {PACS = {host = '10.0.0.1', port = 104}}",
        '[dicom.peers]\nPACS = "10.0.0.1:104"',
    ],
)
def test_the_settings_file_names_peers_as_a_list_or_as_a_table(tmp_path, peers: str) -> None:
    (tmp_path / "overread.toml").write_text(f"[dicom]\n{peers}\n")

    settings = DicomSettings.read({"OVERREAD_FOLDER": str(tmp_path)})

    assert settings.peers == {"PACS": Peer(host="10.0.0.1", port=104)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AE_TITLE", "A TITLE THAT IS TOO LONG"),
        ("CALLING_AE_TITLES", "PACS,BACK\\SLASH"),
        ("ASSOCIATIONS_MAX", "0"),
        ("ASSOCIATIONS_MAX", "many"),
        ("IDLE_SECONDS", "nan"),
        ("TLS_KEY", "key"),
        ("PEERS", "10.0.0.1:104"),
        ("PEERS", "PACS=10.0.0.1"),
        ("PEERS", "PACS=10.0.0.1:many"),
        ("PEERS", "=10.0.0.1:104"),
        ("PEERS", "A TITLE THAT IS TOO LONG=10.0.0.1:104"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"OVERREAD_DICOM_{name}"):
        DicomSettings.read({f"OVERREAD_DICOM_{name}": value})
