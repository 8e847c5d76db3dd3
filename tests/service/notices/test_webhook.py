"""A program is told by HTTP: signed, again after a refusal, under one id, and of no patient."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from standardwebhooks import Webhook as ReferenceReceiver
from standardwebhooks import WebhookVerificationError

from overread.actor import Actor
from overread.errors import PeerError
from service.notices.process import destination_of, make_due
from service.notices.settings import NoticeSettings
from service.notices.webhook import signature
from service.results.ownership import this_process
from service.results.sending import Sender
from service.store.database import Store
from service.store.drift import add_look
from service.store.outbox import ATTEMPTS_MAX, Delivery, DeliveryState, Query, list_deliveries, send_again
from tests.service.material import ACCESSION, NOW, PATIENT, STUDY, after, triaged_case
from tests.service.notices.peers import KILL, PAGE, SECRET, Receiver, hooked, server_context
from tests.service.store.releases.whole import whole_look

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "notices.md"


def made(store: Store, settings: NoticeSettings, cases: int = 1) -> list[int]:
    numbers = [triaged_case(store, number) for number in range(1, cases + 1)]
    make_due(store, settings.watches(), clock=lambda: after(60))
    return numbers


def sender(store: Store, settings: NoticeSettings, seconds: float = 60) -> Sender:
    (recipient,) = settings.recipients()
    clock = lambda: after(seconds)  # noqa: E731  # shorter than a function
    destination = destination_of(recipient, store, settings.page_url, clock=clock)
    return Sender(store, destination, owner=this_process(), clock=clock)


def only(store: Store) -> Delivery:
    (delivery,) = list_deliveries(store, Query(), limit=9)
    return delivery


def test_a_message_is_signed_so_that_the_reference_receiver_knows_it(store) -> None:
    receiver = Receiver()
    with receiver.listening() as url:
        settings = hooked(f"{url}/hook?to=team")
        made(store, settings, cases=2)
        assert sender(store, settings).send_due() == 1

    (call,) = receiver.calls
    # The reference receiver looks at its own clock; that of the test stood still long before.
    headers = call.headers | {"webhook-timestamp": str(int(after(60).timestamp()))}
    assert headers == call.headers
    with pytest.raises(WebhookVerificationError, match="too old"):
        ReferenceReceiver(SECRET).verify(call.body, call.headers)
    reference = ReferenceReceiver(SECRET).sign(call.message_id, after(60), call.body.decode())
    assert call.headers["webhook-signature"] == reference
    assert call.path == "/hook?to=team"
    assert json.loads(call.body) == {
        "type": "case.waiting",
        "timestamp": "2026-03-01T12:01:00Z",
        "data": {
            "count": 2,
            "cases": [
                {"case_id": 1, "url": f"{PAGE}/cases/1"},
                {"case_id": 2, "url": f"{PAGE}/cases/2"},
            ],
            "url": f"{PAGE}/",
        },
    }
    delivery = only(store)
    assert (delivery.state, delivery.detail) == (DeliveryState.SENT, "HTTP status 204")
    assert delivery.message_id == call.message_id


def test_a_drift_is_told_with_its_windows_and_channels(sqlite_store) -> None:
    receiver = Receiver()
    add_look(sqlite_store, whole_look(), actor=Actor.program("overread drift"))
    with receiver.listening() as url:
        settings = hooked(url, rules="drift:*:pager")
        make_due(sqlite_store, settings.watches(), clock=lambda: after(20_000))
        assert sender(sqlite_store, settings, seconds=20_000).send_due() == 1

    (call,) = receiver.calls
    said = json.loads(call.body)
    assert said["type"] == "overread.drift"
    assert said["data"] == {
        "count": 1,
        "cases": [],
        "url": f"{PAGE}/",
        "drift": {
            "window": "2026-02-17/2026-03-01",
            "reference": "2026-02-06/2026-02-17",
            "channels": ["pixels"],
        },
    }


def test_nothing_of_the_patient_is_in_a_message_its_log_or_its_row(sqlite_store, capfd) -> None:
    receiver = Receiver(500)
    with receiver.listening() as url:
        settings = hooked(url)
        made(sqlite_store, settings)
        sender(sqlite_store, settings).send_due()

    (call,) = receiver.calls
    told = f"{call.path} {call.body.decode()} " + " ".join(
        value for name, value in call.headers.items() if name not in ("webhook-id", "webhook-signature")
    )
    for private in (rf"{PATIENT}\b", "Doe", rf"{ACCESSION}\b", re.escape(STUDY), "mass", "CHEST"):
        assert not re.search(private, told), private
    assert "Doe" not in f"{only(sqlite_store)!r}{''.join(capfd.readouterr())}"


def test_the_ten_lines_of_the_documentation_tell_ours_from_forged_ones() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    receiver: dict[str, object] = {}
    exec(code, receiver)  # it is ours
    verify = receiver["is_ours"]
    body, seconds = b'{"type": "overread.test"}', int(NOW.timestamp())
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,AAAA {signature(key, 'msg_1', seconds, body)}",
    }

    assert verify(SECRET, headers, body, now=seconds + 299)  # type: ignore[operator]
    assert not verify(SECRET, headers, body, now=seconds + 301)  # type: ignore[operator]
    assert not verify(SECRET, headers, body + b" ", now=seconds)  # type: ignore[operator]
    assert not verify(SECRET, headers | {"webhook-id": "msg_2"}, body, now=seconds)  # type: ignore[operator]
    assert len(code.strip().splitlines()) <= 14


def test_while_a_secret_is_changed_both_sign(sqlite_store) -> None:
    other = "whsec_" + base64.b64encode(b"n" * 32).decode()
    receiver = Receiver()
    with receiver.listening() as url:
        settings = hooked(url, webhook_secrets={"pager": f"{other} {SECRET}"})
        made(sqlite_store, settings)
        sender(sqlite_store, settings).send_due()

    (call,) = receiver.calls
    wanted = {
        ReferenceReceiver(s).sign(call.message_id, after(60), call.body.decode()) for s in (SECRET, other)
    }
    assert set(call.headers["webhook-signature"].split()) == wanted


def test_one_that_is_refused_is_sent_again_later_under_the_same_id(sqlite_store) -> None:
    receiver = Receiver(500, 404)
    with receiver.listening() as url:
        settings = hooked(url)
        made(sqlite_store, settings)
        sender(sqlite_store, settings).send_due()
        assert (only(sqlite_store).attempts, only(sqlite_store).due_at) == (1, after(70))
        assert sender(sqlite_store, settings, 69).send_due() == 0
        sender(sqlite_store, settings, 71).send_due()
        assert (only(sqlite_store).attempts, only(sqlite_store).due_at) == (2, after(91))
        sender(sqlite_store, settings, 92).send_due()

    assert only(sqlite_store).state is DeliveryState.SENT
    assert len({call.message_id for call in receiver.calls}) == 1
    assert [int(call.headers["webhook-timestamp"]) - int(NOW.timestamp()) for call in receiver.calls] == [
        60,
        71,
        92,
    ]
    assert len({call.headers["webhook-signature"] for call in receiver.calls}) == 3


def test_in_the_end_it_is_given_up_and_sent_again_when_a_person_wants_it(sqlite_store) -> None:
    receiver = Receiver(*[410] * ATTEMPTS_MAX)
    with receiver.listening() as url:
        settings = hooked(url)
        made(sqlite_store, settings)
        for attempt in range(ATTEMPTS_MAX):
            sender(sqlite_store, settings, 7200 * (attempt + 1)).send_due()
        assert only(sqlite_store).state is DeliveryState.GIVEN_UP

        assert send_again(sqlite_store, Query(states=(DeliveryState.GIVEN_UP,)), now=NOW) == 1
        assert sender(sqlite_store, settings).send_due() == 1

    assert only(sqlite_store).state is DeliveryState.SENT
    assert len({call.message_id for call in receiver.calls}) == 1


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_one_that_cannot_answer_now_is_not_counted(sqlite_store, status) -> None:
    receiver = Receiver(status)
    with receiver.listening() as url:
        settings = hooked(url)
        made(sqlite_store, settings)
        with pytest.raises(PeerError, match=str(status)):
            sender(sqlite_store, settings).send_due()

    assert (only(sqlite_store).state, only(sqlite_store).attempts) == (DeliveryState.DUE, 0)


def test_nobody_there_is_told_without_what_the_address_holds(sqlite_store) -> None:
    with Receiver().listening() as url:
        settings = hooked(f"{url}/services/hush")
        made(sqlite_store, settings)

    with pytest.raises(PeerError, match=r"pager at 127\.0\.0\.1 does not answer") as failure:
        sender(sqlite_store, settings).send_due()

    assert "hush" not in str(failure.value)
    assert only(sqlite_store).attempts == 0


def test_a_redirect_is_not_followed(sqlite_store) -> None:
    receiver = Receiver(307)
    with receiver.listening() as url:
        settings = hooked(url)
        made(sqlite_store, settings)
        sender(sqlite_store, settings).send_due()

    assert len(receiver.calls) == 1
    assert only(sqlite_store).detail == "HTTP status 307"


def test_over_tls_only_who_shows_a_certificate_of_the_authority_is_told(sqlite_store, certificates) -> None:
    receiver = Receiver(context=server_context(certificates.folder))
    with receiver.listening() as url:
        trusting = hooked(url, authority=certificates.folder / "authority.crt")
        made(sqlite_store, trusting)
        with pytest.raises(PeerError, match="SSLCertVerificationError"):
            sender(sqlite_store, hooked(url)).send_due()
        assert receiver.calls == []

        assert sender(sqlite_store, trusting).send_due() == 1

    assert len(receiver.calls) == 1


def test_a_sender_killed_between_sending_and_noting_sends_again_under_the_same_id(store) -> None:
    """It dies by SIGKILL with the message received and nothing noted; the next one sends it again."""
    receiver = Receiver(KILL, KILL)
    settings = store.settings
    code = (
        "import os; from service.settings import load_settings; "
        "from service.store.database import open_store; from service.notices.process import send_once; "
        "send_once(open_store(load_settings(os.environ)), os.environ)"
    )
    with receiver.listening() as url:
        environ = os.environ | {
            "OVERREAD_FOLDER": str(settings.data_folder),
            "OVERREAD_DATABASE_URL": settings.database_url.replace("+psycopg", ""),
            "OVERREAD_NOTICES_DESTINATIONS": f"pager={url}",
            "OVERREAD_NOTICES_WEBHOOK_SECRETS": f"pager={SECRET}",
            "OVERREAD_NOTICES_PAGE_URL": PAGE,
            "OVERREAD_NOTICES_RULES": "waiting:*:pager",
        }
        made(store, hooked(url))
        codes = []
        for _ in range(3):
            with subprocess.Popen([sys.executable, "-c", code], env=environ) as process:
                receiver.sender = process.pid
                codes.append(process.wait(timeout=300))
            if codes[-1] != 0:
                assert only(store).state is DeliveryState.DUE

    assert codes == [-9, -9, 0]
    assert len(receiver.calls) == 3
    assert {call.message_id for call in receiver.calls} == {only(store).message_id}
    assert only(store).state is DeliveryState.SENT
