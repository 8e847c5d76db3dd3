"""Orthanc as the PACS, asked by DIMSE and by DICOMweb: the same tests for both."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydicom.data import get_testdata_file

from service.dicom.listener import DicomListener
from service.dicom.settings import DicomSettings, Peer
from service.pacs.archive import Archive
from service.pacs.dicomweb import DicomwebArchive
from service.pacs.dimse import DimseArchive
from service.pacs.settings import DicomwebAddress, DimseAddress
from service.store.database import Store
from tests.service.material import NOW, dicom_bytes
from tests.service.orthanc import free_port, orthanc
from tests.service.serving_thread import listening_on

REAL = ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm")
CURRENT = {"PatientID": "P7", "BodyPartExamined": "CHEST", "AccessionNumber": "A7"}


def real_path(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


@dataclass(frozen=True, kw_only=True)
class Pacs:
    """A running Orthanc."""

    client: httpx.Client
    dicom_port: int

    def keep(self, content: bytes) -> None:
        answer = self.client.post("/instances", content=content)
        assert answer.status_code == 200, answer.text

    def send_to(self, port: int) -> None:
        """From now on it sends what is moved to us to this port."""
        entry = {"AET": "OVERREAD", "Host": "127.0.0.1", "Port": port}
        assert self.client.put("/modalities/overread", json=entry).status_code == 200

    def dimse(self, own: str = "OVERREAD") -> DimseArchive:
        peer = Peer(host="127.0.0.1", port=self.dicom_port)
        return DimseArchive(DimseAddress(ae_title="ORTHANC", peer=peer, own_ae_title=own))

    def dicomweb(self, store: Store) -> DicomwebArchive:
        return DicomwebArchive(
            DicomwebAddress(url=f"{self.client.base_url}/dicom-web".replace("//dicom", "/dicom")),
            store,
            lambda: NOW,
        )


def earlier(number: int, date: str, **elements: object) -> bytes:
    study = f"2.25.7{number}"
    return dicom_bytes(study=study, StudyDate=date, **(CURRENT | {"AccessionNumber": study} | elements))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    """It holds real objects, a study of three images, and studies of one patient over the years."""
    own_port = free_port()
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(folder, dicom_port=free_port(), own_port=own_port) as client:
        running = Pacs(client=client, dicom_port=own_port)
        for name in REAL:
            running.keep(real_path(name).read_bytes())
        for number in (1, 2, 3):
            running.keep(dicom_bytes(number=number, StudyDate="20260301"))
        running.keep(earlier(0, "20260301", AccessionNumber="A7"))
        running.keep(earlier(1, "20250101"))
        running.keep(earlier(2, "20240101", BodyPartExamined=None))
        running.keep(earlier(3, "20230101"))
        running.keep(earlier(4, "20100101"))
        running.keep(earlier(5, "20250601", BodyPartExamined="HAND"))
        running.keep(earlier(6, "20250601", Modality="CT"))
        running.keep(earlier(7, "20250601", PatientID="P70"))
        running.keep(earlier(8, "20260301"))  # of the same day
        yield running


@pytest.fixture(params=["dimse", "dicomweb"])
def archive(request: pytest.FixtureRequest, pacs: Pacs, sqlite_store: Store) -> Iterator[Archive]:
    """Orthanc, which brings what is fetched into the test's own store."""
    with ExitStack() as stack:
        if request.param == "dicomweb":
            web = pacs.dicomweb(sqlite_store)
            stack.callback(web.close)
            yield web
            return
        pacs.send_to(stack.enter_context(listening_on(_listener(sqlite_store))))
        yield pacs.dimse()


def _listener(store: Store) -> Callable[[socket.socket], DicomListener]:
    return lambda connection: DicomListener(connection, store, DicomSettings(), lambda: NOW)
