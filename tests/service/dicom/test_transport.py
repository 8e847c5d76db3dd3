"""The short way of an object's data to the disk, next to everything that must not take it."""

import hashlib
import socket
import struct
import threading

import pytest

from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.worklist import load_instance
from tests.service.certificates import Certificates
from tests.service.dicom.conftest import SETTINGS, listening
from tests.service.dicom.senders import RawSender, data_pdu, store_command
from tests.service.dicom.test_listener import data_set, implicit, wait_for_the_end_of_connections

LARGE = data_set(implicit(Rows=1000, Columns=700, PixelData=bytes(range(256)) * 2734 + bytes(96)))


def pieces(content: bytes, size: int) -> list[bytes]:
    """Fragments of this size, the last of them marked as such."""
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return [b"\x00" + part for part in parts[:-1]] + [b"\x02" + parts[-1]]


def pdu(*fragments: bytes) -> bytes:
    """One P-DATA-TF PDU with several items."""
    items = b"".join(struct.pack(">LB", len(fragment) + 1, 1) + fragment for fragment in fragments)
    return struct.pack(">BBL", 4, 0, len(items)) + items


def assert_stored(store: Store, content: bytes, uid: str = "2.25.1.1.1") -> None:
    record = load_instance(store, uid)
    kept = record.path.read_bytes()
    assert data_set(kept) == content
    assert hashlib.sha256(kept).hexdigest() == record.sha256


@pytest.mark.parametrize("size", [(128 << 10) - 6, 16378, 1 << 18], ids=["longest", "short", "too long"])
def test_a_large_object_is_stored_as_it_came(port: int, sqlite_store: Store, size: int) -> None:
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.1"), *pieces(LARGE, size))
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, LARGE)


def test_a_pdu_may_hold_several_fragments_and_the_next_object(port: int, sqlite_store: Store) -> None:
    first, second = pieces(LARGE, 100_000), pieces(data_set(implicit(2)), 100)
    with RawSender(port) as sender:
        sender.connection.sendall(data_pdu(store_command("2.25.1.1.1")) + data_pdu(first[0]))
        sender.connection.sendall(pdu(*first[1:3]) + b"".join(map(data_pdu, first[3:-2])) + pdu(*first[-2:]))
        assert sender.status() == 0x0000
        sender.connection.sendall(pdu(store_command("2.25.1.1.2", message=2), *second))
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, LARGE)
    assert_stored(sqlite_store, data_set(implicit(2)), "2.25.1.1.2")


def test_bytes_may_come_in_whatever_portions(port: int, sqlite_store: Store) -> None:
    sent = b"".join(map(data_pdu, [store_command("2.25.1.1.1"), *pieces(data_set(implicit()), 50)]))
    with RawSender(port) as sender:
        sender.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), 5):
            sender.connection.sendall(sent[start : start + 5])
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, data_set(implicit()))


def test_control_bits_that_mean_nothing_are_passed_over(port: int, sqlite_store: Store) -> None:
    marked = [bytes([fragment[0] | 0xF0]) + fragment[1:] for fragment in pieces(LARGE, 50_000)]
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.1"), *marked)
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, LARGE)


@pytest.mark.parametrize(
    "ending",
    [b"\x05\0\0\0\0\x04\0\0\0\0", b"\x07\0\0\0\0\x04\0\0\0\0", b"\x04\0\0", b""],
    ids=["release", "abort", "half a header", "close"],
)
def test_an_association_that_ends_amidst_an_object_leaves_nothing(
    port: int, sqlite_store: Store, ending: bytes
) -> None:
    with RawSender(port) as sender:
        sender.send(store_command("2.25.1.1.1"), *pieces(LARGE, 50_000)[:-2])
        sender.connection.sendall(ending)
        sender.connection.shutdown(socket.SHUT_WR)
        while sender.read_pdu():
            pass

    wait_for_the_end_of_connections()
    assert list(sqlite_store.files.incoming.iterdir()) == []
    assert count_quarantine(sqlite_store) == 0


def test_an_object_may_take_longer_than_a_sender_may_be_silent(sqlite_store: Store) -> None:
    content, pause = data_set(implicit()), threading.Event()
    with (
        listening(sqlite_store, SETTINGS.model_copy(update={"idle_seconds": 0.4})) as port,
        RawSender(port) as sender,
    ):
        sender.send(store_command("2.25.1.1.1"))
        for fragment in pieces(content, len(content) // 20):
            pause.wait(0.05)
            sender.send(fragment)
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, content)


def test_a_large_object_comes_over_tls(sqlite_store: Store, certificates: Certificates) -> None:
    secured = SETTINGS.model_copy(update=certificates.settings())
    with listening(sqlite_store, secured) as port, RawSender(port, tls=certificates.client()) as sender:
        sender.send(store_command("2.25.1.1.1"), *pieces(LARGE, 100_000))
        assert sender.status() == 0x0000

    assert_stored(sqlite_store, LARGE)
