"""A real PACS forwards to us: Orthanc, by C-STORE and by STOW-RS."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.dicom.listener import DicomListener
from service.http.access import RequestMetrics
from service.http.guard import access_for
from service.http.stow import make_stow_app
from service.listener_settings import DicomListenerSettings
from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.worklist import load_instance
from tests.service.http.listening import listening, opener
from tests.service.material import NOW, dicom_bytes
from tests.service.serving_thread import listening_on

ORTHANC = Path("/usr/sbin/Orthanc")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_SECONDS = 120.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def orthanc(folder: Path, *, dicom_port: int, stow: str) -> Iterator[httpx.Client]:
    """Orthanc, knowing us as a modality and as a DICOMweb server."""
    if not ORTHANC.exists() or not DICOMWEB.exists():
        pytest.skip("Orthanc is not installed (Debian packages orthanc and orthanc-dicomweb)")
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomPort": free_port(),
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "DicomModalities": {"overread": ["OVERREAD", "127.0.0.1", dicom_port]},
        "Plugins": [str(DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": {"overread": {"Url": f"{stow}/"}}},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("w") as log:
        process = subprocess.Popen([str(ORTHANC), str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
                deadline = time.monotonic() + START_SECONDS
                while not answers(client):
                    assert process.poll() is None, (folder / "orthanc.log").read_text()
                    assert time.monotonic() < deadline, (folder / "orthanc.log").read_text()
                yield client
        finally:
            process.terminate()
            process.wait(60)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").status_code == 200
    except httpx.TransportError:
        return False


def test_what_orthanc_forwards_by_c_store_and_by_stow_is_stored_once(
    tmp_path: Path, sqlite_store: Store
) -> None:
    def listener(connection: socket.socket) -> DicomListener:
        settings = DicomListenerSettings(ae_title="OVERREAD", calling_ae_titles=("ORTHANC",))
        return DicomListener(connection, sqlite_store, settings, lambda: NOW)

    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None), RequestMetrics())
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
