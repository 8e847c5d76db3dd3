"""View of the worklist page, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.case import SECOND_READ, TRIAGED, CaseState
from overread.finding import Actionable
from service.desk.listing import Link, Listing, lead_of, other_side, share_links, subspecialty_links
from service.desk.words import (
    KINDS,
    SIDES,
    STATE_HEADINGS,
    STATES,
    TABS,
    URGENCIES,
    URGENT,
    Tab,
    age,
    dicom_date,
    finding_name,
    sentence,
    stop,
    waited,
)
from service.store.headline import Headline
from service.store.records import CaseSummary, WorklistPage

PAGE_LENGTH = 50
_ELSEWHERE = "What else is listed is one link away."


@dataclass(frozen=True, slots=True, kw_only=True)
class TabLink:
    """A link to one tab of the worklist."""

    name: str
    address: str
    count: int
    current: bool
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case in the list."""

    address: str
    priority: float | None  # None where there is none to show
    heading: str
    side: str
    kind: str
    state: str | None  # in words, where the tab does not say it
    urgency: str
    urgent: bool
    further: int  # discrepancies beyond the first
    reason: str
    accession_number: str | None
    study: str
    late: bool  # whether it waited longer than allowed
    since_label: str
    since: datetime
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """The worklist page."""

    title: str
    lead: str
    tabs: tuple[TabLink, ...]
    subspecialties: tuple[Link, ...]  # empty where the tab is not to be read
    shares: tuple[Link, ...]  # likewise
    other_side: Link | None  # of the line; None where nothing stands there, or there is no line
    rows: tuple[Row, ...]
    next_address: str | None
    first_address: str | None  # None on the first page
    empty_heading: str
    empty_text: str


def tab_named(slug: str) -> Tab:
    """Return the tab with this name in its address; the first for any other."""
    return next((tab for tab in TABS if tab.slug == slug), TABS[0])


def tab_of(state: CaseState) -> Tab:
    """Return the tab on which a case in this state lies."""
    return next(tab for tab in TABS if state in tab.states)


def tab_address(tab: Tab) -> str:
    """Return the address of a tab's first page."""
    return "/" if tab is TABS[0] else f"/?show={tab.slug}"


def list_view(
    tab: Tab,
    listing: Listing,
    page: WorklistPage,
    counts: Mapping[CaseState, int],
    *,
    now: datetime,
    after: str | None,
) -> ListView:
    """Return the page of one tab; the listing says how the one that is to be read is looked at."""
    to_read = tab is TABS[0]
    first = listing.address() if to_read else tab_address(tab)
    line = page.line if to_read else None
    other = other_side(listing, line) if line else None
    side = "below" if listing.rest else "above"
    return ListView(
        title=tab.title,
        lead=lead_of(listing, line) if line else _lead(tab, counts),
        tabs=tuple(_tab_link(one, counts, current=one is tab) for one in TABS),
        subspecialties=subspecialty_links(listing) if to_read else (),
        shares=share_links(listing, line) if line else (),
        other_side=other,
        rows=tuple(_row(case, tab, now, listing if to_read else Listing()) for case in page.cases),
        next_address=f"{first}{'&' if '?' in first else '?'}after={page.next}" if page.next else None,
        first_address=first if after else None,
        empty_heading=f"Nothing {side} the line" if other else tab.empty_heading,
        empty_text=_ELSEWHERE if other else tab.empty_text,
    )


def study_words(summary: CaseSummary) -> str:
    """Return modality, body part and date of the study, as far as they are known."""
    kind = " ".join(part for part in (summary.modality, (summary.body_part or "").lower()) if part)
    known = [part for part in (kind, dicom_date(summary.study_date)) if part]
    return ", ".join(known) or "not known"


def _lead(tab: Tab, counts: Mapping[CaseState, int]) -> str:
    total = sum(counts[state] for state in tab.states)
    return f"{total} {'case' if total == 1 else 'cases'}."


def _tab_link(tab: Tab, counts: Mapping[CaseState, int], *, current: bool) -> TabLink:
    return TabLink(
        name=tab.name,
        address=tab_address(tab),
        count=sum(counts[state] for state in tab.states),
        current=current,
        urgent=tab.urgent,
    )


def _row(case: CaseSummary, tab: Tab, now: datetime, listing: Listing) -> Row:
    listed = case.state is CaseState.LISTED
    headline = case.headline if listed or case.state in SECOND_READ else None
    urgency = case.actionable if listed and case.actionable else Actionable.NONE
    overdue_at = case.overdue_at if case.above_line else None
    return Row(
        address=listing.case_address(case.case_id),
        priority=case.priority if listed else None,
        heading=finding_name(headline.finding) if headline else STATE_HEADINGS[case.state],
        side=SIDES[headline.laterality] if headline else "",
        kind=KINDS[headline.kind] if headline else "",
        state=STATES[case.state] if len(tab.states) > 1 and listed else None,
        urgency=URGENCIES[urgency],
        urgent=urgency in URGENT,
        further=headline.further if headline else 0,
        reason=_why(case, headline) if headline else stop(_reasons(case)),
        accession_number=case.accession_number,
        study=study_words(case),
        late=overdue_at is not None and overdue_at <= now,
        since_label="Waiting" if listed else "Since",
        since=(case.waiting_since if listed else None) or case.updated_at,
        age=waited(case.waiting_since, overdue_at, now)
        if listed and case.waiting_since
        else age(case.updated_at, now),
    )


def _why(case: CaseSummary, headline: Headline) -> str:
    """Return why the leading discrepancy is one; its kind, with which the reason begins, stands beside it."""
    leading = case.reasons[0] if case.reasons else ""
    kind, colon, rest = leading.partition(": ")
    return sentence([rest if colon else kind, *headline.evidence])


def _reasons(case: CaseSummary) -> tuple[str, ...]:
    if case.state is CaseState.FAILED:
        return (case.failure or "the reason was not recorded",)
    return case.reasons if case.state in TRIAGED | SECOND_READ else ()
