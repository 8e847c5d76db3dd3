"""Findings under "known before" on the case page, and the way to bring them back to the list."""

from dataclasses import dataclass

from overread.discrepancy import Discrepancy
from overread.priors import KnownBefore
from service.desk.words import KINDS, SIDES, dicom_date, finding_name
from service.store.records import CaseDetail, EarlierReport


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLine:
    """One discrepancy that an earlier report knew."""

    heading: str
    kind: str
    since: str  # which report knew it
    quotation: str  # its sentence; empty where that report is not stored any more
    address: str  # of the earlier case; empty likewise
    restore_address: str


def known_lines(detail: CaseDetail) -> tuple[KnownLine, ...]:
    """Return what the latest triage set aside, in its order."""
    known = detail.triage.result.known_before if detail.triage is not None else ()
    reports = {(item.study_instance_uid, item.report_version): item for item in detail.earlier}
    return tuple(
        _line(detail.summary.case_id, item, reports.get((item.study_instance_uid, item.report_version)))
        for item in known
    )


def finding_words(discrepancy: Discrepancy) -> str:
    """Return the finding with its side, as a heading."""
    side = SIDES[discrepancy.laterality]
    return finding_name(discrepancy.finding) + (f", {side}" if side else "")


def _line(case_id: int, known: KnownBefore, report: EarlierReport | None) -> KnownLine:
    sentence = known.observation.sentence
    day = dicom_date(report.study_date) if report else None
    of = f"of {day}" if day else f"{known.days_before:.0f} days before"
    return KnownLine(
        heading=finding_words(known.discrepancy),
        kind=KINDS[known.discrepancy.kind],
        since=f"The report {of} calls it {known.observation.temporality.lower()}",
        quotation=" ".join(report.text[sentence.start : sentence.end].split()) if report else "",
        address=f"/cases/{report.case_id}" if report else "",
        restore_address=f"/cases/{case_id}/known-before/{known.discrepancy.finding}/restore",
    )
