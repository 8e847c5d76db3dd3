"""Record systems are told by FHIR of results that are new or have changed: ids alone, signed, once each."""

import json
from collections.abc import Sequence

import httpx
import pytest
from standardwebhooks import Webhook as ReferenceReceiver

from overread.errors import ConfigurationError, PeerError
from service.adjudication.reads import judge
from service.dicom.settings import DicomSettings
from service.results.notification import NotificationSender
from service.results.ownership import this_process
from service.results.process import send_once
from service.results.sending import Sender
from service.results.settings import ResultsSettings, Rule, Subscriber
from service.store.database import Store
from service.store.outbox import DeliveryState, Query, list_deliveries
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.adjudication.test_reads import sender as judge_of
from tests.service.api.test_fhir_verdicts import NODULE, NOTHING, ONE_OF_TWO, PNEUMOTHORAX
from tests.service.fhir import official
from tests.service.material import ACCESSION, MASS, PATIENT, STUDY, after
from tests.service.notices.peers import SECRET, Receiver
from tests.service.results.material import make_due, seen, told_case

VERSIONS = {Form.FHIR_R4: official.R4, Form.FHIR_R5: official.R5}
BOTH = (seen(PNEUMOTHORAX, probability=0.75), seen(NODULE, probability=0.625))


def settings(url: str, **changed: object) -> ResultsSettings:
    given = {
        "destinations": {"record": f"fhir+{url}"},
        "fhir_url": "https://overread.example/fhir",
        "webhook_secrets": {"record": SECRET},
    }
    return ResultsSettings.model_validate(given | changed)


def sent(store: Store, receiver: Receiver, rules: Sequence[Rule] = (), *, seconds: float = 300) -> int:
    """Make what is due, and send it; returns how much was answered for."""
    with receiver.listening() as url:
        configured = settings(f"{url}/hook")
        make_due(store, rules or configured.effective_rules, seconds=seconds)
        (subscriber,) = configured.addresses(DicomSettings())
        assert isinstance(subscriber, Subscriber)
        clock = lambda: after(seconds)  # noqa: E731  # shorter than a function
        destination = NotificationSender(subscriber, clock=clock)
        return Sender(store, destination, owner=this_process(), clock=clock).send_due()


def rules(form: Form) -> tuple[Rule, ...]:
    return tuple(Rule(moment=moment, form=form, destination="record") for moment in Moment)


@pytest.mark.parametrize("form", list(VERSIONS))
def test_a_notification_is_fhir_and_leads_to_the_result(form, sqlite_store, api: httpx.Client) -> None:
    case_id = told_case(sqlite_store, *BOTH)
    receiver = Receiver()

    assert sent(sqlite_store, receiver, rules(form)) == 1

    (call,) = receiver.calls
    bundle = json.loads(call.body)
    official.require_valid(bundle, VERSIONS[form])
    status, told = bundle["entry"]
    kind = {Form.FHIR_R4: "Parameters", Form.FHIR_R5: "SubscriptionStatus"}[form]
    assert status["resource"]["resourceType"] == kind
    assert told["fullUrl"] == f"https://overread.example/fhir/DiagnosticReport/case-{case_id}"
    assert told["fullUrl"] in str(status["resource"])
    assert told["response"]["status"] == "201"
    assert "resource" not in told
    assert call.headers["content-type"] == "application/fhir+json"
    read = api.get(told["fullUrl"].removeprefix("https://overread.example"))
    assert read.json()["status"] == "preliminary"


def test_a_notification_holds_nothing_of_the_patient_and_is_signed(sqlite_store) -> None:
    told_case(sqlite_store, *BOTH)
    receiver = Receiver()

    sent(sqlite_store, receiver)

    (call,) = receiver.calls
    reference = ReferenceReceiver(SECRET).sign(call.message_id, after(300), call.body.decode())
    assert call.headers["webhook-signature"] == reference
    assert call.message_id == json.loads(call.body)["id"]
    assert call.path == "/hook"
    words = json.dumps(json.loads(call.body))
    for hidden in (f'"{PATIENT}"', f'"{ACCESSION}"', STUDY, PNEUMOTHORAX, "House"):
        assert hidden not in words


def test_a_judgement_is_told_as_a_change_and_what_is_withdrawn_too(sqlite_store) -> None:
    case_id = told_case(sqlite_store, *BOTH)
    receiver = Receiver()
    sent(sqlite_store, receiver)

    judge(sqlite_store, case_id, NOTHING, judge_of())
    assert sent(sqlite_store, receiver, seconds=400) == 1

    first, second = (json.loads(call.body) for call in receiver.calls)
    assert second["entry"][1]["response"]["status"] == "200"
    assert second["timestamp"].startswith("2026-03-01T12:01:00")
    assert first["id"] != second["id"]


def test_what_is_refused_is_sent_again_with_the_same_bytes_under_the_same_id(sqlite_store) -> None:
    told_case(sqlite_store, *BOTH)
    receiver = Receiver(500, 503)

    sent(sqlite_store, receiver)
    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.attempts, delivery.detail) == (DeliveryState.DUE, 1, "HTTP status 500")
    with pytest.raises(PeerError, match="cannot answer now"):
        sent(sqlite_store, receiver, seconds=400)
    sent(sqlite_store, receiver, seconds=500)

    assert len({(call.message_id, call.body) for call in receiver.calls}) == 1
    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.form) == (DeliveryState.SENT, Form.FHIR_R4)


def test_one_that_has_not_left_when_the_next_is_made_leaves_no_more(sqlite_store) -> None:
    case_id = told_case(sqlite_store, *BOTH)
    receiver = Receiver()
    make_due(sqlite_store, rules(Form.FHIR_R4), seconds=10)
    judge(sqlite_store, case_id, ONE_OF_TWO, judge_of())

    assert sent(sqlite_store, receiver) == 1
    assert len(receiver.calls) == 1


def test_of_a_concordant_case_nobody_is_told(sqlite_store) -> None:
    told_case(sqlite_store, seen(), report=MASS)
    receiver = Receiver()

    assert sent(sqlite_store, receiver) == 0
    assert receiver.calls == []


def test_the_sender_of_results_is_led_by_the_settings_alone(sqlite_store) -> None:
    told_case(sqlite_store, *BOTH)
    receiver = Receiver()
    with receiver.listening() as url:
        environ = {
            "OVERREAD_RESULTS_DESTINATIONS": f"record=fhir+{url}/hook",
            "OVERREAD_RESULTS_FHIR_URL": "https://overread.example/fhir/",
            "OVERREAD_RESULTS_WEBHOOK_SECRETS": f"record={SECRET}",
        }

        assert send_once(sqlite_store, environ) == 1

    (call,) = receiver.calls
    assert "https://overread.example/fhir/DiagnosticReport/case-" in call.body.decode()


def test_without_rules_one_is_told_after_triage_and_judgement() -> None:
    made = settings("https://record.example/hook?key=1").effective_rules

    assert {(rule.moment, rule.form) for rule in made} == {(moment, Form.FHIR_R4) for moment in Moment}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"fhir_url": ""}, "FHIR_URL is missing"),
        ({"fhir_url": "overread.example"}, "no http"),
        ({"webhook_secrets": {}}, "no secret for record"),
        ({"webhook_secrets": {"record": "whsec_c2hvcnQ="}}, "24 to 64 bytes"),
        ({"rules": ("triage:SR:record",)}, "does not take SR"),
        ({"rules": ("triage:ORU:record",)}, "does not take ORU"),
        ({"destinations": {"record": "fhir+https://user:word@record.example"}}, "password"),
        ({"destinations": {"pacs": "PACS"}, "rules": ("triage:FHIR_R4:pacs",)}, "does not take FHIR_R4"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(changed, words) -> None:
    with pytest.raises((ConfigurationError, ValueError), match=words):
        settings("https://record.example/hook", **changed)
