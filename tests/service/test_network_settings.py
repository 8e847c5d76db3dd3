import ssl

import pytest

from overread.errors import ConfigurationError
from service.runtime.listener_process import Protocol, check_listener
from tests.service.certificates import Certificates


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
