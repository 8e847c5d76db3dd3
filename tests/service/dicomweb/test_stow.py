"""STOW-RS over real sockets, with clients that are not ours."""

import io
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread

from service.dicomweb import stow
from service.dicomweb.stow import make_stow_app
from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.worklist import load_instance
from service.web.guard import access_for
from service.web.settings import WebSettings
from tests.service.counting import counting
from tests.service.material import dicom_bytes
from tests.service.web.listening import listening, opener

DICOM_JSON = "application/dicom+json"
BOUNDARY = "----edge"


def part(content: bytes, media_type: str | None = "application/dicom") -> bytes:
    header = f"Content-Type: {media_type}\r\n" if media_type else ""
    return f"--{BOUNDARY}\r\n{header}\r\n".encode() + content + b"\r\n"


def body(*contents: bytes) -> bytes:
    return b"".join(map(part, contents)) + f"--{BOUNDARY}--\r\n".encode()


def post(url: str, content: bytes, path: str = "/studies", **headers: str) -> httpx.Response:
    default = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'}
    return httpx.post(url + path, content=content, headers=default | headers, timeout=30)


def uids(reply: httpx.Response, sequence: str) -> list[str]:
    items = reply.json().get(sequence, {}).get("Value", [])
    return [item["00081155"]["Value"][0] for item in items]


def reasons(reply: httpx.Response, sequence: str) -> list[int]:
    items = reply.json().get(sequence, {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


REFERENCED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def incoming_files(store: Store) -> list[Path]:
    return list(store.files.incoming.iterdir())


def test_dicomweb_client_stores_a_study_and_reads_the_reply(stow_url: str, sqlite_store: Store) -> None:
    datasets = [dcmread(io.BytesIO(dicom_bytes(number=number))) for number in (1, 2, 3)]
    reply = DICOMwebClient(stow_url).store_instances(datasets)
    assert [item.ReferencedSOPInstanceUID for item in reply.ReferencedSOPSequence] == [
        dataset.SOPInstanceUID for dataset in datasets
    ]
    assert "FailedSOPSequence" not in reply


def test_the_bytes_are_kept_as_they_were_sent(stow_url: str, sqlite_store: Store) -> None:
    sent = dicom_bytes()
    reply = post(stow_url, body(sent))
    assert reply.status_code == 200
    assert reply.headers["content-type"] == DICOM_JSON
    assert load_instance(sqlite_store, uids(reply, REFERENCED)[0]).path.read_bytes() == sent


def test_sending_the_same_again_changes_nothing_and_succeeds(stow_url: str) -> None:
    assert [post(stow_url, body(dicom_bytes())).status_code for _ in range(2)] == [200, 200]


def test_a_broken_part_fails_alone(stow_url: str, sqlite_store: Store) -> None:
    with counting("overread_intake") as counts:
        reply = post(stow_url, body(dicom_bytes(number=1), b"no DICOM", dicom_bytes(number=2)))
    assert counts.added == {
        'overread_intake_accepted_total{protocol="stow"}': 2,
        'overread_intake_refused_total{protocol="stow",reason="INVALID_DICOM"}': 1,
    }
    assert reply.status_code == 202
    assert uids(reply, REFERENCED) == ["2.25.1.1.1", "2.25.1.1.2"]
    assert reasons(reply, OTHER) == [0xC000]
    assert count_quarantine(sqlite_store) == 1
    assert incoming_files(sqlite_store) == []


def test_a_request_brings_so_many_parts_and_its_reply_says_what_to_do_with_the_others(
    sqlite_store: Store,
) -> None:
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None), WebSettings(stow_parts_max=2))
    with listening(app) as url:
        reply = post(url, body(*(dicom_bytes(number=number) for number in range(1, 6))))
        broken = post(url, body(b"no DICOM", b"none", b"none at all"))

    assert (reply.status_code, broken.status_code) == (202, 409)
    assert uids(reply, REFERENCED) == ["2.25.1.1.1", "2.25.1.1.2"]
    assert reasons(reply, OTHER) == [0xA700]
    assert "only the first 2 parts of a request are taken; send the others again" in reply.headers["warning"]
    assert incoming_files(sqlite_store) == []
    assert count_quarantine(sqlite_store) == 2


def test_other_content_under_a_known_uid_is_a_conflict_that_names_it(stow_url: str) -> None:
    post(stow_url, body(dicom_bytes(value=255)))
    reply = post(stow_url, body(dicom_bytes(value=0)))
    assert reply.status_code == 409
    assert (uids(reply, FAILED), reasons(reply, FAILED)) == (["2.25.1.1.1"], [0x0111])


def test_a_study_address_takes_its_own_instances_only(stow_url: str, sqlite_store: Store) -> None:
    own, foreign = dicom_bytes(study="2.25.7"), dicom_bytes(study="2.25.8")
    reply = post(stow_url, body(own, foreign), path="/studies/2.25.7")
    assert reply.status_code == 202
    assert uids(reply, REFERENCED) == ["2.25.7.1.1"]
    assert (uids(reply, FAILED), reasons(reply, FAILED)) == (["2.25.8.1.1"], [0x0106])
    assert incoming_files(sqlite_store) == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param("application/dicom", 415, id="a single part"),
        pytest.param(
            f'multipart/related; type="application/dicom+json"; boundary={BOUNDARY}', 415, id="metadata"
        ),
        pytest.param(f'multipart/related; type="application/dicom+xml"; boundary={BOUNDARY}', 415, id="XML"),
        pytest.param(f"multipart/form-data; boundary={BOUNDARY}", 415, id="a form"),
        pytest.param('multipart/related; type="application/dicom"', 400, id="no boundary"),
        pytest.param(
            f'multipart/related; type="application/dicom"; boundary={"b" * 500}', 400, id="endless boundary"
        ),
        pytest.param(f"multipart/related; boundary={BOUNDARY}", 200, id="no type, which Orthanc leaves out"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_content_type(
    stow_url: str, content_type: str, status: int
) -> None:
    assert post(stow_url, body(dicom_bytes()), **{"Content-Type": content_type}).status_code == status


def test_a_part_of_another_media_type_is_refused(stow_url: str) -> None:
    closing = f"--{BOUNDARY}--\r\n".encode()
    assert post(stow_url, part(b"{}", "application/json") + closing).status_code == 415
    mixed = post(stow_url, part(b"{}", "application/json") + body(dicom_bytes()))
    assert (mixed.status_code, reasons(mixed, OTHER)) == (202, [0xC000])


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("application/dicom+xml", 406),
    ],
)
def test_only_json_is_offered(stow_url: str, accept: str, status: int) -> None:
    assert post(stow_url, body(dicom_bytes()), Accept=accept).status_code == status


def test_a_body_without_closing_boundary_keeps_what_was_whole(stow_url: str, sqlite_store: Store) -> None:
    whole = part(dicom_bytes(number=1)) + part(dicom_bytes(number=2))
    reply = post(stow_url, whole[:-20])
    assert reply.status_code == 202
    assert (uids(reply, REFERENCED), reasons(reply, OTHER)) == (["2.25.1.1.1"], [0xC000])
    assert incoming_files(sqlite_store) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no multipart at all", id="no multipart"),
        pytest.param(part(dicom_bytes())[:-60], id="first part cut"),
        pytest.param(f"--{BOUNDARY}\r\nX: ".encode() + b"y" * 100_000, id="endless part header"),
    ],
)
def test_a_body_with_nothing_whole_is_a_bad_request(
    stow_url: str, sqlite_store: Store, content: bytes
) -> None:
    reply = post(stow_url, content)
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert incoming_files(sqlite_store) == []


def test_an_empty_multipart_body_is_a_bad_request(stow_url: str) -> None:
    assert post(stow_url, f"--{BOUNDARY}--\r\n".encode()).status_code == 400


def test_a_sender_that_goes_away_leaves_no_file_and_loses_nothing_else(
    stow_url: str, sqlite_store: Store
) -> None:
    content = body(dicom_bytes(number=1), dicom_bytes(number=2) + bytes(stow.FEED_BYTES * 2))
    address = urlsplit(stow_url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            f"POST /studies HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(content)}\r\n"
            f'Content-Type: multipart/related; type="application/dicom"; boundary="{BOUNDARY}"\r\n\r\n'
        )
        connection.sendall(head.encode() + content[: stow.FEED_BYTES + 4096])
        assert eventually(stow_url, lambda: len(incoming_files(sqlite_store)) == 1)
    assert eventually(stow_url, lambda: incoming_files(sqlite_store) == [])
    assert load_instance(sqlite_store, "2.25.1.1.1").sop_instance_uid == "2.25.1.1.1"


def eventually(url: str, condition: Callable[[], bool]) -> bool:
    """Whether it holds after some of many requests, each of which must be served meanwhile."""
    for _ in range(100):
        assert post(url, body(dicom_bytes(number=3))).status_code == 200
        if condition():
            return True
    return False


def test_an_object_beyond_the_limit_fails_alone(sqlite_store: Store) -> None:
    small = restricted(sqlite_store, object_bytes_max=4096)
    app = make_stow_app(opener(small), access_for("127.0.0.1", None))
    with listening(app) as url:
        reply = post(
            url, body(dicom_bytes(number=1), dicom_bytes(number=2) + bytes(8192), dicom_bytes(number=3))
        )
    assert reply.status_code == 202
    assert uids(reply, REFERENCED) == ["2.25.1.1.1", "2.25.1.1.3"]
    assert reasons(reply, OTHER) == [0xC000]
    assert incoming_files(sqlite_store) == []


def restricted(store: Store, **limits: int) -> Store:
    """The same store with other limits."""
    settings = store.settings.model_copy(update=limits)  # type: ignore[arg-type]
    return replace(store, settings=settings, files=replace(store.files, settings=settings))


def test_a_full_disk_is_out_of_resources_and_says_when_to_try_again(
    tmp_path: Path, sqlite_store: Store
) -> None:
    full = restricted(sqlite_store, free_bytes_min=1 << 60)
    app = make_stow_app(opener(full), access_for("127.0.0.1", None))
    with listening(app) as url:
        reply = post(url, body(dicom_bytes()))
    assert reply.status_code == 503
    assert reasons(reply, OTHER) == [0xA700]
    assert int(reply.headers["retry-after"]) > 0


def test_no_reply_and_no_log_line_names_the_patient(stow_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    post(stow_url, body(dicom_bytes(value=1)))
    replies = [
        post(stow_url, body(dicom_bytes(value=2), dicom_bytes(PatientID="P2", number=9), b"Doe^Jane")),
        post(stow_url, part(dicom_bytes(number=4))[:-30]),
        httpx.post(
            f"{stow_url}/studies/2.25.1", content=b"Doe^Jane", headers={"Content-Type": "text/Doe^Jane"}
        ),
    ]
    logged = "".join(capfd.readouterr())
    for text in (*(reply.text for reply in replies), logged):
        assert "Doe" not in text
        assert "P2" not in text


def test_the_reply_is_valid_dicom_json(stow_url: str) -> None:
    reply = post(stow_url, body(dicom_bytes(), b"junk"))
    dataset = Dataset.from_json(json.dumps(reply.json()))
    assert dataset.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.1.1"
    assert dataset.OtherFailuresSequence[0].FailureReason == 0xC000
