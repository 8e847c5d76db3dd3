"""The HL7 listener over real sockets, with python-hl7's client and with bare sockets."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import hl7
import pytest
from hl7.client import MLLPClient
from sqlalchemy import event

from service.hl7.framing import frame
from service.hl7.listener import Hl7Listener
from service.hl7.settings import Hl7Settings
from service.store.database import Store
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.records import ReportStatus
from service.store.worklist import load_case
from tests.service.certificates import Certificates
from tests.service.counting import counting
from tests.service.hl7.messages import oru
from tests.service.material import NOW, dicom_bytes, send_image
from tests.service.serving_thread import listening_on
from tests.service.store.test_release_watch import upgrade

SETTINGS = Hl7Settings(message_seconds=10, idle_seconds=10)
Sender = Callable[[str], str]


class HastyListener(Hl7Listener):
    patience_seconds = 0.0


class PatientListener(Hl7Listener):
    patience_seconds = 3600.0


@contextmanager
def listening(
    store: Store, settings: Hl7Settings = SETTINGS, kind: type[Hl7Listener] = PatientListener
) -> Iterator[int]:
    with listening_on(lambda listener: kind(listener, store, settings, lambda: NOW)) as port:
        yield port


@pytest.fixture
def port(store: Store) -> Iterator[int]:
    with listening(store) as number:
        yield number


def send(port: int, *messages: str | bytes) -> list[str]:
    """MSA-1 of each answer."""
    return [verdict(answer) for answer in answers(port, *messages)]


def answers(port: int, *messages: str | bytes) -> list[bytes]:
    with MLLPClient("127.0.0.1", port) as client:
        return [
            client.send_message(message.encode() if isinstance(message, str) else message)
            for message in messages
        ]


def verdict(answer: bytes) -> str:
    return str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")[1])


def read_answers(connection: socket.socket, count: int) -> list[bytes]:
    data = b""
    while data.count(b"\x1c\r") < count:
        piece = connection.recv(4096)
        assert piece, "the connection was closed before every answer"
        data += piece
    return data.split(b"\x1c\r")[:count]


def test_a_report_is_committed_and_acknowledged_by_its_control_id(port: int, store: Store) -> None:
    (answer,) = answers(port, oru("No mass.", control="X-42"))

    assert str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")) == "MSA|AA|X-42"
    (version,) = load_case(store, 1).reports
    assert (version.text, version.status, version.source) == ("No mass.", ReportStatus.FINAL, "HL7 127.0.0.1")


def test_a_report_is_rejected_for_now_when_the_database_is_of_another_release(
    port: int, store: Store
) -> None:
    upgrade(store)

    assert send(port, oru(), b"no message") == ["AR", "AR"]


def test_a_report_meets_its_images(port: int, store: Store) -> None:
    send_image(store, dicom_bytes())

    assert send(port, oru()) == ["AA"]
    assert load_case(store, 1).summary.study_instance_uid == "2.25.1"


def test_versions_follow_one_another_on_one_connection(port: int, store: Store) -> None:
    codes = send(
        port,
        oru("early", status="P"),
        oru("one"),
        oru("one"),
        oru("two", status="C"),
        oru("more", status="A"),
    )

    assert codes == ["AA"] * 5
    case = load_case(store, 1)
    assert [(version.text, version.status.value) for version in case.reports] == [
        ("early", "PRELIMINARY"),
        ("one", "FINAL"),
        ("two", "CORRECTED"),
        ("two\n\nADDENDUM:\nmore", "ADDENDUM"),
    ]


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (oru().replace("ORU^R01", "ADT^A01"), "AR", "UNSUPPORTED_MESSAGE"),
        (oru().replace("OBX|", "NTE|"), "AE", "INVALID_REPORT"),
        (oru(accession="", patient="P1").replace("PLACER|FILLER", "|"), "AE", "INVALID_REPORT"),
        (oru().encode() + b"\xff", "AE", "INVALID_REPORT"),
        (b"no message at all", "AE", "INVALID_REPORT"),
        (b"", "AE", "INVALID_REPORT"),
    ],
)
def test_what_cannot_be_read_is_kept_as_it_came_and_refused(port, store, message, code, reason) -> None:
    with counting("overread_intake") as counts:
        assert send(port, message, oru()) == [code, "AA"]

    assert counts.added == {
        'overread_intake_accepted_total{protocol="hl7"}': 1,
        f'overread_intake_refused_total{{protocol="hl7",reason="{reason}"}}': 1,
    }
    (entry,) = list_quarantine(store)
    assert (entry.reason, entry.source) == (reason, "HL7 127.0.0.1")
    assert entry.path.read_bytes() == (message.encode() if isinstance(message, str) else message)


def test_a_contradiction_keeps_the_whole_message(port: int, store: Store) -> None:
    send_image(store, dicom_bytes())
    message = oru(patient="SOMEBODY ELSE")

    assert send(port, message) == ["AE"]
    (entry,) = list_quarantine(store)
    assert (entry.reason, entry.path.read_bytes()) == ("CONTRADICTION", message.encode())


def test_messages_may_be_sent_ahead_of_their_answers(port: int, store: Store) -> None:
    stream = b"".join(
        frame(oru(f"report {n}", control=f"C{n}", accession=f"A{n}").encode()) for n in range(40)
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(stream)
        replies = read_answers(connection, 40)

    assert [reply.split(b"MSA|AA|")[1].strip() for reply in replies] == [b"C%d" % n for n in range(40)]
    assert load_case(store, 40).reports[0].text.startswith("report")


def test_many_senders_at_once_lose_nothing_and_share_commits(sqlite_store: Store) -> None:
    commits = []
    event.listen(sqlite_store.engine, "commit", lambda _: commits.append(1))

    def sender(number: int) -> list[str]:
        own = (oru("x", control=str(n), accession=f"A{number}-{n}") for n in range(12))
        return send(port, *own)

    with listening(sqlite_store) as port, ThreadPoolExecutor(8) as pool:
        codes = [code for codes in pool.map(sender, range(8)) for code in codes]

    assert codes == ["AA"] * 96
    assert load_case(sqlite_store, 96).reports[0].text == "x"
    assert len(commits) < 96


def test_half_a_message_leaves_nothing_and_the_next_connection_is_served(port: int, store: Store) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(frame(oru("whole").encode()) + b"\x0b" + oru("half").encode()[:-9])
        read_answers(connection, 1)

    assert send(port, oru("after", accession="A2")) == ["AA"]
    assert [load_case(store, number).reports[0].text for number in (1, 2)] == ["whole", "after"]
    assert count_quarantine(store) == 0


def test_a_sender_that_is_too_slow_is_let_go(sqlite_store: Store) -> None:
    quick = SETTINGS.model_copy(update={"message_seconds": 0.2})
    with listening(sqlite_store, quick) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x0bMSH|")
        connection.settimeout(10)
        assert connection.recv(10) == b""


def test_a_silent_sender_is_let_go(sqlite_store: Store) -> None:
    quick = SETTINGS.model_copy(update={"idle_seconds": 0.2})
    with listening(sqlite_store, quick) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        assert connection.recv(10) == b""


def test_a_message_without_end_is_rejected_and_the_connection_closed(sqlite_store: Store) -> None:
    small = replace(
        sqlite_store, settings=sqlite_store.settings.model_copy(update={"report_bytes_max": 1000})
    )
    with listening(small) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"\x0b" + oru().encode() + b"x" * 80_000)
        (reply,) = read_answers(connection, 1)
        assert b"MSA|AR" in reply


def test_a_web_page_cannot_send_a_report(port: int, store: Store) -> None:
    body = frame(oru("injected").encode())
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(head.encode() + body)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(10) == b""

    assert send(port, oru("sent")) == ["AA"]
    assert [version.text for version in load_case(store, 1).reports] == ["sent"]
    assert count_quarantine(store) == 0


def test_a_full_disk_asks_the_sender_to_come_again_and_keeps_nothing(sqlite_store: Store) -> None:
    settings = sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60})
    full = replace(sqlite_store, settings=settings, files=replace(sqlite_store.files, settings=settings))
    with listening(full) as port:
        assert send(port, b"what needs quarantine", oru()) == ["AR", "AR"]
    assert count_quarantine(sqlite_store) == 0


def test_only_chosen_addresses_are_let_in(sqlite_store: Store) -> None:
    for senders, welcome in (("10.0.0.0/8", False), ("10.0.0.0/8,127.0.0.1", True), ("*", True)):
        chosen = Hl7Settings.read({"OVERREAD_HL7_SENDERS": senders})
        with listening(sqlite_store, chosen) as port:
            if welcome:
                assert send(port, oru()) == ["AA"]
            else:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.settimeout(10)
                    assert connection.recv(10) == b""


def test_one_connection_too_many_is_closed_and_a_place_becomes_free_again(sqlite_store: Store) -> None:
    single = SETTINGS.model_copy(update={"connections_max": 1})
    with listening(sqlite_store, single) as port:
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(frame(oru().encode()))
            read_answers(first, 1)
            with socket.create_connection(("127.0.0.1", port)) as second:
                second.settimeout(10)
                assert second.recv(10) == b""
        while True:
            with socket.create_connection(("127.0.0.1", port)) as third:
                third.settimeout(10)
                third.sendall(frame(oru().encode()))
                try:
                    if third.recv(4096):
                        return
                except ConnectionError:
                    continue


def test_one_address_cannot_take_every_place(sqlite_store: Store) -> None:
    shared = SETTINGS.model_copy(update={"connections_max": 3, "connections_per_address_max": 2})
    with listening(sqlite_store, shared) as port, ExitStack() as held:
        for _ in range(2):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
        with socket.create_connection(("127.0.0.1", port)) as third:
            third.settimeout(10)
            assert third.recv(10) == b""
        with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)) as other:
            other.sendall(frame(oru().encode()))
            assert b"MSA|AA" in read_answers(other, 1)[0]


def speaks(connection: socket.socket) -> bool:
    """Whether a message that is sent is accepted."""
    connection.sendall(frame(oru().encode()))
    return b"MSA|AA" in read_answers(connection, 1)[0]


@pytest.mark.parametrize("limit", ["connections_max", "connections_per_address_max"])
def test_silent_connections_make_room_the_longest_silent_first(
    sqlite_store: Store, limit: str, capfd: pytest.CaptureFixture[str]
) -> None:
    few = SETTINGS.model_copy(update={limit: 3})
    with listening(sqlite_store, few, HastyListener) as port, ExitStack() as held:

        def connect() -> socket.socket:
            return held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))

        speaking, first_silent, second_silent = connect(), connect(), connect()
        assert speaks(speaking)
        third = connect()
        assert speaks(third)
        assert first_silent.recv(10) == b""
        for _ in range(70):
            connect()
        assert speaks(connect())
        assert second_silent.recv(10) == b""
        assert speaks(speaking)
        assert speaks(third)
    assert "silent, to make room" in "".join(capfd.readouterr())


def test_a_connection_that_never_shakes_hands_makes_room(
    sqlite_store: Store, certificates: Certificates
) -> None:
    secured = SETTINGS.model_copy(update={**certificates.settings(), "connections_max": 1})
    with (
        listening(sqlite_store, secured, HastyListener) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as silent,
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        certificates.client().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(frame(oru().encode()))
        assert b"MSA|AA" in read_answers(connection, 1)[0]
        assert silent.recv(10) == b""


def test_a_connection_may_be_secured(sqlite_store: Store, certificates: Certificates) -> None:
    secured = SETTINGS.model_copy(update=certificates.settings())
    with listening(sqlite_store, secured) as port:
        silent = socket.create_connection(("127.0.0.1", port))  # never shakes hands, and delays nobody
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            certificates.client().wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(frame(oru().encode()))
            assert b"MSA|AA" in read_answers(connection, 1)[0]
        silent.close()
    assert load_case(sqlite_store, 1).reports


def test_no_answer_and_no_log_line_names_the_patient(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    replies = answers(port, oru("Jane Doe has no mass."), oru().replace("OBX|", "NTE|"), b"Doe^Jane")

    logged = "".join(capfd.readouterr())
    assert all(b"Doe" not in reply and b"P1" not in reply for reply in replies)
    assert "Doe" not in logged
    assert "P1" not in logged


def test_the_threads_of_a_connection_end_with_it(sqlite_store: Store) -> None:
    with listening(sqlite_store) as port:
        before = threading.active_count()
        for _ in range(5):
            assert send(port, oru()) == ["AA"]
        connection = socket.create_connection(("127.0.0.1", port))
        connection.close()
        while threading.active_count() > before:
            send(port, oru())


def test_in_enhanced_mode_both_acknowledgements_come_and_the_senders_own_gets_none(port: int) -> None:
    fields = oru(control="E1").split("\r")[0].split("|")
    fields[14:16] = ["AL", "AL"]
    enhanced = oru(control="E1").replace(oru(control="E1").split("\r")[0], "|".join(fields))
    answer = "MSH|^~\\&|RIS|H|OVERREAD|H|20260301||ACK|X1|P|2.5.1\rMSA|CA|E1\r"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            frame(enhanced.encode()) + frame(answer.encode()) + frame(oru(control="E2").encode())
        )
        received = read_answers(connection, 3)

    assert [b"MSA|CA|E1" in received[0], b"MSA|AA|E1" in received[1], b"MSA|AA|E2" in received[2]] == [
        True
    ] * 3
