import pytest

from overread.errors import ConfigurationError
from service.listener_settings import Peer
from service.pacs.settings import (
    DicomwebAddress,
    DimseAddress,
    load_fetch_settings,
    require_fetch_settings,
)
from tests.service.certificates import Certificates

DIMSE = {
    "OVERREAD_PACS": "PACS",
    "OVERREAD_DICOM_PEERS": "PACS=10.0.0.1:104",
    "OVERREAD_DICOM_AE_TITLE": "OVERREAD",
}


def test_without_a_pacs_nothing_is_fetched_and_a_command_says_what_to_set() -> None:
    assert load_fetch_settings({}) is None
    with pytest.raises(ConfigurationError, match="set OVERREAD_PACS"):
        require_fetch_settings({})


def test_a_pacs_is_named_by_its_title_or_by_its_address() -> None:
    dimse = require_fetch_settings(DIMSE)
    web = require_fetch_settings(
        {"OVERREAD_PACS": "https://pacs.example/dicom-web/", "OVERREAD_PACS_AUTHORIZATION": "Bearer secret"}
    )

    peer = Peer(host="10.0.0.1", port=104)
    assert dimse.address == DimseAddress(ae_title="PACS", peer=peer, own_ae_title="OVERREAD")
    assert web.address == DicomwebAddress(url="https://pacs.example/dicom-web", authorization="Bearer secret")
    assert "secret" not in repr(web)


def test_nothing_is_fetched_by_itself_unless_it_is_asked_for() -> None:
    assert not require_fetch_settings(DIMSE).is_automatic
    assert require_fetch_settings(DIMSE | {"OVERREAD_FETCH_MISSED_MINUTES": "0"}).is_automatic
    assert require_fetch_settings(DIMSE | {"OVERREAD_FETCH_PRIORS": "3"}).priors_max == 3


def test_a_pacs_over_tls_is_shown_our_certificate(certificates: Certificates) -> None:
    secured = DIMSE | {"OVERREAD_DICOM_PEERS": "PACS=tls://10.0.0.1:2762"}
    with pytest.raises(ConfigurationError, match="OVERREAD_DICOM_TLS_CERTIFICATE"):
        require_fetch_settings(secured)
    files = certificates.mutual_files
    own = {
        "OVERREAD_DICOM_TLS_CERTIFICATE": str(files.certificate),
        "OVERREAD_DICOM_TLS_KEY": str(files.key),
        "OVERREAD_DICOM_TLS_CLIENT_CA": str(files.client_authority),
    }

    address = require_fetch_settings(secured | own).address

    assert isinstance(address, DimseAddress)
    assert address.tls == files


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OVERREAD_FETCH_PRIORS": "3"}, "OVERREAD_FETCH_PRIORS needs OVERREAD_PACS"),
        ({"OVERREAD_PACS": "OTHER"}, "OVERREAD_DICOM_PEERS"),
        ({"OVERREAD_DICOM_AE_TITLE": ""}, "OVERREAD_DICOM_AE_TITLE"),
        ({"OVERREAD_PACS": "ftp://pacs/dicom"}, "OVERREAD_PACS is not"),
        ({"OVERREAD_PACS": "https://user:secret@pacs/dicom"}, "OVERREAD_PACS_AUTHORIZATION"),
        ({"OVERREAD_PACS": "http://pacs/", "OVERREAD_PACS_AUTHORIZATION": "a\nb"}, "AUTHORIZATION"),
        ({"OVERREAD_FETCH_PRIORS": "-1"}, "OVERREAD_FETCH_PRIORS"),
        ({"OVERREAD_FETCH_PRIORS": "1.5"}, "OVERREAD_FETCH_PRIORS"),
        ({"OVERREAD_FETCH_STUDIES_PER_MINUTE": "0"}, "OVERREAD_FETCH_STUDIES_PER_MINUTE"),
        ({"OVERREAD_FETCH_MISSED_MINUTES": "soon"}, "OVERREAD_FETCH_MISSED_MINUTES"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], named: str) -> None:
    given = environ if named.startswith("OVERREAD_FETCH_PRIORS needs") else DIMSE | environ
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_fetch_settings(given)
    assert "secret" not in str(caught.value)
