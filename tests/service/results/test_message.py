"""The HL7 message: what a parser that is not ours reads in it, and what becomes of it on the way."""

import hl7
import pytest

from overread.errors import ConfigurationError, PeerError
from overread.observation import Laterality
from service.dicom.settings import DicomSettings
from service.hl7.message import read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.closing import close_study
from service.network_settings import TlsClientFiles
from service.results.mllp import MllpSender
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import MllpServer, ResultsSettings, Rule
from service.store.database import Store
from service.store.outbox import DeliveryState, Query, list_deliveries
from service.store.result_occasions import Moment
from service.store.results import Form
from service.store.worklist import load_case
from tests.service.certificates import Certificates
from tests.service.hl7.test_listener import listening
from tests.service.material import MASS, NOW, send_report
from tests.service.results.material import image_bytes, make_due, seen, told_case, triage_again
from tests.service.results.peers import ScriptedReceiver

TO_RIS = (Rule(moment=Moment.TRIAGE, form=Form.ORU, destination="ris"),)


def message_of(store: Store, number: int = -1) -> hl7.Message:
    found = sorted(list_deliveries(store, Query(), limit=9), key=lambda item: item.delivery_id)
    return hl7.parse(str(found[number].message))


def sender(store: Store, port: int, *, tls: TlsClientFiles | None = None, host: str = "127.0.0.1") -> Sender:
    destination = MllpSender(MllpServer(name="ris", host=host, port=port, tls=tls))
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


def test_messages_go_over_tls_with_certificates_on_both_sides(
    sqlite_store: Store, certificates: Certificates
) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    ours = certificates.folder
    tls = TlsClientFiles(
        authority=ours / "authority.crt", certificate=ours / "client.crt", key=ours / "client.key"
    )

    with ScriptedReceiver().listening(certificates.mutual_files.context()) as port:
        assert sender(sqlite_store, port, tls=tls).send_due() == 1

    (sent,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (sent.state, sent.detail) == (DeliveryState.SENT, "acknowledged with AA")


def test_our_own_listener_takes_them_over_tls_and_knows_them(
    sqlite_store: Store, certificates: Certificates
) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    secured = Hl7Settings(**certificates.settings())
    tls = TlsClientFiles(authority=certificates.folder / "authority.crt")

    with listening(sqlite_store, secured) as port:
        assert sender(sqlite_store, port, tls=tls).send_due() == 1

    (sent,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (sent.state, sent.detail) == (DeliveryState.SENT, "acknowledged with CA")
    assert len(load_case(sqlite_store, sent.case_id).reports) == 1


@pytest.mark.parametrize(
    ("authority", "certificate", "host", "why"),
    [
        ("client", "client", "127.0.0.1", "shows a certificate that is not to be trusted"),
        ("authority", "client", "127.0.0.2", "shows a certificate that is not to be trusted"),
        ("authority", None, "127.0.0.1", "broke off, or did not answer in time|does not speak TLS with us"),
    ],
    ids=["another authority", "another name", "no certificate of ours"],
)
def test_nothing_is_told_where_a_certificate_is_not_what_it_should_be(
    authority, certificate, host, why, sqlite_store: Store, certificates: Certificates
) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    ours = certificates.folder
    tls = TlsClientFiles(
        authority=ours / f"{authority}.crt",
        certificate=None if certificate is None else ours / f"{certificate}.crt",
        key=None if certificate is None else ours / f"{certificate}.key",
    )
    receiver = ScriptedReceiver()

    with (
        receiver.listening(certificates.mutual_files.context(), host=host) as port,
        pytest.raises(PeerError, match=why),
    ):
        sender(sqlite_store, port, tls=tls, host=host).send_due()

    assert receiver.messages == []


def test_a_receiver_that_does_not_speak_tls_is_told_nothing(
    sqlite_store: Store, certificates: Certificates
) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_RIS)
    receiver = ScriptedReceiver()
    tls = TlsClientFiles(authority=certificates.folder / "authority.crt")

    with receiver.listening() as port, pytest.raises(PeerError):
        sender(sqlite_store, port, tls=tls).send_due()

    assert receiver.messages == []


def test_an_address_says_whether_tls_is_spoken(certificates: Certificates) -> None:
    files = certificates.folder
    settings = ResultsSettings(
        destinations={"ris": "mllps://ris.example:2576", "old": "mllp://10.0.0.3:2575"},
        tls_ca=files / "authority.crt",
        tls_certificate=files / "client.crt",
        tls_key=files / "client.key",
    )

    secured, plain = settings.addresses(DicomSettings())

    assert (secured.host, secured.port, plain.tls) == ("ris.example", 2576, None)
    assert secured.tls == TlsClientFiles(
        authority=files / "authority.crt", certificate=files / "client.crt", key=files / "client.key"
    )
    assert {rule.form for rule in settings.effective_rules} == {Form.ORU}
    with pytest.raises(ValueError, match="both"):
        ResultsSettings(tls_certificate=files / "client.crt")
    missing = TlsClientFiles(authority=files / "nowhere.crt")
    with pytest.raises(ConfigurationError, match=r"nowhere\.crt"):
        MllpSender(MllpServer(name="ris", host="127.0.0.1", port=1, tls=missing))
