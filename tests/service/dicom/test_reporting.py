"""Storage commitment as its requesters see it: pynetdicom, and a bare socket."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]
from sqlalchemy import select

from service.dicom.commitment import SOP_INSTANCE
from service.dicom.listener import DicomListener
from service.dicom.settings import DicomSettings, Peer
from service.store.database import Store
from service.store.schema import commitments
from tests.service.certificates import Certificates
from tests.service.dicom.conftest import SETTINGS
from tests.service.dicom.senders import STORAGE
from tests.service.material import NOW, after, dicom_bytes, send_image
from tests.service.serving_thread import listening_on

TRANSACTION = "2.25.77"
ALL, SOME = 1, 2  # event types
WAIT_SECONDS = 20


@dataclass(kw_only=True)
class Requester:
    """Notes the reports that it gets."""

    status: int = 0x0000  # what it answers
    reports: list[tuple[int, Dataset, str]] = field(default_factory=list)
    got: threading.Event = field(default_factory=threading.Event)
    roles: list[bool] = field(default_factory=list)  # whether who called us was the provider

    def take(self, event: evt.Event) -> tuple[int, None]:
        role = event.assoc.requestor.role_selection.get(StorageCommitmentPushModel)
        self.roles.append(role is not None and role.scp_role and not role.scu_role)
        self.reports.append(
            (event.event_type, event.event_information, event.assoc.requestor.ae_title.strip())
        )
        self.got.set()
        return self.status, None

    def report(self) -> tuple[int, Dataset]:
        assert self.got.wait(WAIT_SECONDS)
        return self.reports[-1][:2]

    @contextmanager
    def listening(self, **options: object) -> Iterator[int]:
        """Its own listener, for reports on an association that we open."""
        entity = AE(ae_title="MODALITY")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.take)], **options
        )
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()


@contextmanager
def associated(port: int, requester: Requester, **options: object) -> Iterator[object]:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate(
        "127.0.0.1",
        port,
        ae_title="OVERREAD",
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, requester.take)],
        **options,
    )
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def asked(*instances: tuple[str, str], transaction: str = TRANSACTION) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = []
    for sop_class, sop_instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset


def ask(association, information: Dataset | None, *, action: int = 1, instance: str = SOP_INSTANCE) -> int:
    answer, _ = association.send_n_action(information, action, StorageCommitmentPushModel, instance)
    return answer.Status


def uids(sequence) -> list[str]:
    return [item.ReferencedSOPInstanceUID for item in sequence]


def state(store: Store) -> tuple[str, str | None, int]:
    with store.reading() as connection:
        row = connection.execute(select(commitments)).one()
    return row.state, row.detail, row.attempts


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(WAIT_SECONDS / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")


def wait_for(store: Store, wanted: str) -> None:
    wait_until(lambda: state(store)[0] == wanted)


@contextmanager
def serving(store: Store, settings: DicomSettings = SETTINGS, now: datetime = NOW) -> Iterator[int]:
    with listening_on(lambda listener: DicomListener(listener, store, settings, lambda: now)) as port:
        yield port


def calling(port: int, **changed: object) -> DicomSettings:
    return SETTINGS.model_copy(update={"peers": {"MODALITY": Peer(host="127.0.0.1", port=port)}, **changed})


def test_a_requester_that_stays_gets_its_report_on_the_same_association(
    port: int, sqlite_store: Store
) -> None:
    send_image(sqlite_store)
    requester = Requester()
    with associated(port, requester) as association:
        assert ask(association, asked((STORAGE, "2.25.1.1.1"))) == 0x0000
        event_type, report = requester.report()
        wait_for(sqlite_store, "REPORTED")

    assert event_type == ALL
    assert report.TransactionUID == TRANSACTION
    assert uids(report.ReferencedSOPSequence) == ["2.25.1.1.1"]
    assert "FailedSOPSequence" not in report
    assert len(requester.reports) == 1
    assert state(sqlite_store) == ("REPORTED", "1 kept, 0 not", 0)


def test_a_requester_that_leaves_is_called_back_by_the_title_that_it_called(sqlite_store: Store) -> None:
    send_image(sqlite_store)
    requester = Requester()
    with requester.listening() as own, serving(sqlite_store, calling(own)) as port:
        with associated(port, Requester()) as association:
            assert ask(association, asked((STORAGE, "2.25.1.1.1"))) == 0x0000
        event_type, report = requester.report()
        wait_for(sqlite_store, "REPORTED")

    assert (event_type, uids(report.ReferencedSOPSequence)) == (ALL, ["2.25.1.1.1"])
    assert requester.reports[0][2] == "OVERREAD"
    assert requester.roles == [True]


def test_what_is_not_kept_is_named_with_the_reason(port: int, sqlite_store: Store) -> None:
    kept, gone, cut = (send_image(sqlite_store, dicom_bytes(number=number)).sha256 for number in (1, 2, 3))
    sqlite_store.files.path_of(gone).unlink()  # the row alone is no promise
    with sqlite_store.files.path_of(cut).open("rb+") as file:
        file.truncate(100)
    requester = Requester()
    with associated(port, requester) as association:
        references = [(STORAGE, f"2.25.1.1.{number}") for number in (1, 2, 3, 9)]
        other_class = ("1.2.840.10008.5.1.4.1.1.2", "2.25.1.1.1")
        assert ask(association, asked(*references, other_class)) == 0x0000
        event_type, report = requester.report()

    assert kept
    assert event_type == SOME
    assert uids(report.ReferencedSOPSequence) == ["2.25.1.1.1"]
    failed = {
        (item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID == STORAGE): item.FailureReason
        for item in report.FailedSOPSequence
    }
    assert failed == {
        ("2.25.1.1.2", True): 0x0112,
        ("2.25.1.1.3", True): 0x0112,
        ("2.25.1.1.9", True): 0x0112,
        ("2.25.1.1.1", False): 0x0119,
    }


def test_a_report_survives_the_end_of_the_process_that_owes_it(sqlite_store: Store) -> None:
    send_image(sqlite_store)
    with serving(sqlite_store) as port, associated(port, Requester()) as association:
        assert ask(association, asked((STORAGE, "2.25.1.1.1"))) == 0x0000
    wait_for(sqlite_store, "DUE")

    requester = Requester()
    with requester.listening() as own, serving(sqlite_store, calling(own), now=after(3600)):
        assert requester.report()[0] == ALL
        wait_for(sqlite_store, "REPORTED")


def test_a_requester_whom_nobody_can_call_is_named_in_what_to_do(sqlite_store: Store) -> None:
    with serving(sqlite_store) as port:
        with associated(port, Requester()) as association:
            ask(association, asked((STORAGE, "2.25.1.1.1")))
        wait_until(lambda: state(sqlite_store)[2] == 1)

    where, why, attempts = state(sqlite_store)
    assert (where, attempts) == ("DUE", 1)
    assert why == "nobody has said where MODALITY listens: add it to OVERREAD_DICOM_PEERS"


def test_a_report_that_is_refused_stays_due(sqlite_store: Store) -> None:
    requester = Requester(status=0x0110)
    with requester.listening() as own, serving(sqlite_store, calling(own)) as port:
        with associated(port, Requester()) as association:
            ask(association, asked((STORAGE, "2.25.1.1.1")))
        assert requester.report()[0] == SOME
        wait_until(lambda: state(sqlite_store)[1] is not None)

    assert state(sqlite_store)[:2] == ("DUE", "it answered with status 0x0110")


@pytest.mark.parametrize(
    ("information", "changed", "status"),
    [
        (asked((STORAGE, "2.25.1")), {"instance": "2.25.9"}, 0x0112),
        (asked((STORAGE, "2.25.1")), {"action": 7}, 0x0123),
        (asked(), {}, 0x0115),
        (asked((STORAGE, "none")), {}, 0x0115),
        (asked(("", "2.25.1")), {}, 0x0115),
        (asked((STORAGE, "2.25.1"), transaction="1." + "2" * 63), {}, 0x0115),
        (asked((STORAGE, "2.25.1"), transaction=""), {}, 0x0115),
        (None, {}, 0x0115),
        (asked(*[(STORAGE, "2.25.1")] * 10_001), {}, 0x0213),
    ],
    ids=[
        "instance",
        "action",
        "empty",
        "no uid",
        "no class",
        "long uid",
        "no transaction",
        "absent",
        "too many",
    ],
)
def test_a_request_that_cannot_be_taken_is_told_so(
    port: int, sqlite_store: Store, information: Dataset | None, changed: dict[str, object], status: int
) -> None:
    with associated(port, Requester()) as association:
        assert ask(association, information, **changed) == status

    with sqlite_store.reading() as connection:
        assert connection.execute(select(commitments)).all() == []


def test_the_same_transaction_is_reported_again_and_another_under_its_uid_is_not_taken(
    port: int, sqlite_store: Store
) -> None:
    requester = Requester()
    with associated(port, requester) as association:
        for expected in (1, 2):
            assert ask(association, asked((STORAGE, "2.25.1.1.1"))) == 0x0000
            requester.report()
            requester.got.clear()
            wait_for(sqlite_store, "REPORTED")
            assert len(requester.reports) == expected
        assert ask(association, asked((STORAGE, "2.25.1.1.2"))) == 0x0210


def test_requests_in_a_row_are_all_answered_before_any_report(sqlite_store: Store) -> None:
    requester = Requester()
    heard: list[str] = []
    patient = SETTINGS.model_copy(update={"silence_seconds": 1.0})
    with serving(sqlite_store, patient) as port, associated(port, requester) as association:
        association.bind(evt.EVT_DIMSE_RECV, lambda event: heard.append(type(event.message).__name__))
        for number in range(3):
            information = asked((STORAGE, "2.25.1.1.1"), transaction=f"2.25.{number}")
            assert ask(association, information) == 0x0000
        wait_until(lambda: len(requester.reports) == 3)

    assert heard == ["N_ACTION_RSP"] * 3 + ["N_EVENT_REPORT_RQ"] * 3
    assert {report.TransactionUID for _, report, _ in requester.reports} == {"2.25.0", "2.25.1", "2.25.2"}


def test_a_request_for_thousands_of_objects_is_answered(port: int, sqlite_store: Store) -> None:
    requester = Requester()
    with associated(port, requester) as association:
        references = [(STORAGE, f"2.25.{10**38 + number}") for number in range(2_000)]
        assert ask(association, asked(*references)) == 0x0000
        assert len(requester.report()[1].FailedSOPSequence) == 2_000


def test_who_asks_over_tls_is_called_back_over_tls(sqlite_store: Store, certificates: Certificates) -> None:
    send_image(sqlite_store)
    requester = Requester()
    secured = certificates.mutual_files
    with requester.listening(ssl_context=secured.context()) as own:
        peer = {"MODALITY": Peer(host="localhost", port=own, secured=True)}
        own_files = certificates.settings(mutual=True)
        with serving(sqlite_store, SETTINGS.model_copy(update=own_files | {"peers": peer})) as port:
            client = certificates.client(certified=True)
            with associated(port, Requester(), tls_args=(client, "localhost")) as association:
                ask(association, asked((STORAGE, "2.25.1.1.1")))
            assert requester.report()[0] == ALL
