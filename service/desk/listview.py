"""What the worklist page shows, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from overread.case import CaseState
from overread.finding import Actionable, load_vocabulary
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
from service.store.records import CaseSummary, WorklistPage

PAGE_LENGTH = 50
_SUBSPECIALTIES = tuple(sorted({finding.subspecialty for finding in load_vocabulary().values()}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A link to one shelf of the worklist."""

    name: str
    address: str
    count: int
    current: bool
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Readership:
    """A link to the list as one subspecialty sees it."""

    name: str
    address: str
    current: bool


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
    readerships: tuple[Readership, ...]  # empty where the shelf is not to be read
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


def shelf_address(shelf: Shelf, readership: str | None = None) -> str:
    """Return the address of a shelf's first page, as a subspecialty sees it where one is named."""
    if readership is not None and shelf is SHELVES[0]:
        return f"/?for={quote(readership, safe='')}"
    return "/" if shelf is SHELVES[0] else f"/?show={shelf.slug}"


def case_address(case_id: int, readership: str | None) -> str:
    """Return the address of a case, from which the way back leads to the same list."""
    return f"/cases/{case_id}" + (f"?for={quote(readership, safe='')}" if readership else "")


def readership_named(name: str) -> str | None:
    """Return the subspecialty of this name; None for any other."""
    return name if name in _SUBSPECIALTIES else None


def list_view(
    shelf: Shelf,
    page: WorklistPage,
    counts: Mapping[CaseState, int],
    *,
    now: datetime,
    after: str | None,
    readership: str | None = None,
) -> ListView:
    """Return the page of one shelf, as a subspecialty sees it where one is named."""
    total = sum(counts[state] for state in shelf.states)
    first = shelf_address(shelf, readership)
    more = f"{first}{'&' if '?' in first else '?'}after={page.next}" if page.next else None
    return ListView(
        title=shelf.title,
        lead=_lead(shelf, total, readership),
        tabs=tuple(_tab(other, counts, current=other is shelf) for other in SHELVES),
        readerships=_readerships(readership) if shelf is SHELVES[0] else (),
        rows=tuple(_row(case, shelf, now, readership) for case in page.cases),
        next_address=more,
        first_address=first if after else None,
        empty_heading=shelf.empty_heading,
        empty_text=shelf.empty_text,
    )


def study_words(summary: CaseSummary) -> str:
    """Return modality, body part and date of the study, as far as they are known."""
    kind = " ".join(part for part in (summary.modality, (summary.body_part or "").lower()) if part)
    known = [part for part in (kind, dicom_date(summary.study_date)) if part]
    return ", ".join(known) or "not known"


def _lead(shelf: Shelf, total: int, readership: str | None) -> str:
    noun = "case" if total == 1 else "cases"
    if readership is not None:
        return (
            f"Of {total} {noun}: what waited too long, then {readership}, then what is anybody's or was not "
            "taken in time."
        )
    if shelf is SHELVES[0]:
        return f"{total} reported {noun} in the order in which a second look helps patients most."
    return f"{total} {noun}."


def _tab(shelf: Shelf, counts: Mapping[CaseState, int], *, current: bool) -> Tab:
    return Tab(
        name=shelf.name,
        address=shelf_address(shelf),
        count=sum(counts[state] for state in shelf.states),
        current=current,
        urgent=shelf.urgent,
    )


def _readerships(current: str | None) -> tuple[Readership, ...]:
    everybody = Readership(name="everybody", address=shelf_address(SHELVES[0]), current=current is None)
    return (
        everybody,
        *(
            Readership(name=name, address=shelf_address(SHELVES[0], name), current=name == current)
            for name in _SUBSPECIALTIES
        ),
    )


def _row(case: CaseSummary, shelf: Shelf, now: datetime, readership: str | None) -> Row:
    listed = case.state is CaseState.LISTED
    headline = case.headline if listed else None
    urgency = case.actionable if listed and case.actionable else Actionable.NONE
    return Row(
        address=case_address(case.case_id, readership),
        priority=case.priority if listed else None,
        heading=finding_name(headline.finding) if headline else STATE_HEADINGS[case.state],
        side=SIDES[headline.laterality] if headline else "",
        kind=KINDS[headline.kind] if headline else "",
        state=STATES[case.state] if len(shelf.states) > 1 and listed else None,
        urgency=URGENCIES[urgency],
        urgent=urgency in URGENT,
        further=headline.further if headline else 0,
        reason=sentence(headline.evidence) if headline else stop(_reasons(case)),
        accession_number=case.accession_number,
        study=study_words(case),
        late=listed and case.overdue_at is not None and case.overdue_at <= now,
        since_label="Waiting" if listed else "Since",
        since=case.waiting_since or case.updated_at,
        age=waited(case.waiting_since, case.overdue_at, now)
        if listed and case.waiting_since
        else age(case.updated_at, now),
    )


def _reasons(case: CaseSummary) -> tuple[str, ...]:
    if case.state is CaseState.FAILED:
        return (case.failure or "the reason was not recorded",)
    triaged = {CaseState.LISTED, CaseState.CONCORDANT, CaseState.NOT_APPLICABLE}
    return case.reasons if case.state in triaged else ()
