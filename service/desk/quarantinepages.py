"""The pages of the quarantine: the list, one entry, and what a person does with it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from overread.actor import Actor
from service.desk.quarantineview import PAGE_LENGTH, ListChoice, entry_view, quarantine_view
from service.desk.render import render_page
from service.quarantine.contents import read_content
from service.quarantine.replay import replay_entry
from service.store.quarantine import (
    Correction,
    case_of,
    count_states,
    discard,
    known_reasons,
    list_actions,
    list_quarantine,
    load_entry,
)
from service.store.records import QuarantineEntry, QuarantineKind, QuarantineState, ReportStatus
from service.web.context import Context, ServerContext, sender
from service.web.narrative_turns import narratives_of
from service.web.pressure import pressure_words

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

EntryNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]
PersonName = Annotated[str, Form(max_length=200)]


class CorrectionForm(BaseModel):
    """The form as it was sent; what is as it was shown is left as it was sent."""

    model_config = ConfigDict(str_strip_whitespace=True)

    name: str = Field("", max_length=200)
    accession_number: str = Field("", max_length=64)
    study_instance_uid: str = Field("", max_length=64)
    patient_id: str = Field("", max_length=64)
    charset: str = Field("", max_length=64)
    status: ReportStatus | Literal[""] = ""
    accepts: bool = False
    revealed: bool = False  # whether the form showed the patient id

    def correction(self, entry: QuarantineEntry) -> Correction:
        """Return what the form puts right; of an image nothing but the decision to accept it."""
        if entry.kind is QuarantineKind.INSTANCE:
            return Correction(accepts=self.accepts)
        patient_shown = entry.patient_id if self.revealed else None
        return Correction(
            accession_number=_changed(self.accession_number, entry.accession_number),
            study_instance_uid=_changed(self.study_instance_uid, entry.study_instance_uid),
            patient_id=_changed(self.patient_id, patient_shown),
            charset=_changed(self.charset, entry.report_charset) or None,
            status=self.status or None,
            accepts=self.accepts,
        )


def _choice(
    state: Annotated[str, Query(max_length=16)] = "",
    kind: Annotated[str, Query(max_length=16)] = "",
    reason: Annotated[str, Query(max_length=64)] = "",
    since: Annotated[str, Query(max_length=32)] = "",
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
) -> ListChoice:
    return ListChoice.checked(state=state, kind=kind, reason=reason, since=since, page=page)


Choice = Annotated[ListChoice, Depends(_choice)]


@router.get("/quarantine")
def quarantine(context: Context, choice: Choice) -> HTMLResponse:
    """Show what was refused."""
    store = context.store
    counts = count_states(store, choice.wanted())
    view = quarantine_view(choice, _shown(context, choice), counts, known_reasons())
    alarms = pressure_words(store, now=context.clock())
    return render_page("quarantine.html", view, here="quarantine", alarms=alarms)


@router.post("/quarantine/replay")
async def replay_shown(context: Context, request: Request, choice: Choice, name: PersonName = "") -> Response:
    """Send what one page of the list shows through the intake again, and show the list."""
    actor = _actor(request, name)
    await narratives_of(request).run(lambda: _replay_shown(context, choice, actor))
    return RedirectResponse(choice.address(), status_code=303)


def _replay_shown(context: ServerContext, choice: ListChoice, actor: Actor) -> None:
    for entry in reversed(_shown(context, choice)):  # in the order in which they came
        if entry.state is not QuarantineState.RESOLVED and entry.removal is None:
            _replay(context, entry.quarantine_id, actor, None)


@router.get("/quarantine/{quarantine_id}")
async def entry_page(
    context: Context,
    request: Request,
    quarantine_id: EntryNumber,
    reveal: Annotated[str, Query(max_length=8)] = "",
    sheet: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """Show one entry; whose it is and what the report says only on request."""
    return await narratives_of(request).run(
        lambda: _entry(context, quarantine_id, revealed=bool(reveal), sheet=sheet)
    )


def _entry(context: ServerContext, quarantine_id: int, *, revealed: bool, sheet: int) -> HTMLResponse:
    entry = load_entry(context.store, quarantine_id)
    view = entry_view(
        entry,
        read_content(entry, identified=revealed, with_text=revealed),
        list_actions(context.store, quarantine_id),
        case_id=case_of(context.store, entry),
        revealed=revealed,
        sheet=sheet,
    )
    return render_page("refused.html", view, here="quarantine")


@router.post("/quarantine/{quarantine_id}/replay")
async def replay(
    context: Context, request: Request, quarantine_id: EntryNumber, name: PersonName = ""
) -> Response:
    """Send one entry through the intake again as it is, and show it."""
    actor = _actor(request, name)
    await narratives_of(request).run(lambda: _replay(context, quarantine_id, actor, None))
    return _back_to(quarantine_id)


@router.post("/quarantine/{quarantine_id}/correct")
async def correct(
    context: Context,
    request: Request,
    quarantine_id: EntryNumber,
    form: Annotated[CorrectionForm, Form()],
) -> Response:
    """Send one entry through the intake again, put right, and show it."""
    actor = _actor(request, form.name)

    def put_right() -> None:
        correction = form.correction(load_entry(context.store, quarantine_id))
        _replay(context, quarantine_id, actor, correction)

    await narratives_of(request).run(put_right)
    return _back_to(quarantine_id)


@router.post("/quarantine/{quarantine_id}/discard")
def discard_entry(
    context: Context,
    request: Request,
    quarantine_id: EntryNumber,
    name: PersonName = "",
    because: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Discard one entry and show it."""
    discard(context.store, quarantine_id, actor=_actor(request, name), because=because, now=context.clock())
    return _back_to(quarantine_id)


def _shown(context: ServerContext, choice: ListChoice) -> tuple[QuarantineEntry, ...]:
    offset = (choice.page - 1) * PAGE_LENGTH
    return list_quarantine(context.store, choice.wanted(), limit=PAGE_LENGTH, offset=offset)


def _replay(context: ServerContext, quarantine_id: int, actor: Actor, correction: Correction | None) -> None:
    replay_entry(
        context.store, quarantine_id, actor=actor, now=context.clock(), hl7=context.hl7, correction=correction
    )


def _actor(request: Request, name: str) -> Actor:
    return Actor.unverified(name, sent_from=sender(request, "page"))


def _changed(given: str, shown: str | None) -> str | None:
    """Return what was put in place of what the form showed; None where it was left."""
    return None if given == (shown or "") else given


def _back_to(quarantine_id: int) -> RedirectResponse:
    return RedirectResponse(f"/quarantine/{quarantine_id}", status_code=303)
