"""The page of an author: what second reads say of one's own reports."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service.adjudication.telling import Message, messages_for
from service.desk.judgingview import judged_words
from service.desk.render import render_page
from service.desk.words import dicom_date, moment
from service.web.context import Context, Recognised

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """One message in words."""

    study: str
    judged_at: datetime
    judged_words: str
    words: tuple[str, ...]
    comment: str
    learning_point: str
    addendum: str  # empty where none is asked for
    is_open: bool  # an addendum is asked for and has not come


@router.get("/own-reports")
def own_reports(context: Context, request: Request, identity: Recognised) -> HTMLResponse:
    """Show what concerns the reports of whoever asks."""
    lines = tuple(_line(message) for message in messages_for(context.store, identity))
    return render_page(request, "ownreports.html", {"lines": lines}, here="own reports")


def _line(message: Message) -> MessageLine:
    case = message.case
    known = (case.accession_number, case.modality, dicom_date(case.study_date))
    return MessageLine(
        study=", ".join(part for part in known if part) or f"Case {case.case_id}",
        judged_at=message.judged_at,
        judged_words=moment(message.judged_at),
        words=judged_words(message.confirmed, message.added, message.radpeer),
        comment=message.comment,
        learning_point=message.learning_point,
        addendum=_addendum(message),
        is_open=message.asks_for_addendum and message.corrected_at is None,
    )


def _addendum(message: Message) -> str:
    if not message.asks_for_addendum:
        return ""
    if message.corrected_at is None:
        return "An addendum is asked for. It counts as done when it arrives from your system."
    return f"The addendum arrived on {moment(message.corrected_at)} UTC."
