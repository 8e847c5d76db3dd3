"""Imports the reports of a table: in batches, one commit each, through the intake that every report takes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from overread.errors import ConfigurationError, InputError
from service.importing.patience import patiently
from service.importing.tables import ReportRow, TableOptions, read_table
from service.importing.tally import ImportOutcome, Progress, Tally
from service.intake.issued import read_iso_time
from service.intake.receipt import ReceiptOutcome
from service.intake.reports import IncomingReport, check_report, receive_reports
from service.store.database import Store
from service.store.imports import key_of, note_taken, taken_before
from service.store.records import ReportStatus

_BATCH_ROWS = 256
_BATCH_CHARACTERS = 8 << 20
# HL7 table 0123, beside the names of our own.
_STATUSES: Mapping[str, ReportStatus] = {
    "": ReportStatus.FINAL,
    **{status.value: status for status in ReportStatus},
    "P": ReportStatus.PRELIMINARY,
    "F": ReportStatus.FINAL,
    "C": ReportStatus.CORRECTED,
    "A": ReportStatus.ADDENDUM,
}

Problem = Callable[[str, str], None]
"""Takes the place of something that was not stored, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Options of an import."""

    dry_run: bool = False  # read and check everything, store nothing
    again: bool = False  # look also at what an earlier import has taken
    statuses: Mapping[str, ReportStatus] = field(default_factory=dict)  # this archive's words
    pause: Callable[[float], object]  # waits so many seconds
    clock: Callable[[], datetime]


def parse_statuses(given: Iterable[str]) -> dict[str, ReportStatus]:
    """Return what the words of an archive mean, from words such as Approved=FINAL.

    Raises:
        ConfigurationError: one is malformed.
    """
    statuses = {}
    for word in given:
        name, _, status = word.rpartition("=")
        if not name or status not in ReportStatus.__members__:
            raise ConfigurationError(
                f"--status {word!r}: give WORD=STATUS; there are {', '.join(ReportStatus.__members__)}"
            )
        statuses[name.strip().upper()] = ReportStatus[status]
    return statuses


def import_reports(
    store: Store,
    path: Path,
    table: TableOptions,
    options: ImportOptions,
    *,
    progress: Progress,
    problem: Problem,
) -> Tally:
    """Import every row of a table and return the counts.

    Raises:
        InvalidFileError: the file cannot be read any further; what came before is stored.
        OutOfResourcesError: the store has no room; run it again to go on.
    """
    tally = Tally()
    for batch in _batches(read_table(path, table)):
        keys = {row.line: _key(row) for row in batch}
        before = frozenset() if options.again else taken_before(store, set(keys.values()))
        fresh: list[ReportRow] = []
        for row in batch:
            if keys[row.line] in before:
                tally.add(ImportOutcome.TAKEN_BEFORE)
            else:
                fresh.append(row)
        outcomes = _take(store, path, fresh, options, problem)
        for outcome in outcomes.values():
            tally.add(outcome)
        if not options.dry_run:
            kept = {keys[line]: outcome for line, outcome in outcomes.items() if _is_kept(outcome)}
            patiently(partial(note_taken, store, kept, now=options.clock()), options.pause)
        progress.note(tally, batch[-1].share)
    progress.end(tally)
    return tally


def _take(
    store: Store, path: Path, rows: list[ReportRow], options: ImportOptions, problem: Problem
) -> dict[int, ImportOutcome]:
    """Store some rows with one commit and return what became of each, by line."""
    outcomes: dict[int, ImportOutcome] = {}
    reports: dict[int, IncomingReport] = {}
    for row in rows:
        try:
            reports[row.line] = _report(row, path, options.statuses)
        except InputError as error:
            problem(f"{path.name}, line {row.line}", str(error))
            outcomes[row.line] = ImportOutcome.REFUSED
    for line, received in _received(store, reports, options):
        if isinstance(received, InputError):
            problem(f"{path.name}, line {line}", str(received))
            outcomes[line] = ImportOutcome.QUARANTINED
        else:
            outcomes[line] = ImportOutcome(received.value)
    return outcomes


def _received(
    store: Store, reports: Mapping[int, IncomingReport], options: ImportOptions
) -> Iterator[tuple[int, ReceiptOutcome | InputError]]:
    if options.dry_run:
        for line, report in reports.items():
            yield line, _checked(store, report, options.clock())
        return
    given, now = tuple(reports.values()), options.clock()
    receipts = patiently(lambda: receive_reports(store, given, now=now), options.pause) if given else ()
    for line, receipt in zip(reports, receipts, strict=True):
        yield line, receipt if isinstance(receipt, InputError) else receipt.outcome


def _checked(store: Store, report: IncomingReport, now: datetime) -> ReceiptOutcome | InputError:
    try:
        return check_report(store, report, now=now)
    except InputError as error:
        return error


def _report(row: ReportRow, path: Path, statuses: Mapping[str, ReportStatus]) -> IncomingReport:
    """Return the report of a row.

    Raises:
        InputError: the row is broken, or its status is not known.
    """
    if row.problem is not None:
        raise InputError(row.problem)
    word = (row.status or "").upper()
    status = statuses.get(word) or _STATUSES.get(word)
    if status is None:
        raise InputError(
            f"the status {row.status!r} is not known; say what it means with --status {row.status}=..."
        )
    return IncomingReport(
        content=row.text,
        status=status,
        accession_number=row.accession_number,
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        issued_at=read_iso_time(row.issued, field="issued", needs_zone=False),
        source=f"import {path.name}"[:256],
    )


def _batches(rows: Iterable[ReportRow]) -> Iterator[list[ReportRow]]:
    batch: list[ReportRow] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += len(row.text)
        if len(batch) >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _key(row: ReportRow) -> str:
    names = (row.accession_number, row.study_instance_uid, row.patient_id, row.status, row.problem)
    issued = [row.issued] if row.issued else []  # without one, the key is that of earlier releases
    return key_of("report", *(name or "" for name in names), row.text, *issued)


def _is_kept(outcome: ImportOutcome) -> bool:
    return outcome is not ImportOutcome.REFUSED
