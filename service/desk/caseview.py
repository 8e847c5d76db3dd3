"""View of the case page, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.case import CaseState
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.finding import Vocabulary
from overread.observation import Detection, Presence, ReportReading
from overread.triage import TriageResult
from service.desk.claimview import ClaimBar
from service.desk.film import Film, FilmChoice, films_of
from service.desk.findings import Findings, findings_of
from service.desk.highlight import Mark, Piece, cut
from service.desk.judgingview import JudgingView
from service.desk.known import KnownLine, finding_words, known_lines
from service.desk.listing import EVERYBODYS, Listing
from service.desk.listview import study_words, tab_address, tab_of
from service.desk.sheets import SheetLinks, chosen_sheet, sheet_links, sheets_of
from service.desk.viewerpart import ViewerPart, viewer_part
from service.desk.words import (
    EVENTS,
    KNOWN_HEADING,
    STATE_HEADINGS,
    STATES,
    TABS,
    finding_name,
    moment,
    sentence,
    stop,
    waited,
)
from service.store.prior_studies import PriorStudy
from service.store.records import CaseDetail, CaseSummary, EventRecord, ReportVersion, TriageRecord
from service.web.picture_size import PictureSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Choices of the reader on the case page."""

    finding: int = 1  # number of the discrepancy, from 1
    image: int | None = None  # position among the images, from 1; None: where the finding is
    overlay_shown: bool = True
    sheet: int | None = None  # of the report, from 1; None: where the finding is
    listing: Listing = EVERYBODYS  # the list that led here


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value."""

    name: str
    value: str
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One entry of the history."""

    at: datetime
    at_words: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """The case page."""

    heading: str
    facts: tuple[Fact, ...]
    case_id: int
    can_retry: bool
    explanation: str | None  # why there is nothing to compare, where that is so
    list_address: str
    list_name: str
    previous_address: str | None
    next_address: str | None
    film: Film | None
    films: tuple[FilmChoice, ...]
    no_film: str
    viewer: ViewerPart
    overlay_shown: bool
    overlay_toggle_address: str
    findings: Findings
    known: tuple[KnownLine, ...]
    report_heading: str
    report_note: str | None
    left_out: str | None  # how much of the report there was no room for
    pieces: tuple[Piece, ...]
    sheets: SheetLinks | None  # of a report that is too long for one page
    no_report: str
    provenance: tuple[Fact, ...]
    events: tuple[EventLine, ...]
    own_address: str  # of this page, to come back to
    claim: ClaimBar | None = None  # None where it does not wait for a second reader
    judging: JudgingView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The cases before and after this one on its tab, and the patient's earlier studies."""

    previous: int | None = None
    next: int | None = None
    priors: tuple[PriorStudy, ...] = ()


def case_view(
    detail: CaseDetail,
    sizes: Mapping[str, PictureSize],
    choice: Choice,
    neighbours: Neighbours,
    vocabulary: Vocabulary,
    *,
    now: datetime,
) -> CaseView:
    """Return the page of one case; `sizes` are of the images that can be shown, by SOP Instance UID."""
    result = _current_result(detail)
    discrepancies = result.discrepancies if result else ()
    chosen = discrepancies[choice.finding - 1] if choice.finding <= len(discrepancies) else None
    report = _report(detail)
    pieces, sheets = _report_shown(detail, report, _marks(discrepancies), choice)
    tab = tab_of(detail.summary.state)
    film, films = films_of(detail, sizes, chosen, choice.image, _address(detail, choice))
    return CaseView(
        heading=_heading(detail, chosen or (discrepancies[0] if discrepancies else None)),
        facts=_facts(detail, now),
        case_id=detail.summary.case_id,
        can_retry=detail.summary.state is CaseState.FAILED,
        explanation=_explanation(detail),
        list_address=choice.listing.address() if tab is TABS[0] else tab_address(tab),
        list_name=tab.name,
        previous_address=_case_address(neighbours.previous, choice),
        next_address=_case_address(neighbours.next, choice),
        film=film,
        films=films,
        no_film=_no_film(detail),
        viewer=viewer_part(detail, chosen, neighbours.priors, next_case=neighbours.next),
        overlay_shown=choice.overlay_shown,
        overlay_toggle_address=_address(detail, choice, overlay_shown=not choice.overlay_shown),
        findings=findings_of(
            discrepancies,
            tuple(_address(detail, choice, finding=number + 1) for number in range(len(discrepancies))),
            choice.finding,
            vocabulary,
        ),
        known=known_lines(detail),
        report_heading=_report_heading(report),
        report_note=_report_note(chosen, detail.triage.reading if detail.triage else None, vocabulary),
        left_out=_left_out(detail.triage.reading) if detail.triage else None,
        pieces=pieces,
        sheets=sheets,
        no_report="The report has not arrived.",
        provenance=_provenance(detail.triage) if detail.triage else (),
        events=tuple(_event_line(event) for event in reversed(detail.events)),
        own_address=_address(detail, choice),
    )


def _current_result(detail: CaseDetail) -> TriageResult | None:
    return detail.triage.result if detail.triage else None


def _report(detail: CaseDetail) -> ReportVersion | None:
    """Return the version that the highlights refer to, else the one that counts, else the latest."""
    return detail.triaged_report or detail.report or (detail.reports[-1] if detail.reports else None)


def _report_shown(
    detail: CaseDetail, report: ReportVersion | None, marks: tuple[Mark, ...], choice: Choice
) -> tuple[tuple[Piece, ...], SheetLinks | None]:
    """Return what is shown of the report, with its marks, and how to turn over a long one."""
    if report is None:
        return (), None
    place = next((mark.words.start for mark in marks if mark.number == choice.finding), None)
    sheets = sheets_of(report.text)
    sheet = chosen_sheet(sheets, choice.sheet, place)
    links = sheet_links(sheet, sheets, lambda number: f"{_address(detail, choice, sheet=number)}#report")
    return cut(report.text, marks, choice.finding, part=(sheet.start, sheet.end)), links


def _case_address(case_id: int | None, choice: Choice) -> str | None:
    return None if case_id is None else choice.listing.case_address(case_id)


def _address(
    detail: CaseDetail,
    choice: Choice,
    *,
    finding: int | None = None,
    overlay_shown: bool | None = None,
    sheet: int | None = None,
) -> str:
    """Return the address of this page with another choice; another finding shows its own sheet."""
    shown = choice.overlay_shown if overlay_shown is None else overlay_shown
    number = choice.finding if finding is None else finding
    turned = sheet if sheet is not None else choice.sheet if finding is None else None
    more = (
        f"finding={number}",
        *(() if shown else ("overlay=off",)),
        *(() if turned is None else (f"sheet={turned}",)),
    )
    return choice.listing.case_address(detail.summary.case_id, *more)


def _heading(detail: CaseDetail, discrepancy: Discrepancy | None) -> str:
    if discrepancy is not None:
        return finding_words(discrepancy)
    known = detail.triage is not None and detail.triage.result.known_before
    if known and detail.summary.state is CaseState.CONCORDANT:
        return KNOWN_HEADING
    return STATE_HEADINGS[detail.summary.state]


def _facts(detail: CaseDetail, now: datetime) -> tuple[Fact, ...]:
    summary, study = detail.summary, detail.study
    age = study.patient_age_years if study else None
    sex = {"M": "male", "F": "female", "O": "other"}.get((study.patient_sex or "") if study else "")
    patient = ", ".join(part for part in (sex, None if age is None else f"{age:.0f} years") if part)
    facts = (
        ("State", STATES[summary.state]),
        ("Accession", summary.accession_number),
        ("Study", study_words(summary)),
        ("Description", summary.description),
        ("Patient", patient),
        ("Site", summary.site),
        ("For", summary.subspecialty),
        ("Waited", _standing(summary, now)),
    )
    return tuple(Fact(name=name, value=value) for name, value in facts if value)


def _standing(summary: CaseSummary, now: datetime) -> str | None:
    """Return why the case stands where it stands, as far as time decides it."""
    if summary.state is not CaseState.LISTED or summary.waiting_since is None:
        return None
    if not summary.above_line:
        return f"{waited(summary.waiting_since, None, now)}, below the line of the list"
    words = waited(summary.waiting_since, summary.overdue_at, now)
    if summary.overdue_at is not None and summary.overdue_at <= now:
        return f"{words}, so it comes first"
    if summary.open_to_all_at is not None and summary.open_to_all_at <= now and summary.subspecialty:
        return f"{words}, so it is shown to every subspecialty"
    return words


def _explanation(detail: CaseDetail) -> str | None:
    summary = detail.summary
    if summary.state is CaseState.FAILED:
        return sentence([summary.failure or "the reason was not recorded"])
    if detail.unreadable is not None:
        return sentence([f"what triage concluded is not shown: {detail.unreadable}"])
    if summary.state is CaseState.NOT_APPLICABLE:
        return stop(summary.reasons)
    if summary.state is CaseState.READY and detail.triage is not None:
        return (
            "A new image or report version has arrived since. What is shown here is from before; "
            "triage runs again."
        )
    return None


def _no_film(detail: CaseDetail) -> str:
    for instance in detail.instances:
        if instance.removal is not None:
            return sentence([instance.removal])
    return "No image of this study can be shown." if detail.instances else "The images have not arrived."


def _marks(discrepancies: tuple[Discrepancy, ...]) -> tuple[Mark, ...]:
    return tuple(
        Mark(number=number, sentence=observation.sentence, words=observation.span)
        for number, item in enumerate(discrepancies, start=1)
        for observation in item.report_observations
    )


def _report_heading(report: ReportVersion | None) -> str:
    return "Report" if report is None else f"Report, version {report.version} ({report.status.lower()})"


def _report_note(
    discrepancy: Discrepancy | None, reading: ReportReading | None, vocabulary: Vocabulary
) -> str | None:
    """Return what the marks do not tell of a possible miss: whether the report speaks of it at all."""
    if discrepancy is None or reading is None or discrepancy.kind is not DiscrepancyKind.POSSIBLE_MISS:
        return None
    name = finding_name(discrepancy.finding)
    name = name if name[:2].isupper() else name[:1].lower() + name[1:]
    kinds = vocabulary.kinds_of(discrepancy.finding) if discrepancy.finding in vocabulary else ()
    marked = discrepancy.report_observations
    if any(item.finding in kinds or item.presence is not Presence.PRESENT for item in marked):
        return None  # the marks show what it says of the finding
    if any(item.finding in kinds for item in reading.observations):
        said = f"The report speaks of {name}, but not as something this study shows or rules out"
    else:
        said = f"The report reader found no statement about {name}"
    return f"{said}; what is marked may be another word for the same shadow." if marked else f"{said}."


def _left_out(reading: ReportReading) -> str | None:
    number = reading.statements_left_out
    return (
        f"The report states too much for one report: its last {number} statements were left out."
        if number
        else None
    )


def _provenance(record: TriageRecord) -> tuple[Fact, ...]:
    detectors = tuple(
        Fact(
            name="Detector",
            value=f"{item.detector.name} {item.detector.version}, operating point {item.operating_point}",
            hash=item.detector.sha256,
        )
        for item in record.detections
    )
    remarks = tuple(
        Fact(name="Remark", value=remark) for item in record.detections for remark in _remarks(item)
    )
    observer = record.reading.observer
    return (
        *detectors,
        *remarks,
        Fact(name="Report reader", value=f"{observer.name} {observer.version}", hash=observer.sha256),
        Fact(name="Policy", value=f"version {record.result.policy_version}"),
        Fact(name="Images", value="hash over all images shown to the detector", hash=record.instances_sha256),
        Fact(name="Triaged", value=f"{moment(record.triaged_at)} UTC by {record.worker}"),
    )


def _remarks(detection: Detection) -> tuple[str, ...]:
    """Return what was skipped or corrected; that nothing was looked at belongs to it."""
    if detection.not_applicable is None:
        return detection.remarks
    return (f"not looked at: {detection.not_applicable}", *detection.remarks)


def _event_line(event: EventRecord) -> EventLine:
    detail = f": {event.detail}" if event.detail else ""
    return EventLine(
        at=event.happened_at,
        at_words=moment(event.happened_at),
        words=f"{EVENTS[event.event]}{detail} ({event.actor.display_name})",
    )
