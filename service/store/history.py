"""History of a patient besides one study: earlier reports, and findings that a person brought back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from overread.appearance import Appearance
from overread.case import CaseEvent
from overread.cohort import CohortCase
from overread.comparison import days_between
from overread.errors import UnreadableRecordError
from overread.observation import Detection, ReportReading
from service.store import queries
from service.store.cohort import cohort_case, second_read_of, selection_probability
from service.store.database import Store
from service.store.json_format import from_json
from service.store.records import CaseRecord, EarlierReport, UnreadableCase
from service.store.rows import earlier_of, study_of
from service.store.second_reads import AuditDraw, concluding, draws_of, reads_of

_PAGE = 500
_MOST = 20  # the latest; older ones are known through them


def earlier_reports(connection: Connection, case: CaseRecord) -> tuple[EarlierReport, ...]:
    """Return the reports of the patient's earlier studies, the latest first.

    The patient is issuer and id together, as the images state them; without an id nobody is the same. A study
    of the same day is not earlier: DICOM dates do not tell.
    """
    study = connection.execute(queries.STUDY, {"study_instance_uid": case.study_instance_uid}).one_or_none()
    if study is None or not study.study_date or not study.patient_id:
        return ()
    rows = connection.execute(
        queries.EARLIER_REPORTS,
        {
            "patient_id": study.patient_id,
            "issuer": study.issuer_of_patient_id or "",
            "before": study.study_date,
            "limit": _MOST,
        },
    )
    return tuple(
        earlier_of(row, days)
        for row in rows
        if (days := days_between(row.study_date, study.study_date)) is not None
    )


def concluded_cases(store: Store) -> Iterator[CohortCase | UnreadableCase]:
    """Yield every case that triage concluded, by its latest result, a page of them in memory at a time.

    Of a case that was judged, the result that was judged is meant: a later one may be of a corrected report.
    A case whose result this release cannot read is named with the reason in its place.
    """
    after = 0
    while True:
        with store.reading() as connection:
            rows = connection.execute(queries.CONCLUDED, {"after": after, "limit": _PAGE}).all()
            cases = list(_concluded_page(connection, rows))
        yield from cases
        if not rows:
            return
        after = rows[-1].case_id


def concluded_cases_of(store: Store, numbers: Sequence[int]) -> Iterator[tuple[int, CohortCase]]:
    """Yield number and case of these cases, as `concluded_cases` does; what cannot be read is left out."""
    for start in range(0, len(numbers), _PAGE):
        with store.reading() as connection:
            page = {"numbers": list(numbers[start : start + _PAGE])}
            rows = connection.execute(queries.CONCLUDED_OF, page).all()
            cases = list(_concluded_page(connection, rows))
        yield from (
            (row.case_id, case) for row, case in zip(rows, cases, strict=True) if isinstance(case, CohortCase)
        )


def _concluded_page(
    connection: Connection, rows: Sequence[Row[Any]]
) -> Iterator[CohortCase | UnreadableCase]:
    numbers = [row.case_id for row in rows]
    draws = draws_of(connection, numbers)
    for row in rows:
        try:
            yield _concluded(connection, row, draws)
        except UnreadableRecordError as error:
            yield UnreadableCase(
                case_id=row.case_id, study_instance_uid=row.study_instance_uid, why=str(error)
            )


def _concluded(
    connection: Connection, row: Row[Any], draws: Mapping[tuple[int, int], AuditDraw]
) -> CohortCase:
    """Return the case of a row of CONCLUDED, as it was judged or else as it was concluded last."""
    reads = reads_of(connection, row.case_id)
    judged = concluding(reads)
    result = row
    if judged is not None and judged.revision != row.revision:
        key = {"case_id": row.case_id, "revision": judged.revision}
        result = connection.execute(queries.RESULT, key).one()
    detections = connection.execute(queries.DETECTIONS, {"case_id": row.case_id, "revision": result.revision})
    draw = draws.get((row.case_id, result.revision))
    return cohort_case(
        study_of(row),
        from_json(ReportReading, result.reading),
        tuple(from_json(Detection, item.detection) for item in detections),
        appearance=None if row.appearance is None else from_json(Appearance, row.appearance),
        second_read=None if judged is None else second_read_of(judged, reads),
        selection_probability=selection_probability(result.outcome, draw, is_read=judged is not None),
    )


def restored_findings(connection: Connection, case_id: int) -> frozenset[str]:
    """Return the findings that a person brought back: the details of the case's RESTORED events."""
    bound = {"case_id": case_id, "event": CaseEvent.RESTORED.value}
    return frozenset(connection.execute(queries.EVENT_DETAILS, bound).scalars())
