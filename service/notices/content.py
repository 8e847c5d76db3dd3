"""Content of a notice: JSON for programs, text for people. A case is a number and an address, no more.

Of drift it names the two windows and the channels that differ.
"""

import json
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from service.store.drift import DriftLook
from service.store.notices import Cause, Notice

NAMED_MAX = 50
"""Cases that a message names; of further ones it gives the count."""

_TYPES = {
    Cause.WAITING: "case.waiting",
    Cause.CAP: "case.cap_near",
    Cause.DRIFT: "overread.drift",
    Cause.TEST: "overread.test",
}
_SUBJECTS = {
    Cause.WAITING: ("a case waits for a second reader", "{} cases wait for a second reader"),
    Cause.CAP: ("a case nears the end of its allowed wait", "{} cases near the end of their allowed wait"),
}
_WHY = {
    Cause.WAITING: ("Nobody is reading it yet:", "Nobody is reading them yet:"),
    Cause.CAP: ("Its time is nearly over, or is:", "Their time is nearly over, or is:"),
}


def payload(notice: Notice, page_url: str) -> bytes:
    """Return a notice as the body of a webhook (Standard Webhooks 1.0.0, section Payload)."""
    data: dict[str, object] = {
        "count": notice.count,
        "cases": [{"case_id": case_id, "url": _address(case_id, page_url)} for case_id in notice.case_ids],
        "url": f"{page_url}/",
    }
    if notice.look is not None:
        look = notice.look
        data["drift"] = {
            "window": str(look.window),
            "reference": str(look.reference),
            "channels": list(look.alarms),
        }
    made_at = notice.made_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps({"type": _TYPES[notice.cause], "timestamp": made_at, "data": data}).encode()


def mail(notice: Notice, page_url: str, *, sender: str, recipient: str) -> EmailMessage:
    """Return a notice as a message of e-mail, the same at every attempt."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = f"overread: {_subject(notice)}"
    message["Date"] = format_datetime(notice.made_at)
    message["Message-ID"] = f"<{notice.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of absence
    message.set_content("\n".join(_lines(notice, page_url)))
    return message


def _subject(notice: Notice) -> str:
    if notice.cause is Cause.TEST:
        return "a test message"
    if notice.cause is Cause.DRIFT:
        return "the studies of late differ from the usual ones"
    return _numbered(_SUBJECTS, notice).format(notice.count)


def _numbered(words: Mapping[Cause, tuple[str, str]], notice: Notice) -> str:
    one, many = words[notice.cause]
    return one if notice.count == 1 else many


def _lines(notice: Notice, page_url: str) -> Sequence[str]:
    at = f"{notice.made_at:%Y-%m-%d %H:%M} UTC"
    if notice.cause is Cause.TEST:
        return (f"Somebody had a test message sent at {at}. There is nothing to do.", "", f"{page_url}/", "")
    if notice.look is not None:
        return _lines_of_drift(notice.look, at)
    further = notice.count - len(notice.case_ids)
    return (
        f"{_subject(notice).capitalize()}, as of {at}. {_numbered(_WHY, notice)}",
        "",
        *(_address(case_id, page_url) for case_id in notice.case_ids),
        *((f"and {further} more: {page_url}/",) if further else ()),
        "",
    )


def _lines_of_drift(look: DriftLook, at: str) -> Sequence[str]:
    return (
        f"Studies triaged in {look.window} differ from those of {look.reference}, as of {at}, in:",
        "",
        *(
            f"{channel.channel}: most in {channel.changes[0].column!r}, {channel.changes[0].reference:.3g} "
            f"before, {channel.changes[0].window:.3g} now (p = {channel.changes[0].p:.2g})"
            for channel in look.channels
            if channel.is_alarm
        ),
        "",
        "Different is not worse: see what changed, such as a scanner, its software or a report template.",
        "`overread drift --list` shows all that was compared.",
        "",
    )


def _address(case_id: int, page_url: str) -> str:
    return f"{page_url}/cases/{case_id}"
