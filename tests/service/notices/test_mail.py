"""A person is told by e-mail: over TLS, once to each address, again after a refusal, and of no patient."""

import email
import email.policy
from email.message import EmailMessage

import pytest

from overread.actor import Actor
from overread.errors import PeerError
from service.notices.process import destination_of, make_due
from service.notices.settings import MailSecurity, NoticeSettings
from service.results.ownership import this_process
from service.results.sending import Sender
from service.store.database import Store
from service.store.drift import add_look
from service.store.outbox import Delivery, DeliveryState, Query, list_deliveries
from tests.service.material import after, triaged_case
from tests.service.notices.peers import PAGE, MailHost, mailed, server_context
from tests.service.store.releases.whole import whole_look


def sender(store: Store, settings: NoticeSettings, seconds: float = 60) -> Sender:
    (recipient,) = settings.recipients()
    clock = lambda: after(seconds)  # noqa: E731  # shorter than a function
    destination = destination_of(recipient, store, settings.page_url, clock=clock)
    return Sender(store, destination, owner=this_process(), clock=clock)


def made(store: Store, settings: NoticeSettings, cases: int = 1) -> None:
    for number in range(1, cases + 1):
        triaged_case(store, number)
    make_due(store, settings.watches(), clock=lambda: after(60))


def only(store: Store) -> Delivery:
    (delivery,) = list_deliveries(store, Query(), limit=9)
    return delivery


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def trusting(port: int, certificates, **changes: object) -> NoticeSettings:
    return mailed(port, authority=certificates.folder / "authority.crt", **changes)


def test_a_drift_is_told_in_words(sqlite_store, certificates) -> None:
    host = MailHost(tls_context=server_context(certificates.folder), require_starttls=True)
    add_look(sqlite_store, whole_look(), actor=Actor.program("overread drift"))
    with host.listening() as port:
        settings = trusting(port, certificates, rules="drift:*:chief")
        make_due(sqlite_store, settings.watches(), clock=lambda: after(20_000))
        assert sender(sqlite_store, settings, seconds=20_000).send_due() == 1

    message = read(host.messages[0].content)
    assert message["Subject"] == "overread: the studies of late differ from the usual ones"
    lines = message.get_content().splitlines()
    assert lines[0] == (
        "Studies triaged in 2026-02-17/2026-03-01 differ from those of 2026-02-06/2026-02-17, as of "
        "2026-03-01 17:33 UTC, in:"
    )
    assert lines[2] == "pixels: most in 'p50', 0.4 before, 0.5 now (p = 0.001)"


def test_a_message_arrives_over_starttls_and_names_cases_and_pages_alone(store, certificates) -> None:
    host = MailHost(tls_context=server_context(certificates.folder), require_starttls=True)
    with host.listening() as port:
        settings = trusting(port, certificates)
        made(store, settings, cases=2)
        assert sender(store, settings).send_due() == 1

    (envelope,) = host.messages
    assert host.secured == [True]
    assert (envelope.mail_from, envelope.rcpt_tos) == (
        "overread@hospital.example",
        ["chief@hospital.example"],
    )
    message = read(envelope.content)
    assert message["Subject"] == "overread: 2 cases wait for a second reader"
    assert message["Message-ID"] == f"<{only(store).message_id}@hospital.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Sun, 01 Mar 2026 12:01:00 +0000"
    assert message.get_content().splitlines() == [
        "2 cases wait for a second reader, as of 2026-03-01 12:01 UTC. Nobody is reading them yet:",
        "",
        f"{PAGE}/cases/1",
        f"{PAGE}/cases/2",
    ]
    assert only(store).state is DeliveryState.SENT


def test_over_tls_from_the_start_and_with_a_password(sqlite_store, certificates) -> None:
    host = MailHost(password="hush", ssl_context=server_context(certificates.folder), auth_require_tls=False)
    with host.listening() as port:
        given = {"mail_security": MailSecurity.TLS, "mail_user": "overread"}
        settings = trusting(port, certificates, mail_password="hush", **given)
        made(sqlite_store, settings)
        wrong = trusting(port, certificates, mail_password="guess", **given)
        with pytest.raises(PeerError, match="does not let us in") as failure:
            sender(sqlite_store, wrong).send_due()
        assert "guess" not in str(failure.value)

        assert sender(sqlite_store, settings).send_due() == 1

    assert set(host.people) == {"overread"}
    assert len(host.messages) == 1


def test_a_server_without_starttls_is_told_nothing(sqlite_store) -> None:
    host = MailHost()
    with host.listening() as port:
        settings = mailed(port)
        made(sqlite_store, settings)
        with pytest.raises(PeerError, match="offers no STARTTLS"):
            sender(sqlite_store, settings).send_due()
        assert host.messages == []

        unprotected = mailed(port, mail_security=MailSecurity.NONE)
        assert sender(sqlite_store, unprotected).send_due() == 1

    assert host.secured == [False]


def test_a_certificate_of_an_unknown_authority_is_not_believed(sqlite_store, certificates) -> None:
    host = MailHost(tls_context=server_context(certificates.folder))
    with host.listening() as port:
        settings = mailed(port)
        made(sqlite_store, settings)
        with pytest.raises(PeerError, match="SSLCertVerificationError"):
            sender(sqlite_store, settings).send_due()

    assert host.messages == []
    assert only(sqlite_store).attempts == 0


def test_what_the_server_refuses_is_sent_again_later_under_the_same_message_id(sqlite_store) -> None:
    host = MailHost("451 try again, Jane Doe")
    with host.listening() as port:
        settings = mailed(port, mail_security=MailSecurity.NONE)
        made(sqlite_store, settings)
        sender(sqlite_store, settings).send_due()
        waiting = only(sqlite_store)
        assert (waiting.state, waiting.attempts, waiting.due_at) == (DeliveryState.DUE, 1, after(70))
        assert "451" in str(waiting.detail)
        assert "Doe" not in str(waiting.detail)
        sender(sqlite_store, settings, 71).send_due()

    (envelope,) = host.messages
    assert waiting.message_id in read(envelope.content)["Message-ID"]
    assert only(sqlite_store).state is DeliveryState.SENT


def test_a_server_that_is_away_is_waited_for(sqlite_store) -> None:
    host = MailHost()
    with host.listening() as port:
        settings = mailed(port, mail_security=MailSecurity.NONE)
    made(sqlite_store, settings)

    with pytest.raises(PeerError, match="does not answer"):
        sender(sqlite_store, settings).send_due()

    assert (only(sqlite_store).state, only(sqlite_store).attempts) == (DeliveryState.DUE, 0)


def test_what_is_left_of_many_cases_is_counted(sqlite_store) -> None:
    host = MailHost()
    with host.listening() as port:
        settings = mailed(port, mail_security=MailSecurity.NONE)
        made(sqlite_store, settings, cases=52)
        sender(sqlite_store, settings).send_due()

    (envelope,) = host.messages
    lines = read(envelope.content).get_content().splitlines()
    assert len([line for line in lines if "/cases/" in line]) == 50
    assert lines[-1] == f"and 2 more: {PAGE}/"
