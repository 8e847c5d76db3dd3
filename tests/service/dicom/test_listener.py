"""The C-STORE listener over real sockets, with dcmtk, with pynetdicom as a sender, and with bare sockets."""

import io
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification  # type: ignore[attr-defined]

from service.dicom.settings import DicomSettings
from service.store.database import Store
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.worklist import load_instance
from tests.service.certificates import Certificates
from tests.service.counting import counting
from tests.service.dicom.conftest import SETTINGS, HastyListener, listening
from tests.service.dicom.senders import (
    ECHOSCU,
    IMPLICIT,
    STORAGE,
    STORESCU,
    RawSender,
    associate_request,
    data_pdu,
    dcmtk,
    store_command,
)
from tests.service.material import dicom_bytes, send_image

PRIVATE_STORAGE = "1.2.826.0.1.3680043.9.9999.1"


PRIORITY, MOVE_ORIGINATOR = struct.pack("<HH", 0, 0x0700), struct.pack("<HH", 0, 0x0701)


def written(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def data_set(content: bytes) -> bytes:
    """What a sender sends of a file: the bytes after the file meta information."""
    length = struct.unpack_from("<L", content, 140)[0]
    return content[144 + length :]


def incoming(store: Store) -> list[Path]:
    return list(store.files.incoming.iterdir())


def stored(store: Store, uid: str = "2.25.1.1.1") -> bytes:
    return load_instance(store, uid).path.read_bytes()


def implicit(number: int = 1, **elements: object) -> bytes:
    dataset = dcmread(io.BytesIO(dicom_bytes(number=number, **elements)))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


def store_with_pynetdicom(port: int, content: bytes, **associating: object) -> int | None:
    """The status that pynetdicom as a sender gets; None if there is no answer."""
    dataset = dcmread(io.BytesIO(content))
    entity = AE(ae_title="PYNET")
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title="OVERREAD", **associating)
    if not association.is_established:
        return None
    answer = association.send_c_store(dataset)
    association.release()
    return answer.Status if "Status" in answer else None


def test_dcmtk_asks_whether_somebody_is_there(port: int) -> None:
    assert dcmtk(ECHOSCU, port).returncode == 0


def test_dcmtk_stores_a_study_on_one_association(port: int, sqlite_store: Store, tmp_path: Path) -> None:
    contents = [dicom_bytes(number=number) for number in (1, 2, 3)]

    sent = dcmtk(STORESCU, port, *written(tmp_path, *contents))

    assert sent.returncode == 0, sent.stderr
    assert sent.stderr.count("Received Store Response (Success)") == 3
    for number, content in enumerate(contents, 1):
        kept = stored(sqlite_store, f"2.25.1.1.{number}")
        assert data_set(kept) == data_set(content)
    assert load_instance(sqlite_store, "2.25.1.1.1").source == "C-STORE STORESCU 127.0.0.1"
    assert incoming(sqlite_store) == []


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "image_dfl.dcm",
        "rtplan.dcm",
        "test-SR.dcm",
        "JPGLosslessP14SV1_1s_1f_8b.dcm",
    ],
)
def test_every_class_and_transfer_syntax_is_stored_as_it_came(
    port: int, sqlite_store: Store, name: str
) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    dataset = dcmread(path)

    entity = AE()
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port)
    status = association.send_c_store(path)
    association.release()

    assert status.Status == 0x0000
    record = load_instance(sqlite_store, str(dataset.SOPInstanceUID))
    assert record.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID
    assert dcmread(record.path).file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID
    assert dcmread(record.path) == dataset


def test_a_private_storage_class_is_stored_too(port: int, sqlite_store: Store) -> None:
    content = dicom_bytes(SOPClassUID=PRIVATE_STORAGE)

    assert store_with_pynetdicom(port, content) == 0x0000
    assert load_instance(sqlite_store, "2.25.1.1.1").sop_class_uid == PRIVATE_STORAGE


def test_a_service_that_is_none_of_ours_is_not_accepted(port: int) -> None:
    entity = AE()
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port)

    assert [context.abstract_syntax for context in association.accepted_contexts] == [Verification]
    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_first_transfer_syntax_of_a_sender_is_agreed_on(port: int, syntax: str) -> None:
    entity = AE()
    others = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
    entity.add_requested_context(STORAGE, [syntax, *(other for other in others if other != syntax)])
    association = entity.associate("127.0.0.1", port)

    assert association.accepted_contexts[0].transfer_syntax == [syntax]
    association.release()


def test_the_same_again_is_a_success_and_other_bytes_are_not(port: int, sqlite_store: Store) -> None:
    with counting("overread_intake") as counts:
        statuses = [store_with_pynetdicom(port, dicom_bytes(value=value)) for value in (255, 255, 0)]

    assert statuses == [0x0000, 0x0000, 0xC001]
    assert counts.added == {
        'overread_intake_accepted_total{protocol="c_store"}': 2,
        'overread_intake_refused_total{protocol="c_store",reason="CONTRADICTION"}': 1,
    }
    (entry,) = list_quarantine(sqlite_store)
    assert (entry.reason, entry.source) == ("CONTRADICTION", "C-STORE PYNET 127.0.0.1")


def test_the_same_object_as_a_file_is_the_same_object(port: int, sqlite_store: Store) -> None:
    send_image(sqlite_store, dicom_bytes())

    assert store_with_pynetdicom(port, dicom_bytes()) == 0x0000
    assert stored(sqlite_store) == dicom_bytes()


@pytest.mark.parametrize(
    ("command", "content", "status"),
    [
        (store_command("2.25.1.1.1"), data_set(implicit()), 0x0000),
        (store_command("2.25.9"), data_set(implicit()), 0xA900),
        (store_command("2.25.1.1.1", sop_class="1.2.840.10008.5.1.4.1.1.2"), data_set(implicit()), 0xA900),
        (store_command("2.25.1.1.1"), data_set(implicit())[:-9], 0xC000),
        (store_command("2.25.1.1.1"), data_set(implicit(StudyInstanceUID=None)), 0xC000),
        (store_command("2.25.1.1.1"), b"", 0xC000),
        (store_command("2.25.1.1.1"), b"Doe^Jane" * 100, 0xC000),
    ],
    ids=["whole", "other instance", "other class", "truncated", "no study", "empty", "no DICOM"],
)
def test_each_object_gets_its_status_and_the_association_goes_on(
    port: int, sqlite_store: Store, command: bytes, content: bytes, status: int
) -> None:
    with RawSender(port) as sender:
        sender.send(command, b"\x02" + content)
        assert sender.status() == status
        sender.send(store_command("2.25.1.1.2", message=2), b"\x02" + data_set(implicit(2)))
        assert sender.status() == 0x0000

    assert count_quarantine(sqlite_store) == (status != 0)
    assert incoming(sqlite_store) == []


def test_an_object_may_come_in_fragments_of_any_size(port: int, sqlite_store: Store) -> None:
    content = data_set(implicit())
    command = store_command("2.25.1.1.1")[1:]
    pieces = [content[start : start + 7] for start in range(0, len(content), 7)]

    with RawSender(port) as sender:
        sender.send(b"\x01" + command[:5], b"\x01" + command[5:30], b"\x03" + command[30:])
        sender.send(*(b"\x00" + piece for piece in pieces), b"\x02")
        assert sender.status() == 0x0000

    assert data_set(stored(sqlite_store)) == content


@pytest.mark.parametrize("cut", ["in an object", "in a PDU", "after an object"])
def test_a_connection_that_is_cut_leaves_nothing_half_and_loses_nothing_whole(
    port: int, sqlite_store: Store, cut: str
) -> None:
    first, second = data_set(implicit(1)), data_set(implicit(2))
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.1"), b"\x02" + first)
        assert sender.status() == 0x0000
        if cut != "after an object":
            sender.send(store_command("2.25.1.1.2", message=2), b"\x00" + second[:100])
        if cut == "in a PDU":
            sender.connection.sendall(data_pdu(b"\x02" + second[100:])[:50])
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.3"), b"\x02" + data_set(implicit(3)))
        assert sender.status() == 0x0000

    wait_for_the_end_of_connections()
    assert incoming(sqlite_store) == []
    assert data_set(stored(sqlite_store)) == first
    assert stored(sqlite_store, "2.25.1.1.3")
    assert count_quarantine(sqlite_store) == 0


def wait_for_the_end_of_connections() -> None:
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(20)


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BBL", 4, 0, 0xFFFFFFFF),
        struct.pack(">BBL", 9, 0, 10) + bytes(10),
        struct.pack(">BBL", 4, 0, 10) + b"\xff" * 10,
        data_pdu(b"\x03" + b"\xff" * 50),
        data_pdu(b"\x03"),
        data_pdu(b"\x02data before a command"),
        data_pdu(store_command("2.25.1.1.1"), context=99) + data_pdu(b"\x02x", context=99),
        data_pdu(store_command("2.25.1")) + data_pdu(b"\x00x") + data_pdu(store_command("2.25.2")),
        data_pdu(store_command("2.25.1").replace(PRIORITY, MOVE_ORIGINATOR)) + data_pdu(b"\x02x"),
        b"".join(data_pdu(b"\x01" + bytes(16000)) for _ in range(6)),
        b"".join(data_pdu(store_command(f"2.25.{n}", message=n)) + data_pdu(b"\x02x") for n in range(1, 60)),
    ],
    ids=[
        "endless",
        "unknown",
        "malformed",
        "no command",
        "nothing",
        "no order",
        "context",
        "command amidst an object",
        "command without priority",
        "long command",
        "flood",
    ],
)
def test_whatever_is_sent_the_association_ends_and_the_next_is_served(
    port: int, sqlite_store: Store, pdu: bytes
) -> None:
    with RawSender(port) as sender:
        sender.connection.sendall(pdu)
        while answer := sender.read_pdu():
            if answer[:1] == b"\x07":
                break
    wait_for_the_end_of_connections()
    assert incoming(sqlite_store) == []
    assert store_with_pynetdicom(port, dicom_bytes()) == 0x0000


@pytest.mark.parametrize(
    ("uid", "status"),
    [("", None), ("not a UID", 0xC000), ("2.25." + "1" * 60, None)],
    ids=["empty", "words", "long"],
)
def test_an_object_without_a_uid_is_refused_and_leaves_no_open_file(
    port: int, sqlite_store: Store, uid: str, status: int | None
) -> None:
    open_files = set()
    for message in range(1, 12):
        with RawSender(port) as sender:
            sender.send(store_command(uid, message=message), b"\x02" + data_set(implicit()))
            assert sender.status() == status
        wait_for_the_end_of_connections()
        open_files.add(len(list(Path("/proc/self/fd").iterdir())))

    assert max(open_files) - min(open_files) < 5
    assert incoming(sqlite_store) == []
    assert store_with_pynetdicom(port, dicom_bytes()) == 0x0000


def test_what_a_browser_sends_is_no_association(port: int, sqlite_store: Store) -> None:
    request = b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n" + associate_request(STORAGE)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(request)
        answer = connection.recv(100)
        assert answer[:1] != b"\x02"  # A-ASSOCIATE-AC
    assert incoming(sqlite_store) == []


def test_a_sender_that_is_too_slow_is_let_go(sqlite_store: Store) -> None:
    quick = SETTINGS.model_copy(update={"idle_seconds": 0.3})
    with listening(sqlite_store, quick) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:  # before any request
            connection.settimeout(20)
            connection.sendall(associate_request(STORAGE)[:20])
            assert connection.recv(10) == b""
        with RawSender(port) as sender:  # within an object
            sender.send(store_command("2.25.1.1.1"), b"\x00" + data_set(implicit())[:50])
            sender.connection.sendall(b"\x04\x00\x00")
            assert sender.read_pdu()[:1] in {b"\x07", b""}
        wait_for_the_end_of_connections()
        assert incoming(sqlite_store) == []


def test_a_full_disk_asks_the_sender_to_come_again(sqlite_store: Store) -> None:
    settings = sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60})
    full = replace(sqlite_store, settings=settings, files=replace(sqlite_store.files, settings=settings))
    with listening(full) as port:
        assert store_with_pynetdicom(port, dicom_bytes()) == 0xA700
    assert incoming(sqlite_store) == []


def test_an_object_beyond_the_limit_is_refused_and_read_past(sqlite_store: Store) -> None:
    settings = sqlite_store.settings.model_copy(update={"object_bytes_max": 4096})
    small = replace(sqlite_store, settings=settings, files=replace(sqlite_store.files, settings=settings))
    with listening(small) as port, RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.9"), *[b"\x00" + bytes(4000)] * 20, b"\x02")
        assert sender.status() == 0xC000
        sender.send(store_command("2.25.1.1.1", message=2), b"\x02" + data_set(implicit()))
        assert sender.status() == 0x0000
    assert incoming(sqlite_store) == []


@pytest.mark.parametrize(
    ("environ", "calling", "called", "accepted"),
    [
        ({}, "ANY", "OTHER", True),
        ({"OVERREAD_DICOM_CALLING_AE_TITLES": "PACS, RIS"}, "RIS", "X", True),
        ({"OVERREAD_DICOM_CALLING_AE_TITLES": "PACS, RIS"}, "THIEF", "X", False),
        ({"OVERREAD_DICOM_CALLING_AE_TITLES": "*"}, "ANY", "X", True),
        ({"OVERREAD_DICOM_AE_TITLE": "OVERREAD"}, "ANY", "OVERREAD", True),
        ({"OVERREAD_DICOM_AE_TITLE": "OVERREAD"}, "ANY", "OTHER", False),
    ],
)
def test_only_chosen_titles_are_accepted(
    sqlite_store: Store, environ: dict[str, str], calling: str, called: str, accepted: bool
) -> None:
    with listening(sqlite_store, DicomSettings.read(environ)) as port:
        entity = AE(ae_title=calling)
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", port, ae_title=called)
        assert association.is_established is accepted
        assert association.is_rejected is not accepted
        association.release()


def test_one_association_too_many_is_rejected_for_now(sqlite_store: Store) -> None:
    single = SETTINGS.model_copy(update={"associations_max": 1})
    with listening(sqlite_store, single) as port:
        with RawSender(port) as first, socket.create_connection(("127.0.0.1", port)) as second:
            assert first.accepted
            second.settimeout(20)
            second.sendall(associate_request(STORAGE))
            # PS3.8 section 9.3.4: rejected-transient, presentation related, local-limit-exceeded
            assert second.recv(20)[:10] == b"\x03\x00\x00\x00\x00\x04\x00\x02\x03\x02"
        wait_for_the_end_of_connections()
        assert store_with_pynetdicom(port, dicom_bytes()) == 0x0000


def test_one_address_cannot_take_every_place(sqlite_store: Store) -> None:
    shared = SETTINGS.model_copy(update={"associations_max": 2, "connections_per_address_max": 1})
    with listening(sqlite_store, shared) as port, RawSender(port) as first:
        assert first.accepted
        with socket.create_connection(("127.0.0.1", port)) as second:
            second.settimeout(20)
            assert second.recv(10) == b""
        other = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))
        with other:
            other.settimeout(20)
            other.sendall(associate_request(STORAGE))
            assert other.recv(1) == b"\x02"  # A-ASSOCIATE-AC, PS3.8 section 9.3.3


@pytest.mark.parametrize("limit", ["associations_max", "connections_per_address_max"])
def test_silent_associations_make_room_and_those_that_have_sent_something_stay(
    sqlite_store: Store, limit: str
) -> None:
    few = SETTINGS.model_copy(update={limit: 3})
    with listening(sqlite_store, few, HastyListener) as port, RawSender(port) as speaking:
        speaking.send(store_command("2.25.1.1.1"), b"\x02" + data_set(implicit()))
        assert speaking.status() == 0x0000
        with RawSender(port) as silent, socket.create_connection(("127.0.0.1", port), timeout=20) as mute:
            assert silent.accepted
            with RawSender(port) as second:
                assert second.accepted
                assert silent.read_pdu() == b""
                with RawSender(port) as third:
                    assert third.accepted
                    assert mute.recv(1) == b""
        speaking.send(store_command("2.25.1.1.4"), b"\x02" + data_set(implicit(number=4)))
        assert speaking.status() == 0x0000


@pytest.mark.parametrize("certified", [True, False])
def test_an_association_may_be_secured_and_ask_for_a_certificate(
    sqlite_store: Store, certificates: Certificates, certified: bool
) -> None:
    secured = SETTINGS.model_copy(update=certificates.settings(mutual=True))
    context = certificates.client(certified=certified)
    with listening(sqlite_store, secured) as port:
        silent = socket.create_connection(("127.0.0.1", port))  # never shakes hands, and delays nobody
        status = store_with_pynetdicom(port, dicom_bytes(), tls_args=(context, "localhost"))
        assert status == (0x0000 if certified else None)
        assert store_with_pynetdicom(port, dicom_bytes(number=2)) is None  # without TLS
        silent.close()


def test_no_answer_and_no_log_line_names_the_patient(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.1"), b"\x02" + data_set(implicit()))
        assert b"Doe" not in sender.read_pdu()
        for content in (data_set(implicit(PatientID="P2")), b"Doe^Jane", data_set(implicit())[:-9]):
            sender.send(store_command("2.25.1.1.1", message=2), b"\x02" + content)
            assert b"Doe" not in sender.read_pdu()

    logged = "".join(capfd.readouterr())
    assert "Doe" not in logged
    assert "P2" not in logged
    assert IMPLICIT not in logged
