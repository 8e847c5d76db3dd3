import pytest

from overread.errors import ConfigurationError
from service.dicom.settings import DicomSettings, Peer
from service.pacs.settings import DicomwebAddress, DimseAddress, PacsSettings
from tests.service.certificates import Certificates

DIMSE = {
    "OVERREAD_PACS": "PACS",
    "OVERREAD_DICOM_PEERS": "PACS=10.0.0.1:104",
    "OVERREAD_DICOM_AE_TITLE": "OVERREAD",
}


def address(environ: dict[str, str]) -> DimseAddress | DicomwebAddress:
    return PacsSettings.read(environ).address(DicomSettings.read(environ))


def test_without_a_pacs_nothing_is_fetched_and_a_command_says_what_to_set() -> None:
    assert PacsSettings.read({}).archive is None
    with pytest.raises(ConfigurationError, match="set OVERREAD_PACS"):
        address({})


def test_a_pacs_is_named_by_its_title_or_by_its_address() -> None:
    dicomweb = {
        "OVERREAD_PACS": "https://pacs.example/dicom-web/",
        "OVERREAD_PACS_AUTHORIZATION": "Bearer secret",
    }
    dimse, web = address(DIMSE), address(dicomweb)

    peer = Peer(host="10.0.0.1", port=104)
    assert dimse == DimseAddress(ae_title="PACS", peer=peer, own_ae_title="OVERREAD")
    assert web == DicomwebAddress(url="https://pacs.example/dicom-web", authorization="Bearer secret")
    assert "secret" not in repr(web)
    assert "secret" not in repr(PacsSettings.read(dicomweb))


def test_nothing_is_fetched_by_itself_unless_it_is_asked_for() -> None:
    assert not PacsSettings.read(DIMSE).is_automatic
    assert PacsSettings.read(DIMSE | {"OVERREAD_FETCH_MISSED_MINUTES": "0"}).is_automatic
    assert PacsSettings.read(DIMSE | {"OVERREAD_FETCH_PRIORS": "3"}).priors_max == 3


def test_a_pacs_over_tls_is_shown_our_certificate(certificates: Certificates) -> None:
    secured = DIMSE | {"OVERREAD_DICOM_PEERS": "PACS=tls://10.0.0.1:2762"}
    with pytest.raises(ConfigurationError, match="OVERREAD_DICOM_TLS_CERTIFICATE"):
        address(secured)
    files = certificates.mutual_files
    own = {
        "OVERREAD_DICOM_TLS_CERTIFICATE": str(files.certificate),
        "OVERREAD_DICOM_TLS_KEY": str(files.key),
        "OVERREAD_DICOM_TLS_CLIENT_CA": str(files.client_authority),
    }

    found = address(secured | own)

    assert isinstance(found, DimseAddress)
    assert found.tls == files


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OVERREAD_FETCH_PRIORS": "3"}, "OVERREAD_FETCH_PRIORS needs OVERREAD_PACS"),
        ({"OVERREAD_PACS": "OTHER"}, "OVERREAD_DICOM_PEERS"),
        ({"OVERREAD_DICOM_AE_TITLE": ""}, "OVERREAD_DICOM_AE_TITLE"),
        ({"OVERREAD_PACS": "ftp://pacs/dicom"}, "OVERREAD_PACS: it is not"),
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
        address(given)
    assert "secret" not in str(caught.value)
