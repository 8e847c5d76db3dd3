"""Views of the pages of the quarantine, ready for the templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlencode

from service.desk.sheets import SheetLinks, chosen_sheet, sheet_links, sheets_of
from service.desk.words import moment
from service.quarantine.contents import Content, HeaderLine
from service.store.quarantine import ActionOutcome, ActionRecord, QuarantineAction, QuarantineFilter
from service.store.records import QuarantineEntry, QuarantineKind, QuarantineState, ReportStatus

PAGE_LENGTH = 50
_KINDS = {"image": QuarantineKind.INSTANCE, "report": QuarantineKind.REPORT}
_STATES: Mapping[str, QuarantineState | None] = {
    "waiting": QuarantineState.WAITING,
    "resolved": QuarantineState.RESOLVED,
    "discarded": QuarantineState.DISCARDED,
    "all": None,
}
_EMPTY = {
    "waiting": "Objects and reports that are broken, or that contradict what is stored, would be listed here "
    "with the reason.",
    "resolved": "What was corrected, or taken after another try, would be listed here.",
    "discarded": "What a person said to be of no use would be listed here.",
    "all": "Nothing has been refused.",
}
_ACTIONS = {
    QuarantineAction.REPLAYED: "Sent again",
    QuarantineAction.CORRECTED: "Corrected and sent again",
    QuarantineAction.DISCARDED: "Discarded",
    QuarantineAction.REMOVED: "Bytes removed",
}
_OUTCOMES = {
    ActionOutcome.STORED: "stored",
    ActionOutcome.ALREADY_STORED: "had been stored already",
    ActionOutcome.REFUSED: "refused again",
    ActionOutcome.DISCARDED: "",
    ActionOutcome.REMOVED: "",
}
_ACCEPTABLE = frozenset({"CONTRADICTION", "MISLABELLED_DICOM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChoice:
    """Entries that the page shows, as its address says; an unknown choice is the first."""

    state: str = "waiting"
    kind: str = ""
    reason: str = ""
    since: str = ""  # a day
    page: int = 1

    @classmethod
    def checked(cls, *, state: str, kind: str, reason: str, since: str, page: int) -> Self:
        """Return the choice that the words of an address make."""
        return cls(
            state=state if state in _STATES else "waiting",
            kind=kind if kind in _KINDS else "",
            reason=reason,
            since=since if _day(since) else "",
            page=page,
        )

    def wanted(self) -> QuarantineFilter:
        """Return the entries that are meant."""
        return QuarantineFilter(
            kind=_KINDS.get(self.kind),
            reason=self.reason or None,
            state=_STATES[self.state],
            since=_day(self.since),
        )

    def address(self, **changed: object) -> str:
        """Return the address of this choice, with something changed."""
        given = {"state": self.state, "kind": self.kind, "reason": self.reason, "since": self.since}
        query = urlencode({name: value for name, value in (given | changed).items() if value})
        return f"/quarantine?{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTab:
    """A link to the entries in one state."""

    name: str
    address: str
    count: int
    current: bool
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a form."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """One entry in the list."""

    address: str
    number: int
    at: datetime
    at_words: str
    what: str
    why: str
    reason: str
    names: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """The list."""

    lead: str
    tabs: tuple[StateTab, ...]
    choice: ListChoice
    kinds: tuple[Option, ...]
    reasons: tuple[Option, ...]
    rows: tuple[RefusedRow, ...]
    can_replay: bool
    previous_address: str | None
    next_address: str | None
    empty_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """One thing that was done."""

    at: datetime
    at_words: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry."""

    number: int
    heading: str
    state: str
    is_open: bool
    why: str
    facts: tuple[HeaderLine, ...]
    header: tuple[HeaderLine, ...]
    broken: str | None
    text: str | None
    sheets: SheetLinks | None
    revealed: bool
    case_address: str | None
    case_id: int | None
    is_report: bool
    can_accept: bool
    accept_words: str
    accession_number: str
    study_instance_uid: str
    patient_id: str
    charset: str
    statuses: tuple[Option, ...]
    actions: tuple[ActionRow, ...]
    list_address: str


def quarantine_view(
    choice: ListChoice,
    entries: tuple[QuarantineEntry, ...],
    counts: Mapping[QuarantineState, int],
    reasons: tuple[str, ...],
) -> QuarantineView:
    """Return the list for a choice; `counts` are of the states under its other filters."""
    totals = {
        name: sum(counts.values()) if state is None else counts[state] for name, state in _STATES.items()
    }
    total = totals[choice.state]
    last = choice.page * PAGE_LENGTH >= total
    return QuarantineView(
        lead="What arrived and could not be used. Nothing here was lost, and nothing here was triaged.",
        tabs=tuple(
            StateTab(
                name=state.capitalize(),
                address=choice.address(state=state),
                count=totals[state],
                current=state == choice.state,
                urgent=state == "waiting",
            )
            for state in _STATES
        ),
        choice=choice,
        kinds=_options({"": "images and reports", "image": "images", "report": "reports"}, choice.kind),
        reasons=_options({"": "any reason"} | {reason: reason for reason in reasons}, choice.reason),
        rows=tuple(_row(entry) for entry in entries),
        can_replay=bool(entries) and choice.state in {"waiting", "discarded"},
        previous_address=choice.address(page=choice.page - 1) if choice.page > 1 else None,
        next_address=None if last else choice.address(page=choice.page + 1),
        empty_text=_EMPTY[choice.state],
    )


def entry_view(
    entry: QuarantineEntry,
    content: Content,
    actions: tuple[ActionRecord, ...],
    *,
    case_id: int | None,
    revealed: bool,
    sheet: int = 1,
) -> EntryView:
    """Return the page of one entry; with `revealed` it says whose it is and what the report says.

    Of a long text one sheet is shown, from 1.
    """
    text, sheets = _sheet_of(entry, content.text, sheet)
    is_report = content.form != "DICOM object" and entry.kind is QuarantineKind.REPORT
    return EntryView(
        number=entry.quarantine_id,
        heading=f"{'Report' if entry.kind is QuarantineKind.REPORT else 'Image'} from {entry.source}",
        state=entry.state.value.capitalize(),
        is_open=entry.state is not QuarantineState.RESOLVED,
        why=f"{entry.detail[:1].upper()}{entry.detail[1:].rstrip('.')}.",
        facts=_facts(entry, content, revealed=revealed),
        header=content.lines,
        broken=content.broken,
        text=text,
        sheets=sheets,
        revealed=revealed,
        case_address=f"/cases/{case_id}" if case_id is not None else None,
        case_id=case_id,
        is_report=is_report,
        can_accept=entry.reason in _ACCEPTABLE or is_report,
        accept_words="It counts although a later version has come"
        if is_report
        else "It is what it says it is, and belongs to its study although patient or accession number differ",
        accession_number=entry.accession_number or "",
        study_instance_uid=entry.study_instance_uid or "",
        patient_id=(entry.patient_id or "") if revealed else "",
        charset=entry.report_charset or "",
        statuses=_options({"": "as sent"} | {status: status.capitalize() for status in ReportStatus}, ""),
        actions=tuple(_action(action, revealed=revealed) for action in actions),
        list_address=ListChoice(state=entry.state.value.lower()).address(),
    )


def _sheet_of(entry: QuarantineEntry, text: str | None, number: int) -> tuple[str | None, SheetLinks | None]:
    if text is None:
        return None, None
    sheets = sheets_of(text)
    sheet = chosen_sheet(sheets, number, None)
    page = f"/quarantine/{entry.quarantine_id}?reveal=yes"
    return text[sheet.start : sheet.end], sheet_links(sheet, sheets, lambda at: f"{page}&sheet={at}#content")


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _options(names: Mapping[str, str], chosen: str) -> tuple[Option, ...]:
    return tuple(Option(value=value, name=name, chosen=value == chosen) for value, name in names.items())


def _row(entry: QuarantineEntry) -> RefusedRow:
    names = (
        ("Accession", entry.accession_number),
        ("Study", entry.study_instance_uid),
        ("Instance", entry.sop_instance_uid),
    )
    return RefusedRow(
        address=f"/quarantine/{entry.quarantine_id}",
        number=entry.quarantine_id,
        at=entry.received_at,
        at_words=moment(entry.received_at),
        what=f"{entry.kind.capitalize()} from {entry.source}, {entry.size_bytes:,} bytes",
        why=entry.detail,
        reason=entry.reason,
        names=", ".join(f"{name} {value}" for name, value in names if value),
    )


def _facts(entry: QuarantineEntry, content: Content, *, revealed: bool) -> tuple[HeaderLine, ...]:
    facts = (
        ("Arrived", f"{moment(entry.received_at)} UTC"),
        ("Content", f"{content.form}, {entry.size_bytes:,} bytes"),
        ("Accession", entry.accession_number),
        ("Study", entry.study_instance_uid),
        ("Instance", entry.sop_instance_uid),
        ("Patient", entry.patient_id if revealed else None),
        ("Status", entry.report_status),
        ("Issued", f"{moment(entry.report_issued_at)} UTC" if entry.report_issued_at else None),
        ("Charset", entry.report_charset),
        ("SHA-256", entry.sha256),
    )
    return tuple(HeaderLine(name=name, value=value, identifies=False) for name, value in facts if value)


def _action(action: ActionRecord, *, revealed: bool) -> ActionRow:
    correction = f" ({action.correction.words(identified=revealed)})" if action.correction else ""
    parts = (f"{_ACTIONS[action.action]}{correction}", _OUTCOMES[action.outcome])
    words = ", ".join(part for part in parts if part)
    detail = f": {action.detail}" if action.detail else ""
    return ActionRow(
        at=action.happened_at,
        at_words=moment(action.happened_at),
        what=f"{words}, by {action.actor.display_name}{detail}",
    )
