"""Who is told of what: rules, addresses and secrets, each fault in words that repeat no secret."""

import pytest

from overread.errors import ConfigurationError
from overread.finding import Actionable
from service.notices.settings import Mailbox, MailSecurity, NoticeSettings, Webhook
from service.store.notices import Cause, Want
from tests.service.notices.peers import PAGE, SECRET, hooked

GIVEN = {
    "OVERREAD_NOTICES_DESTINATIONS": "pager=https://pager.example/hook,chief=mailto:chief@hospital.example",
    "OVERREAD_NOTICES_PAGE_URL": f"{PAGE}/",
    "OVERREAD_NOTICES_WEBHOOK_SECRETS": f"pager={SECRET}",
    "OVERREAD_NOTICES_MAIL_SERVER": "mail.example:587",
    "OVERREAD_NOTICES_MAIL_SENDER": "overread@hospital.example",
}


def read(**changes: str) -> NoticeSettings:
    """The settings of GIVEN, with variables changed by their ends."""
    return NoticeSettings.read(
        GIVEN | {f"OVERREAD_NOTICES_{name.upper()}": value for name, value in changes.items()}
    )


def test_without_a_destination_nobody_is_told_and_nothing_is_asked_for() -> None:
    settings = NoticeSettings.read({})
    assert (settings.watches(), settings.recipients()) == ((), ())


def test_what_was_set_is_understood() -> None:
    pager, chief = read().recipients()

    assert isinstance(pager, Webhook)
    assert (pager.outbox_name, pager.url, len(pager.keys[0])) == (
        "notice:pager",
        "https://pager.example/hook",
        24,
    )
    assert isinstance(chief, Mailbox)
    assert chief.address == "chief@hospital.example"
    assert (chief.server.host, chief.server.port) == ("mail.example", 587)
    assert chief.server.security is MailSecurity.STARTTLS
    assert read().page_url == PAGE
    assert SECRET not in repr(read())
    assert "hush" not in repr(read(mail_user="us", mail_password="hush"))


def test_without_rules_everybody_is_told_of_what_cannot_wait() -> None:
    told = {(watch.destination, watch.cause): watch.wants for watch in read().watches()}

    top, both = frozenset({Actionable.MINUTES}), frozenset({Actionable.MINUTES, Actionable.HOURS})
    assert told == {
        ("notice:pager", Cause.WAITING): (Want(urgencies=top),),
        ("notice:pager", Cause.CAP): (Want(urgencies=both),),
        ("notice:chief", Cause.WAITING): (Want(urgencies=top),),
        ("notice:chief", Cause.CAP): (Want(urgencies=both),),
    }


def test_rules_of_one_destination_and_cause_are_one_watch() -> None:
    rules = "cap:*:chief:thoracic,cap:hours:chief,waiting:days:pager"
    watches = read(rules=rules, untaken_minutes="7", cap_share="0.5", pause_minutes="3").watches()

    assert [(watch.destination, watch.cause) for watch in watches] == [
        ("notice:chief", Cause.CAP),
        ("notice:pager", Cause.WAITING),
    ]
    assert watches[0].wants == (
        Want(urgencies=frozenset(Actionable), subspecialty="thoracic"),
        Want(urgencies=frozenset({Actionable.HOURS})),
    )
    assert (watches[0].untaken_seconds, watches[0].cap_share, watches[0].pause_seconds) == (420, 0.5, 180)


def test_drift_is_told_where_a_rule_asks_for_it_and_is_of_no_case() -> None:
    (watch,) = read(rules="drift:*:chief").watches()

    assert (watch.destination, watch.cause, watch.wants) == ("notice:chief", Cause.DRIFT, ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rules": "waiting:minutes:nobody"}, "names 'nobody', which OVERREAD_NOTICES_DESTINATIONS does not"),
        ({"rules": "waiting:soon:pager"}, "no rule such as waiting:minutes:oncall"),
        ({"rules": "listed:minutes:pager"}, "causes: waiting, cap, drift"),
        ({"rules": "drift:minutes:pager"}, "is no rule"),
        ({"rules": "drift:*:pager:thoracic"}, "is no rule"),
        ({"rules": "cap:*:pager:cardiology of fish"}, "is no subspecialty; there are"),
        ({"rules": "cap:*:pager:thoracic:more"}, "is no rule"),
        ({"page_url": ""}, "OVERREAD_NOTICES_PAGE_URL is missing"),
        ({"page_url": "overread.example.org"}, "no http"),
        ({"webhook_secrets": "other=" + SECRET}, "has no secret for pager"),
        ({"webhook_secrets": "pager=whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"webhook_secrets": "pager=" + SECRET.removeprefix("whsec_")}, "24 to 64 bytes"),
        ({"mail_server": ""}, "OVERREAD_NOTICES_MAIL_SERVER and OVERREAD_NOTICES_MAIL_SENDER"),
        ({"mail_server": "mail.example"}, "is not host:port"),
        ({"mail_sender": "overread"}, "is no address of e-mail"),
        ({"mail_security": "none", "mail_password": "hush"}, "would be sent in the clear"),
        ({"destinations": "a=mailto:x@y.example,b=mailto:x@y.example"}, "told everything twice"),
        ({"destinations": "a=mailto:x@y.example%0aBcc: z@y.example"}, "is no address of e-mail"),
        ({"destinations": "a=ftp://y.example"}, "no http"),
        ({"destinations": "a=https://me:secret@y.example"}, "no http"),
        ({"destinations": "notice:a=https://y.example"}, "is no name for a destination"),
    ],
)
def test_what_is_wrong_is_told(changes, words) -> None:
    with pytest.raises(ConfigurationError, match=words) as failure:
        read(**changes)

    message = str(failure.value)
    assert SECRET.removeprefix("whsec_") not in message
    assert "c2hvcnQ" not in message
    assert "hush" not in message


def test_an_authority_that_cannot_be_read_is_told_before_anything_is_sent(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="OVERREAD_NOTICES_AUTHORITY"):
        hooked("https://pager.example", authority=tmp_path / "none.crt").require_authority()
