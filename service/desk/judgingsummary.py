"""The page of the quality role: what second reads say of the flags and of all cases."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from overread.statistics import Estimate
from service.adjudication.quality import Quality
from service.adjudication.summary import Share
from service.adjudication.telling import OpenAddendum, open_addenda
from service.desk.judgingview import CAUSES, SCORES, VERDICTS
from service.desk.qualityview import CHART_NOTE, QualityView, between, percent, quality_view
from service.desk.render import render_page
from service.desk.words import moment
from service.web.context import Context

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLine:
    """One share in words."""

    words: str
    count: int
    share: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTable:
    """Shares of one whole."""

    title: str
    of: str  # the whole, in words
    what: str
    lines: tuple[ShareLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddendumLine:
    """An addendum that was asked for and has not arrived."""

    address: str
    case_id: int
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryView:
    """The page."""

    addenda: tuple[AddendumLine, ...]  # asked for, and not arrived
    lead: str
    tables: tuple[ShareTable, ...]
    rates: QualityView
    chart_note: str


@router.get("/second-reads")
def second_reads(context: Context, request: Request) -> HTMLResponse:
    """Show the shares over everything that has been judged."""
    quality = context.quality.quality(context.store, now=context.clock())
    view = summary_view(quality, open_addenda(context.store, quality.addenda_asked))
    return render_page(request, "secondreads.html", view, here="second reads")


def summary_view(quality: Quality, addenda: Sequence[OpenAddendum]) -> SummaryView:
    """Return the page."""
    summary = quality.summary
    rejected = sum(share.count for share in summary.causes.values())
    scored = sum(share.count for share in summary.radpeer.values())
    return SummaryView(
        rates=quality_view(quality),
        chart_note=CHART_NOTE,
        addenda=tuple(
            AddendumLine(address=f"/cases/{item.case_id}", case_id=item.case_id, since=moment(item.asked_at))
            for item in addenda
        ),
        lead=f"{summary.cases} judged cases; {summary.added} discrepancies that nothing had flagged.",
        tables=(
            ShareTable(
                title="Flags",
                of=f"of {summary.flags} flags that were judged",
                what="Verdict",
                lines=_lines((VERDICTS[one][0], share) for one, share in summary.verdicts.items()),
            ),
            ShareTable(
                title="Causes of rejected flags",
                of=f"of {rejected} flags that were not confirmed",
                what="Cause",
                lines=_lines((CAUSES[one], share) for one, share in summary.causes.items()),
            ),
            ShareTable(
                title="RADPEER, 2016",
                of=f"of {scored} cases that were scored, after arbitration where a score asks for it",
                what="Score",
                lines=_lines(
                    (f"{one.value}, {SCORES[one]}", share) for one, share in summary.radpeer.items()
                ),
            ),
            ShareTable(
                title="Agreement",
                of="of all cases; of those that two people read independently",
                what="What",
                lines=_lines(
                    [("Arbitrated", summary.arbitrated), ("Two readers differed", summary.disagreed)]
                ),
            ),
        ),
    )


def _lines(shares: Iterable[tuple[str, Share]]) -> tuple[ShareLine, ...]:
    return tuple(
        ShareLine(
            words=words, count=share.count, share=_percent(share.estimate), interval=_interval(share.estimate)
        )
        for words, share in shares
    )


def _percent(estimate: Estimate) -> str:
    return "–" if math.isnan(estimate.value) else percent(estimate)


def _interval(estimate: Estimate) -> str:
    return "–" if math.isnan(estimate.value) else between(estimate)
