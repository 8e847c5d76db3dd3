"""Comparison: the one assembly of a report with what the detectors saw, the policy and the patient's history.

The worker, the reconsideration of a stored case, `overread triage` and the measurements offline all call
`compare`, so that the same case gives the same result wherever it is compared.
"""

from dataclasses import dataclass, field
from datetime import date

from overread.finding import Vocabulary
from overread.observation import Detection, ReportReading
from overread.ports import ReportReader
from overread.priority import Policy
from overread.priors import NO_HISTORY, EarlierReading, History
from overread.report.reread import Rereader, sentences_behind
from overread.triage import TriageResult, triage


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorReport:
    """The report of an earlier study of the same patient, not yet read."""

    study_instance_uid: str  # of the earlier study; the name of its file where only that is known
    report_version: int
    days_before: float  # this study
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCase:
    """Report and images of one case, both read, with the patient's history."""

    reading: ReportReading
    detections: tuple[Detection, ...]  # of every detector that looked at the study
    history: History = NO_HISTORY
    text: str | None = field(default=None, repr=False)  # of the report; None: no sentence is read again


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The result of a comparison, with the reading that it rests on."""

    result: TriageResult
    reading: ReportReading


def compare(
    case: ComparedCase, policy: Policy, vocabulary: Vocabulary, *, rereader: Rereader | None = None
) -> Comparison:
    """Return where report and images disagree.

    With a rereader and the report's text, the sentences behind each discrepancy are read a second time, and
    where an answer holds the comparison is made again on the refined reading.

    Args:
        case: what is compared.
        policy: how evidence is weighed, with what the site's reports are expected to state.
        vocabulary: the findings.
        rereader: reads single sentences again; None where none is configured.
    """
    result = triage(case.reading, case.detections, policy, vocabulary, history=case.history)
    if rereader is None or case.text is None:
        return Comparison(result=result, reading=case.reading)
    reading = rereader.reread(case.text, case.reading, sentences_behind(result.discrepancies))
    if reading is not case.reading:
        result = triage(reading, case.detections, policy, vocabulary, history=case.history)
    return Comparison(result=result, reading=reading)


def read_history(
    priors: tuple[PriorReport, ...], reader: ReportReader, *, restored: frozenset[str] = frozenset()
) -> History:
    """Return the history of a patient, with each earlier report read.

    Args:
        priors: reports of earlier studies, in any order.
        reader: of the texts.
        restored: findings of which a person said that they are no old news.

    Raises:
        InvalidReportError: an earlier report is empty or is no text.
    """
    return History(
        earlier=tuple(
            EarlierReading(
                study_instance_uid=prior.study_instance_uid,
                report_version=prior.report_version,
                days_before=prior.days_before,
                reading=reader.read(prior.text),
            )
            for prior in priors
        ),
        restored=restored,
    )


def days_between(earlier: str | None, later: str | None) -> float | None:
    """Return the days from one study to a later one; None where a date is missing or is no day.

    Args:
        earlier: DICOM date (PS3.5 DA: YYYYMMDD) of the earlier study, or YYYY-MM-DD.
        later: the same of the later one.
    """
    first, last = _day(earlier), _day(later)
    return None if first is None or last is None else float((last - first).days)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
