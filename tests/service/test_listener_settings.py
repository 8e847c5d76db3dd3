import ssl

import pytest

from overread.errors import ConfigurationError
from service.listener_settings import Peer, load_dicom_settings, load_hl7_settings
from service.runtime.listener_process import Protocol, check_listener
from service.store.records import ReportStatus
from tests.service.certificates import Certificates


def test_nothing_need_be_set() -> None:
    assert load_dicom_settings({}).ae_title is None
    assert load_hl7_settings({}).accession_fields == ("OBR-18", "OBR-3", "OBR-2")
    assert not load_dicom_settings({}).is_restricted
    assert not load_hl7_settings({}).is_restricted


def test_the_environment_sets_everything() -> None:
    dicom = load_dicom_settings(
        {
            "OVERREAD_DICOM_AE_TITLE": "OVERREAD",
            "OVERREAD_DICOM_CALLING_AE_TITLES": "PACS, CT 1",
            "OVERREAD_DICOM_ASSOCIATIONS_MAX": "3",
            "OVERREAD_DICOM_IDLE_SECONDS": "1.5",
            "OVERREAD_DICOM_PEERS": "PACS=10.0.0.1:104, WS 1=tls://[::1]:2762",
        }
    )
    hl7 = load_hl7_settings(
        {
            "OVERREAD_HL7_SENDERS": "10.0.0.1, 10.1.0.0/16,fd00::/8",
            "OVERREAD_HL7_ACCESSION_FIELDS": "OBR-2",
            "OVERREAD_HL7_CHARSET": "Latin-1",
            "OVERREAD_HL7_PROCESSING_IDS": "P,T",
            "OVERREAD_HL7_STATUSES": "A=PRELIMINARY,Q=FINAL",
        }
    )

    assert (dicom.ae_title, dicom.calling_ae_titles) == ("OVERREAD", ("PACS", "CT 1"))
    assert (dicom.associations_max, dicom.idle_seconds) == (3, 1.5)
    assert dicom.peers == {
        "PACS": Peer(host="10.0.0.1", port=104),
        "WS 1": Peer(host="::1", port=2762, secured=True),
    }
    assert [str(network) for network in hl7.senders] == ["10.0.0.1/32", "10.1.0.0/16", "fd00::/8"]
    assert (hl7.accession_fields, hl7.charset, hl7.processing_ids) == (("OBR-2",), "iso8859-1", ("P", "T"))
    assert hl7.statuses == {"A": ReportStatus.PRELIMINARY, "Q": ReportStatus.FINAL}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OVERREAD_DICOM_AE_TITLE", "A TITLE THAT IS TOO LONG"),
        ("OVERREAD_DICOM_CALLING_AE_TITLES", "PACS,BACK\\SLASH"),
        ("OVERREAD_DICOM_ASSOCIATIONS_MAX", "0"),
        ("OVERREAD_DICOM_ASSOCIATIONS_MAX", "many"),
        ("OVERREAD_DICOM_IDLE_SECONDS", "nan"),
        ("OVERREAD_DICOM_TLS_KEY", "key"),
        ("OVERREAD_DICOM_PEERS", "10.0.0.1:104"),
        ("OVERREAD_DICOM_PEERS", "PACS=10.0.0.1"),
        ("OVERREAD_DICOM_PEERS", "PACS=10.0.0.1:many"),
        ("OVERREAD_DICOM_PEERS", "A TITLE THAT IS TOO LONG=10.0.0.1:104"),
        ("OVERREAD_HL7_SENDERS", "the RIS"),
        ("OVERREAD_HL7_SENDERS", "10.0.0.1/8"),
        ("OVERREAD_HL7_ACCESSION_FIELDS", "OBX-3"),
        ("OVERREAD_HL7_CHARSET", "8859-99"),
        ("OVERREAD_HL7_STATUSES", "A=LATER"),
        ("OVERREAD_HL7_MESSAGE_SECONDS", "0"),
        ("OVERREAD_HL7_TLS_CLIENT_CA", "authority"),
    ],
)
def test_a_wrong_setting_is_named(name, value) -> None:
    load = load_dicom_settings if "DICOM" in name else load_hl7_settings
    with pytest.raises(ConfigurationError, match=name):
        load({name: value})


@pytest.mark.parametrize("protocol", list(Protocol))
def test_others_may_send_only_when_somebody_has_said_which(protocol, certificates: Certificates) -> None:
    prefix = f"OVERREAD_{protocol.value.upper()}_"
    tls = {
        f"{prefix}TLS_CERTIFICATE": str(certificates.files.certificate),
        f"{prefix}TLS_KEY": str(certificates.files.key),
    }
    listed = {"OVERREAD_DICOM_CALLING_AE_TITLES": "*", "OVERREAD_HL7_SENDERS": "*"}
    for environ in ({}, tls):
        check_listener(protocol, "127.0.0.1", environ)
        with pytest.raises(ConfigurationError, match=prefix):
            check_listener(protocol, "0.0.0.0", environ)

    check_listener(protocol, "0.0.0.0", listed)
    authority = {f"{prefix}TLS_CLIENT_CA": str(certificates.mutual_files.client_authority)}
    check_listener(protocol, "0.0.0.0", tls | authority)


def test_certificates_that_cannot_be_used_are_noticed_before_anything_starts(tmp_path) -> None:
    environ = {"OVERREAD_HL7_TLS_CERTIFICATE": str(tmp_path / "none"), "OVERREAD_HL7_TLS_KEY": "none"}

    with pytest.raises(ConfigurationError, match="TLS"):
        check_listener(Protocol.HL7, "127.0.0.1", environ)


def test_old_versions_of_tls_are_not_spoken(certificates: Certificates) -> None:
    assert certificates.files.context().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert certificates.mutual_files.context().verify_mode is ssl.CERT_REQUIRED
