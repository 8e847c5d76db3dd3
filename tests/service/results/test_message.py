"""The HL7 message: what a parser that is not ours reads in it, and what becomes of it on the way."""

import hl7
import pytest

from overread.errors import PeerError
from overread.observation import Laterality
from service.hl7.message import read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.closing import close_study
from service.results.mllp import MllpSender
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import MllpServer, Rule
from service.store.database import Store
from service.store.outbox import Query, list_deliveries
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.material import MASS, NOW, send_report
from tests.service.results.material import image_bytes, make_due, seen, told_case, triage_again
from tests.service.results.peers import ScriptedReceiver

TO_RIS = (Rule(moment=Moment.TRIAGE, form=Form.ORU, destination="ris"),)


def message_of(store: Store, number: int = -1) -> hl7.Message:
    found = sorted(list_deliveries(store, Query(), limit=9), key=lambda item: item.delivery_id)
    return hl7.parse(str(found[number].message))


def sender(store: Store, port: int) -> Sender:
    destination = MllpSender(MllpServer(name="ris", host="127.0.0.1", port=port))
    return Sender(store, destination, owner=this_process(), clock=lambda: NOW)


def test_a_message_names_patient_order_findings_and_why(sqlite_store) -> None:
    told_case(
        sqlite_store,
        seen("pneumothorax", side=Laterality.RIGHT, probability=0.75),
        images=[image_bytes(PatientName="O'Neil&Co^Jane")],
    )
    make_due(sqlite_store, TO_RIS)

    message = message_of(sqlite_store)
    (found,) = list_deliveries(sqlite_store, Query(), limit=9)

    assert str(message.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    assert str(message.segment("PID")[3]).startswith("P1^")
    assert "|O'Neil\\T\\Co^Jane|" in str(found.message)
    assert str(message.segment("OBR")[18]) == "A1"
    assert str(message.segment("OBR")[25]) == "F"
    coded, words = message.segments("OBX")
    assert str(coded[3]) == "36118008^pneumothorax^SCT"
    assert str(coded[5]).startswith("POSSIBLE_MISS^Possible miss^99OVERREAD~52101004^Present^SCT~")
    assert "24028007^Right^SCT" in str(coded[5])
    assert str(coded[9]) == "0.7500"
    assert str(words[5]).startswith("Possible miss: the detector sees pneumothorax, right")


def test_a_corrected_message_and_a_withdrawal_say_so(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    send_report(sqlite_store, MASS, accession="A1")
    close_study(sqlite_store, "2.25.1", now=NOW)
    triage_again(sqlite_store, case_id, seen())
    make_due(sqlite_store, TO_RIS)

    first, second = message_of(sqlite_store, 0), message_of(sqlite_store, 1)

    assert str(first.segment("MSH")[10]) != str(second.segment("MSH")[10])
    assert str(first.segment("OBR")[3]) == str(second.segment("OBR")[3])
    assert str(second.segment("OBR")[25]) == "C"
    (observation,) = second.segments("OBX")
    assert "NONE_LEFT" in str(observation[5])
    assert str(observation[11]) == "C"


def test_messages_are_sent_until_they_are_acknowledged_always_the_same(sqlite_store) -> None:
    for number in (1, 2):
        told_case(sqlite_store, seen(image=f"2.25.{number}.1.1"), number=number)
    make_due(sqlite_store, TO_RIS)
    receiver = ScriptedReceiver("AE", "AA")

    with receiver.listening() as port:
        sender(sqlite_store, port).send_due()

    found = sorted(list_deliveries(sqlite_store, Query(), limit=9), key=lambda item: item.delivery_id)
    assert [item.state.value for item in found] == ["DUE", "SENT"]
    assert found[0].detail == "refused with AE; its own log says why"
    assert receiver.messages == [item.message for item in found]


def test_a_receiver_that_hangs_up_is_called_again_later(sqlite_store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    receiver = ScriptedReceiver("")

    with receiver.listening() as port, pytest.raises(PeerError, match="closed the connection"):
        sender(sqlite_store, port).send_due()

    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.attempts) == ("DUE", 1)


def test_a_message_that_comes_back_is_no_report(sqlite_store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)

    content = str(delivery.message).encode()

    def read(sent: bytes) -> int:
        message = read_message(sent, default_charset="utf-8")
        return len(read_reports(message, sent, Hl7Settings(), source="test"))

    assert read(content) == 0
    assert read(content.replace(b"Image and report compared^99OVERREAD", b"Chest^L")) == 1
