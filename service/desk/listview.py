"""What the worklist page shows, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.case import CaseState
from overread.finding import Actionable
from service.desk.listing import Link, Listing, lead_of, other_side, readership_links, share_links
from service.desk.words import (
    KINDS,
    SHELVES,
    SIDES,
    STATE_HEADINGS,
    STATES,
    URGENCIES,
    URGENT,
    Shelf,
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
class Tab:
    """A link to one shelf of the worklist."""

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
    state: str | None  # in words, where the shelf does not say it
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
    tabs: tuple[Tab, ...]
    readerships: tuple[Link, ...]  # empty where the shelf is not to be read
    shares: tuple[Link, ...]  # likewise
    other_side: Link | None  # of the line; None where nothing stands there, or there is no line
    rows: tuple[Row, ...]
    next_address: str | None
    first_address: str | None  # None on the first page
    empty_heading: str
    empty_text: str


def shelf_named(slug: str) -> Shelf:
    """Return the shelf with this name in its address; the first for any other."""
    return next((shelf for shelf in SHELVES if shelf.slug == slug), SHELVES[0])


def shelf_of(state: CaseState) -> Shelf:
    """Return the shelf on which a case in this state lies."""
    return next(shelf for shelf in SHELVES if state in shelf.states)


def shelf_address(shelf: Shelf) -> str:
    """Return the address of a shelf's first page."""
    return "/" if shelf is SHELVES[0] else f"/?show={shelf.slug}"


def list_view(
    shelf: Shelf,
    listing: Listing,
    page: WorklistPage,
    counts: Mapping[CaseState, int],
    *,
    now: datetime,
    after: str | None,
) -> ListView:
    """Return the page of one shelf; the listing says how the one that is to be read is looked at."""
    to_read = shelf is SHELVES[0]
    first = listing.address() if to_read else shelf_address(shelf)
    line = page.line if to_read else None
    other = other_side(listing, line) if line else None
    side = "below" if listing.rest else "above"
    return ListView(
        title=shelf.title,
        lead=lead_of(listing, line) if line else _lead(shelf, counts),
        tabs=tuple(_tab(one, counts, current=one is shelf) for one in SHELVES),
        readerships=readership_links(listing) if to_read else (),
        shares=share_links(listing, line) if line else (),
        other_side=other,
        rows=tuple(_row(case, shelf, now, listing if to_read else Listing()) for case in page.cases),
        next_address=f"{first}{'&' if '?' in first else '?'}after={page.next}" if page.next else None,
        first_address=first if after else None,
        empty_heading=f"Nothing {side} the line" if other else shelf.empty_heading,
        empty_text=_ELSEWHERE if other else shelf.empty_text,
    )


def study_words(summary: CaseSummary) -> str:
    """Return modality, body part and date of the study, as far as they are known."""
    kind = " ".join(part for part in (summary.modality, (summary.body_part or "").lower()) if part)
    known = [part for part in (kind, dicom_date(summary.study_date)) if part]
    return ", ".join(known) or "not known"


def _lead(shelf: Shelf, counts: Mapping[CaseState, int]) -> str:
    total = sum(counts[state] for state in shelf.states)
    return f"{total} {'case' if total == 1 else 'cases'}."


def _tab(shelf: Shelf, counts: Mapping[CaseState, int], *, current: bool) -> Tab:
    return Tab(
        name=shelf.name,
        address=shelf_address(shelf),
        count=sum(counts[state] for state in shelf.states),
        current=current,
        urgent=shelf.urgent,
    )


def _row(case: CaseSummary, shelf: Shelf, now: datetime, listing: Listing) -> Row:
    listed = case.state is CaseState.LISTED
    headline = case.headline if listed else None
    urgency = case.actionable if listed and case.actionable else Actionable.NONE
    overdue_at = case.overdue_at if case.above_line else None
    return Row(
        address=listing.case_address(case.case_id),
        priority=case.priority if listed else None,
        heading=finding_name(headline.finding) if headline else STATE_HEADINGS[case.state],
        side=SIDES[headline.laterality] if headline else "",
        kind=KINDS[headline.kind] if headline else "",
        state=STATES[case.state] if len(shelf.states) > 1 and listed else None,
        urgency=URGENCIES[urgency],
        urgent=urgency in URGENT,
        further=headline.further if headline else 0,
        reason=_why(case, headline) if headline else stop(_reasons(case)),
        accession_number=case.accession_number,
        study=study_words(case),
        late=overdue_at is not None and overdue_at <= now,
        since_label="Waiting" if listed else "Since",
        since=case.waiting_since or case.updated_at,
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
    triaged = {CaseState.LISTED, CaseState.CONCORDANT, CaseState.NOT_APPLICABLE}
    return case.reasons if case.state in triaged else ()
