"""Results to Orthanc and back: by C-STORE with storage commitment, and by STOW-RS."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from service.dicom.settings import DicomSettings, Peer
from service.results.dimse import StoreScu
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import Rule, StoreScp, StowServer
from service.results.stow import StowClient
from service.store.database import Store
from service.store.outbox import Commitment, DeliveryState, Query, list_deliveries
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.dicom.conftest import listening
from tests.service.material import NOW
from tests.service.orthanc import free_port, orthanc
from tests.service.results.material import make_due, seen, told_case
from tests.service.waiting import eventually

pytestmark = pytest.mark.slow

FORMS = (Form.SR, Form.SC, Form.KO, Form.SEG, Form.GSPS)


@pytest.fixture
def peer(sqlite_store: Store, tmp_path: Path) -> Iterator[tuple[httpx.Client, int]]:
    """Orthanc, which knows our listener, and its DICOM port."""
    own_port = free_port()
    settings = DicomSettings(idle_seconds=20, calling_ae_titles=("ORTHANC",), ae_title="OVERREAD")
    with (
        listening(sqlite_store, settings) as port,
        orthanc(tmp_path, dicom_port=port, own_port=own_port) as client,
    ):
        yield client, own_port


def made(store: Store, destination: str) -> None:
    told_case(store, seen("nodule", (10, 20, 30, 44)))
    rules = [Rule(moment=Moment.TRIAGE, form=form, destination=destination) for form in FORMS]
    make_due(store, rules)


def comes_back_unchanged(store: Store, client: httpx.Client) -> None:
    for delivery in list_deliveries(store, Query(), limit=9):
        assert delivery.state is DeliveryState.SENT
        found = client.post("/tools/lookup", content=str(delivery.sop_instance_uid)).json()
        (instance,) = [item["ID"] for item in found if item["Type"] == "Instance"]
        content = client.get(f"/instances/{instance}/file").content
        assert dcmread(DicomBytesIO(content)) == dcmread(store.files.path_of(str(delivery.sha256)))


def test_objects_come_back_unchanged_and_are_committed_to(peer, sqlite_store) -> None:
    client, port = peer
    made(sqlite_store, "pacs")
    address = StoreScp(
        name="pacs",
        ae_title="ORTHANC",
        peer=Peer(host="127.0.0.1", port=port),
        own_ae_title="OVERREAD",
    )
    sender = Sender(
        sqlite_store, StoreScu(address, sqlite_store.files), owner=this_process(), clock=lambda: NOW
    )

    assert sender.send_due() == len(FORMS)

    comes_back_unchanged(sqlite_store, client)
    eventually(
        lambda: (
            {item.commitment for item in list_deliveries(sqlite_store, Query(), limit=9)} == {Commitment.KEPT}
        )
    )


def test_objects_go_by_stow_too(peer, sqlite_store) -> None:
    client, _ = peer
    made(sqlite_store, "web")
    server = StowServer(name="web", url=str(client.base_url.join("/dicom-web")))
    sender = Sender(
        sqlite_store, StowClient(server, sqlite_store.files), owner=this_process(), clock=lambda: NOW
    )

    assert sender.send_due() == len(FORMS)

    comes_back_unchanged(sqlite_store, client)
