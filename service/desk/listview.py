"""View of the worklist page, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.case import SECOND_READ, TRIAGED, CaseState
from overread.finding import Actionable
from service.desk.claimview import holder_words
from service.desk.filterview import FilterView
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
from service.store.records import CaseSummary
from service.store.worklist_records import Claim, WorklistPage

PAGE_LENGTH = 50
_ELSEWHERE = "What else is listed is one link away."
_NOTHING_LEFT = "No case on this side of the line is what the filter asks for."
_NOTHING_FOUND = (
    "No case has that accession number, or what stands in its place. A report or image that was refused may "
    "lie in the quarantine."
)


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

    case_id: int
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
    modality: str
    subspecialty: str
    late: bool  # whether it waited longer than allowed
    since_label: str
    since: datetime
    age: str
    spent: float | None  # share of the allowed wait, in [0, 1]; None where none is known
    can_be_read: bool  # waits for a second reader
    holder: str  # who reads it; empty where nobody does
    is_own: bool


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
    own_address: str
    compact: bool
    filter: FilterView | None = None  # None where the tab is not to be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Who looks at the list, when, and how."""

    listing: Listing
    identifier: str  # of the actor
    now: datetime
    after: str | None = None  # place of the page before


def tab_named(slug: str) -> Tab:
    """Return the tab with this name in its address; the first for any other."""
    return next((tab for tab in TABS if tab.slug == slug), TABS[0])


def tab_of(state: CaseState) -> Tab:
    """Return the tab on which a case in this state lies."""
    return next(tab for tab in TABS if state in tab.states)


def tab_address(tab: Tab) -> str:
    """Return the address of a tab's first page."""
    return "/" if tab is TABS[0] else f"/?show={tab.slug}"


def list_view(tab: Tab, page: WorklistPage, counts: Mapping[CaseState, int], looking: Looking) -> ListView:
    """Return the page of one tab; who looks at the one that is to be read says how."""
    listing = looking.listing
    to_read = tab is TABS[0]
    first = listing.address() if to_read else tab_address(tab)
    line = page.line if to_read and not listing.is_found else None
    other = other_side(listing, line) if line else None
    empty_heading, empty_text = _empty(tab, listing, other)
    return ListView(
        title="Found" if listing.is_found else tab.title,
        lead=lead_of(listing, line) if line else _lead(tab, counts, listing, page),
        tabs=tuple(_tab_link(one, counts, current=one is tab and not listing.is_found) for one in TABS),
        subspecialties=subspecialty_links(listing) if line else (),
        shares=share_links(listing, line) if line else (),
        other_side=other,
        rows=tuple(_row(case, tab, page.claims.get(case.case_id), looking) for case in page.cases),
        next_address=f"{first}{'&' if '?' in first else '?'}after={page.next}" if page.next else None,
        first_address=first if looking.after else None,
        empty_heading=empty_heading,
        empty_text=empty_text,
        own_address=first,
        compact=listing.compact,
    )


def study_words(summary: CaseSummary) -> str:
    """Return modality, body part and date of the study, as far as they are known."""
    kind = " ".join(part for part in (summary.modality, (summary.body_part or "").lower()) if part)
    known = [part for part in (kind, dicom_date(summary.study_date)) if part]
    return ", ".join(known) or "not known"


def _empty(tab: Tab, listing: Listing, other: Link | None) -> tuple[str, str]:
    """Return heading and text of a list without a case."""
    if listing.is_found:
        return "Nothing found", _NOTHING_FOUND
    if not listing.only.is_empty:
        return "Nothing left", _NOTHING_LEFT
    side = "below" if listing.rest else "above"
    return (f"Nothing {side} the line", _ELSEWHERE) if other else (tab.empty_heading, tab.empty_text)


def _lead(tab: Tab, counts: Mapping[CaseState, int], listing: Listing, page: WorklistPage) -> str:
    total = len(page.cases) if listing.is_found else sum(counts[state] for state in tab.states)
    return f"{total} {'case' if total == 1 else 'cases'}."


def _tab_link(tab: Tab, counts: Mapping[CaseState, int], *, current: bool) -> TabLink:
    return TabLink(
        name=tab.name,
        address=tab_address(tab),
        count=sum(counts[state] for state in tab.states),
        current=current,
        urgent=tab.urgent,
    )


def _row(case: CaseSummary, tab: Tab, claim: Claim | None, looking: Looking) -> Row:
    listing = looking.listing if tab is TABS[0] else Listing()
    now = looking.now
    listed = case.state is CaseState.LISTED
    headline = case.headline if listed or case.state in SECOND_READ else None
    urgency = case.actionable if listed and case.actionable else Actionable.NONE
    overdue_at = case.overdue_at if case.above_line else None
    is_mixed = len(tab.states) > 1 or listing.is_found
    return Row(
        case_id=case.case_id,
        address=listing.case_address(case.case_id),
        priority=case.priority if listed else None,
        heading=finding_name(headline.finding) if headline else STATE_HEADINGS[case.state],
        side=SIDES[headline.laterality] if headline else "",
        kind=KINDS[headline.kind] if headline else "",
        state=STATES[case.state] if is_mixed and listed else None,
        urgency=URGENCIES[urgency],
        urgent=urgency in URGENT,
        further=headline.further if headline else 0,
        reason=_why(case, headline) if headline else stop(_reasons(case)),
        accession_number=case.accession_number,
        study=study_words(case),
        modality=" ".join(part for part in (case.modality, (case.body_part or "").lower()) if part),
        subspecialty=case.subspecialty or "anybody",
        late=overdue_at is not None and overdue_at <= now,
        since_label="Waiting" if listed else "Since",
        since=(case.waiting_since if listed else None) or case.updated_at,
        age=waited(case.waiting_since, overdue_at, now)
        if listed and case.waiting_since
        else age(case.updated_at, now),
        spent=_spent(case, overdue_at, now) if listed else None,
        can_be_read=listed,
        holder=holder_words(claim, looking.identifier) if listed else "",
        is_own=listed and claim is not None and claim.holder.identifier == looking.identifier,
    )


def _spent(case: CaseSummary, overdue_at: datetime | None, now: datetime) -> float | None:
    """Return which share of the allowed wait has passed."""
    if case.waiting_since is None or overdue_at is None or overdue_at <= case.waiting_since:
        return None
    return min(max((now - case.waiting_since) / (overdue_at - case.waiting_since), 0.0), 1.0)


def _why(case: CaseSummary, headline: Headline) -> str:
    """Return why the leading discrepancy is one; its kind, with which the reason begins, stands beside it."""
    leading = case.reasons[0] if case.reasons else ""
    kind, colon, rest = leading.partition(": ")
    return sentence([rest if colon else kind, *headline.evidence])


def _reasons(case: CaseSummary) -> tuple[str, ...]:
    if case.state is CaseState.FAILED:
        return (case.failure or "the reason was not recorded",)
    return case.reasons if case.state in TRIAGED | SECOND_READ else ()
