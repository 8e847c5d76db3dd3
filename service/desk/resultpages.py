"""The page of the outbox: what waits for other systems, what was given up, and sending it again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from overread.actor import Actor
from service.desk.render import render_page
from service.store.notices import PREFIX
from service.store.outbox import Delivery, DeliveryState, list_deliveries, outbox_figures, send_again
from service.store.outbox import Query as OutboxQuery
from service.web.context import Context, Recognised, sender
from service.web.outbox import outbox_words

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SHOWN_MAX = 200
_TABS = (
    ("waiting", "Waiting", (DeliveryState.DUE,)),
    ("given-up", "Given up", (DeliveryState.GIVEN_UP,)),
    ("sent", "Sent", (DeliveryState.SENT, DeliveryState.SUPERSEDED)),
)
_FORMS = {
    "SR": "Structured report",
    "SC": "Secondary capture",
    "KO": "Key objects",
    "SEG": "Segmentation",
    "GSPS": "Presentation state",
    "REJECTION": "Note that earlier objects are out of date",
    "ORU": "HL7 message",
    "WAITING": "Cases wait: message",
    "CAP": "Allowed waits are nearly over: message",
    "TEST": "Test message",
    "ASSESSMENT": "Assessment",
    "FHIR_R4": "FHIR notification",
    "FHIR_R5": "FHIR notification",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One list that may be chosen."""

    name: str
    words: str
    current: bool
    count: int | None  # None: not counted
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One delivery as the list shows it."""

    number: int
    address: str  # of the case; empty for a message, which may tell of many
    what: str
    state: str
    why: str
    names: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsView:
    """The page."""

    tabs: tuple[Tab, ...]
    rows: tuple[ResultRow, ...]
    lead: str
    chosen: str
    can_replay: bool


def _acting(request: Request, identity: Recognised, name: Annotated[str, Form(max_length=200)] = "") -> Actor:
    return identity.actor_named(name, sent_from=sender(request, "page"))


@router.get("/results")
def results(
    context: Context, request: Request, state: Annotated[str, Query(max_length=16)] = "waiting"
) -> HTMLResponse:
    """Show the outbox."""
    chosen = state if state in {name for name, _, _ in _TABS} else "waiting"
    states = next(states for name, _, states in _TABS if name == chosen)
    found = list_deliveries(context.store, OutboxQuery(states=states), limit=_SHOWN_MAX)
    counts: dict[DeliveryState, int] = {}
    for figure in outbox_figures(context.store):
        counts[figure.state] = counts.get(figure.state, 0) + figure.count
    view = ResultsView(
        tabs=tuple(_tab(name, words, states, chosen, counts) for name, words, states in _TABS),
        rows=tuple(map(_row, found)),
        lead=_lead(len(found)),
        chosen=chosen,
        can_replay=chosen == "given-up" and bool(found),
    )
    alarms = outbox_words(context.store, now=context.clock())
    return render_page(request, "results.html", view, here="results", alarms=alarms)


@router.post("/results/replay")
def replay(context: Context, actor: Annotated[Actor, Depends(_acting)]) -> Response:
    """Send again what was given up, and show what waits."""
    query = OutboxQuery(states=(DeliveryState.GIVEN_UP,))
    send_again(context.store, query, now=context.clock(), actor=actor)
    return RedirectResponse("/results", status_code=303)


def _tab(
    name: str,
    words: str,
    states: tuple[DeliveryState, ...],
    chosen: str,
    counts: dict[DeliveryState, int],
) -> Tab:
    counted = name != "sent"
    return Tab(
        name=name,
        words=words,
        current=name == chosen,
        count=counts.get(states[0], 0) if counted else None,
        urgent=name == "given-up",
    )


def _lead(shown: int) -> str:
    most = f" The latest {_SHOWN_MAX} are shown." if shown == _SHOWN_MAX else ""
    return (
        "Results and messages on their way to other systems and people. One that is refused is sent again "
        "after a growing delay; one that is refused too often is given up until somebody sends it again."
        f"{most}"
    )


def _what(delivery: Delivery) -> str:
    of_case = "" if delivery.case_id is None else f" of case {delivery.case_id}"
    return f"{_FORMS[delivery.form]}{of_case} to {delivery.destination.removeprefix(PREFIX)}"


def _row(delivery: Delivery) -> ResultRow:
    due = f"due {delivery.due_at:%Y-%m-%d %H:%M} UTC" if delivery.state is DeliveryState.DUE else ""
    commitment = f"storage commitment {delivery.commitment.lower()}" if delivery.commitment else ""
    attempts = f"{delivery.attempts} attempts" if delivery.attempts != 1 else "1 attempt"
    return ResultRow(
        number=delivery.delivery_id,
        address="" if delivery.case_id is None else f"/cases/{delivery.case_id}",
        what=_what(delivery),
        state=delivery.state.replace("_", " ").lower(),
        why=delivery.detail or "not tried yet",
        names=" · ".join(word for word in (attempts, due, commitment) if word),
        at=delivery.concluded_at or delivery.asked_at,
    )
