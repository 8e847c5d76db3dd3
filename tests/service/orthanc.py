"""Orthanc, a PACS that is not ours, as a process of the test's own."""

import contextlib
import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.waiting import eventually

ORTHANC = Path("/usr/sbin/Orthanc")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    """A port to listen at later, below those that the system hands to outgoing connections (32768 and above):
    one of those may be taken by any other test before its listener is there.
    """
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def orthanc(
    folder: Path, *, dicom_port: int, stow: str = "http://127.0.0.1:1", own_port: int | None = None
) -> Iterator[httpx.Client]:
    """Orthanc, knowing us as a modality and as a DICOMweb server; it is `ORTHANC` at `own_port`."""
    if not ORTHANC.exists() or not DICOMWEB.exists():
        pytest.skip("Orthanc is not installed (Debian packages orthanc and orthanc-dicomweb)")
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomAet": "ORTHANC",
        "DicomPort": own_port or free_port(),
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
            # Orthanc drops an idle connection after a second: a request must never be sent on one that it is
            # just closing, so that none is kept.
            once = httpx.Limits(max_keepalive_connections=0)
            address = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=address, timeout=120, trust_env=False, limits=once) as client:

                def is_up() -> bool:
                    assert process.poll() is None, (folder / "orthanc.log").read_text()
                    return answers(client)

                eventually(is_up)
                yield client
        finally:
            process.terminate()
            process.wait(60)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").status_code == 200
    except httpx.TransportError:
        return False
