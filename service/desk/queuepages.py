"""The coordinator's page: how much waits, since when, how fast it is read, what the line leaves below it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from overread.case import CaseEvent
from overread.finding import Actionable
from service.desk.listing import Link, listing_of
from service.desk.render import render_page
from service.desk.words import URGENCIES, duration
from service.store.queue_view import QueueFigures, Waiting, read_queue
from service.web.context import Context

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_HAPPENED = {
    CaseEvent.FOUND_DISCREPANT: "Found discrepant",
    CaseEvent.READ_CLAIMED: "Claimed by a reader",
    CaseEvent.JUDGED: "Judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """What waits of one subspecialty, or in all."""

    link: Link
    waiting: int
    open: int  # that nobody reads
    late: str  # empty of none
    oldest: str
    oldest_address: str
    above: int
    below: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceLine:
    """How often something happened."""

    name: str
    of_day: int
    of_week: int
    per_day: str  # mean of the week


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowLine:
    """What stands below the line, of one urgency."""

    name: str
    count: int
    oldest: str
    priority: str  # the highest


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """What the page shows."""

    lead: str
    lines: tuple[QueueLine, ...]
    total: QueueLine
    pace: tuple[PaceLine, ...]
    below: tuple[BelowLine, ...]
    below_lead: str


@router.get("/queue")
def queue(context: Context, request: Request) -> HTMLResponse:
    """Show the figures of the list."""
    now = context.clock()
    view = queue_view(read_queue(context.store, now=now), now=now)
    return render_page(request, "queue.html", view, here="queue")


def queue_view(figures: QueueFigures, *, now: datetime) -> QueueView:
    """Return what the page shows of the figures."""
    names = {one.subspecialty for one in figures.waiting}
    lines = tuple(
        _line(name, [one for one in figures.waiting if one.subspecialty == name], figures, now)
        for name in sorted(names, key=lambda name: (name is None, name or ""))
    )
    total = _line("", figures.waiting, figures, now)
    return QueueView(
        lead=f"{total.waiting} wait for a second reader; being read now: {total.waiting - total.open}.",
        lines=lines,
        total=total,
        pace=tuple(_pace(event, figures) for event in _HAPPENED),
        below=tuple(_below(figures, now)),
        below_lead=_below_lead(figures, total),
    )


def _line(name: str | None, some: Sequence[Waiting], figures: QueueFigures, now: datetime) -> QueueLine:
    query = "share=100" + (f"&subspecialty={name}" if name else "")
    waits = sum(one.count for one in some)
    return QueueLine(
        link=Link(name="All" if name == "" else name or "anybody's", address=listing_of(query).address()),
        waiting=waits,
        open=waits - sum(one.claimed for one in some),
        late=_late(some, figures),
        oldest=_oldest(some, figures, now),
        oldest_address=listing_of(f"{query}&sort=waiting").address(),
        above=sum(one.count for one in some if one.is_above),
        below=sum(one.count for one in some if not one.is_above),
    )


def _late(some: Iterable[Waiting], figures: QueueFigures) -> str:
    late = sum(one.late for one in some)
    if figures.is_late_least and late:
        return f"{late} or more"
    return "not known" if figures.is_late_least else str(late or "")


def _oldest(some: Sequence[Waiting], figures: QueueFigures, now: datetime) -> str:
    oldest = min((one.oldest for one in some if one.oldest is not None), default=None)
    if oldest is not None:
        return duration(max(now - oldest, timedelta()))
    if figures.oldest is None or not some:
        return "–"
    return f"under {duration(max(now - figures.oldest, timedelta()))}"


def _pace(event: CaseEvent, figures: QueueFigures) -> PaceLine:
    of_week = figures.of_week[event]
    return PaceLine(
        name=_HAPPENED[event], of_day=figures.of_day[event], of_week=of_week, per_day=f"{of_week / 7:.1f}"
    )


def _below(figures: QueueFigures, now: datetime) -> Iterable[BelowLine]:
    below = [one for one in figures.waiting if not one.is_above]
    for urgency in Actionable:
        if some := [one for one in below if one.urgency is urgency]:
            yield BelowLine(
                name=URGENCIES[urgency] or "No urgency",
                count=sum(one.count for one in some),
                oldest=_oldest(some, figures, now),
                priority=_highest(some, figures),
            )


def _highest(some: Iterable[Waiting], figures: QueueFigures) -> str:
    highest = max((one.priority_max for one in some if one.priority_max is not None), default=None)
    if highest is not None:
        return f"{highest:.0f}"
    return "–" if figures.priority is None else f"at most {figures.priority:.0f}"


def _below_lead(figures: QueueFigures, total: QueueLine) -> str:
    share, line = f"{100 * figures.line.share:.3g}\u00a0%", figures.line
    where = f"The line stands at {share} of {line.triaged} triaged cases"
    if line.priority is None or not total.below:
        return f"{where} and leaves nothing below it."
    return (
        f"{where}, at priority {line.priority:.0f} of 100. It leaves {total.below} below it, which nobody is "
        "asked to look at."
    )
