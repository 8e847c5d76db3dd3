"""The reports in a FHIR document, R4 or R5: a DiagnosticReport, or a Bundle of any type that has some."""

from collections.abc import Iterator
from dataclasses import dataclass

from overread.errors import InputError, InvalidReportError
from service.fhir.bundled import ENTRIES_MAX, Bundled, Collection
from service.fhir.identity import patient_id_of, site_of, subjects_of
from service.fhir.resources import Bundle, DiagnosticReport, parse_resource
from service.fhir.text import text_of_report
from service.intake.reports import IncomingReport
from service.store.records import ReportStatus

REPORTS_MAX = 64  # of one document; a report about several studies counts once for each
TRANSACTION = "transaction"
BATCH = "batch"
# R4 and R5, valueset-diagnostic-report-status. In FHIR "amended" is the general word and "corrected" and
# "appended" are kinds of it.
STATUSES = {
    "registered": ReportStatus.PRELIMINARY,
    "partial": ReportStatus.PRELIMINARY,
    "preliminary": ReportStatus.PRELIMINARY,
    "modified": ReportStatus.PRELIMINARY,  # R5: changed before it is final
    "final": ReportStatus.FINAL,
    "amended": ReportStatus.CORRECTED,
    "corrected": ReportStatus.CORRECTED,
    "appended": ReportStatus.ADDENDUM,
}
_STORING = frozenset({"POST", "PUT"})  # Bundle.entry.request.method
_NOTHING_YET = "registered"
_WITHDRAWN = frozenset({"cancelled", "entered-in-error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReport:
    """Reports of one DiagnosticReport: one for each of its studies, or the reason why there is none."""

    place: str  # as FHIRPath writes it
    reports: tuple[IncomingReport, ...] = ()  # empty, too, where nothing has been reported yet
    error: InputError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A FHIR document that has been read."""

    bundle_type: str | None  # None: a DiagnosticReport by itself
    places: tuple[str, ...]  # of every resource in it
    read: tuple[ReadReport, ...]  # at least one

    @property
    def reports(self) -> tuple[IncomingReport, ...]:
        """Every report of the document, in order."""
        return tuple(report for read in self.read for report in read.reports)

    @property
    def error(self) -> InputError | None:
        """Reason why the first unusable one of its reports cannot be used; None where all can."""
        return next((read.error for read in self.read if read.error is not None), None)


def read_submission(content: bytes, *, source: str) -> Submission:
    """Return what a FHIR document in JSON brings; what is wrong with one of its reports stands beside it.

    Raises:
        UnsupportedMessageError: it is no JSON, or another resource.
        InvalidReportError: it is not of the shape of its resource, holds no report, or far too many.
        OutOfResourcesError: it cannot be read now.
    """
    document = parse_resource(content)
    if isinstance(document, Bundle):
        _require_supported(document)
    collection = Collection(document)
    read = []
    left = REPORTS_MAX
    for entry in collection.entries:
        if isinstance(entry.resource, DiagnosticReport):
            read.append(_read(entry, entry.resource, collection, content, source))
            left -= max(len(read[-1].reports), 1)
            if left < 0:
                raise InvalidReportError(
                    f"the bundle brings more than {REPORTS_MAX} reports; send fewer at once"
                )
    if not read:
        raise InvalidReportError("the bundle holds no DiagnosticReport")
    return Submission(
        bundle_type=document.type if isinstance(document, Bundle) else None,
        places=tuple(entry.place for entry in collection.entries),
        read=tuple(read),
    )


def read_reports(content: bytes, *, source: str) -> tuple[IncomingReport, ...]:
    """Return the reports of a FHIR document, all of which can be used.

    Raises:
        InputError: one of them cannot, or the document cannot.
        OutOfResourcesError: it cannot be read now.
    """
    submission = read_submission(content, source=source)
    if submission.error is not None:
        raise submission.error
    return submission.reports


def _require_supported(bundle: Bundle) -> None:
    if len(bundle.entry) > ENTRIES_MAX:
        raise InvalidReportError(
            f"the bundle has more than {ENTRIES_MAX} entries; send fewer reports at once"
        )
    for entry in bundle.entry:
        if entry.request is not None and entry.request.method not in _STORING:
            raise InvalidReportError("an entry reads or deletes something, which a person has to look at")
        if entry.resource is None and bundle.type in {TRANSACTION, BATCH}:
            raise InvalidReportError("an entry of the bundle has no resource")


def _read(
    entry: Bundled, report: DiagnosticReport, collection: Collection, content: bytes, source: str
) -> ReadReport:
    try:
        return ReadReport(
            place=entry.place, reports=tuple(_reports(entry, report, collection, content, source))
        )
    except InputError as error:
        return ReadReport(place=entry.place, error=error)


def _reports(
    entry: Bundled, report: DiagnosticReport, collection: Collection, content: bytes, source: str
) -> Iterator[IncomingReport]:
    """Give the report for each study that it is about; none where nothing has been reported yet."""
    if report.status in _WITHDRAWN:
        raise InvalidReportError(
            f"its status is {report.status}: it was withdrawn, which a person has to look at"
        )
    if report.status not in STATUSES:
        raise InvalidReportError("its status says nothing about how final it is; send another than 'unknown'")
    text = text_of_report(entry, report, collection)
    if not text.strip() and report.status == _NOTHING_YET:
        return
    for subject in subjects_of(entry, report, collection):
        yield IncomingReport(
            content=text,
            status=STATUSES[report.status],
            accession_number=subject.accession_number,
            study_instance_uid=subject.study_instance_uid,
            patient_id=patient_id_of(entry, report, collection),
            author=_author(report),
            site=site_of(entry, report, collection),
            issued_at=report.issued or report.meta.last_updated,
            message=content,
            source=source,
        )


def _author(report: DiagnosticReport) -> str | None:
    """Return the identifier of the first interpreter who is named by one."""
    identifiers = (item.identifier for item in report.results_interpreter)
    return next((item.value for item in identifiers if item is not None and item.value), None)
