"""A real PACS forwards to us: Orthanc, by C-STORE and by STOW-RS."""

import socket
from pathlib import Path

import pytest

from service.dicom.listener import DicomListener
from service.dicom.settings import DicomSettings, Peer
from service.dicomweb.stow import make_stow_app
from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.worklist import load_instance
from service.web.guard import access_for
from tests.service.material import NOW, dicom_bytes
from tests.service.orthanc import free_port, orthanc
from tests.service.serving_thread import listening_on
from tests.service.waiting import eventually
from tests.service.web.listening import listening, opener

pytestmark = pytest.mark.slow


def test_what_orthanc_forwards_by_c_store_and_by_stow_is_stored_once(
    tmp_path: Path, sqlite_store: Store
) -> None:
    def listener(connection: socket.socket) -> DicomListener:
        settings = DicomSettings(ae_title="OVERREAD", calling_ae_titles=("ORTHANC",))
        return DicomListener(connection, sqlite_store, settings, lambda: NOW)

    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with (
        listening_on(listener) as dicom_port,
        listening(app) as stow,
        orthanc(tmp_path, dicom_port=dicom_port, stow=stow) as pacs,
    ):
        sent = [
            pacs.post("/instances", content=dicom_bytes(number=number)).json()["ID"] for number in (1, 2, 3)
        ]

        stored = pacs.post("/modalities/overread/store", json=sent[:2])
        assert stored.status_code == 200, stored.text
        assert (stored.json()["InstancesCount"], stored.json()["FailedInstancesCount"]) == (2, 0)
        assert load_instance(sqlite_store, "2.25.1.1.1").source == "C-STORE ORTHANC 127.0.0.1"

        forwarded = pacs.post("/dicom-web/servers/overread/stow", json={"Resources": sent})
        assert forwarded.status_code == 200, forwarded.text

    assert load_instance(sqlite_store, "2.25.1.1.2").source == "C-STORE ORTHANC 127.0.0.1"
    assert load_instance(sqlite_store, "2.25.1.1.3").source == "STOW-RS 127.0.0.1"
    assert count_quarantine(sqlite_store) == 0


def test_orthanc_may_delete_what_we_answer_for(tmp_path: Path, sqlite_store: Store) -> None:
    own_port = free_port()

    def listener(connection: socket.socket) -> DicomListener:
        settings = DicomSettings(peers={"ORTHANC": Peer(host="127.0.0.1", port=own_port)})
        return DicomListener(connection, sqlite_store, settings, lambda: NOW)

    with (
        listening_on(listener) as dicom_port,
        orthanc(tmp_path, dicom_port=dicom_port, own_port=own_port) as pacs,
    ):
        sent = pacs.post("/instances", content=dicom_bytes()).json()["ID"]
        kept = {"Resources": [sent]}
        unknown = {
            "DicomInstances": [{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "SOPInstanceUID": "2.25.9"}]
        }
        outcomes = {}
        pacs.post("/modalities/overread/store", json=[sent])
        for name, wanted in (("kept", kept), ("unknown", unknown)):
            asked = pacs.post("/modalities/overread/storage-commitment", json=wanted)
            assert asked.status_code == 200, asked.text
            path = asked.json()["Path"]
            eventually(lambda path=path: pacs.get(path).json()["Status"] != "Pending")
            outcomes[name] = pacs.get(path).json()

    assert outcomes["kept"]["Status"] == "Success"
    assert [item["SOPInstanceUID"] for item in outcomes["kept"]["Success"]] == ["2.25.1.1.1"]
    assert outcomes["unknown"]["Status"] == "Failure"
    assert outcomes["unknown"]["Failures"][0]["FailureReason"] == 0x0112
