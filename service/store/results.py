"""Results for other systems as they were made: each once, with the places that it goes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, exists, insert, or_, select, update

from overread.errors import NotFoundError
from overread.second_read import Judgement
from overread.triage import Outcome
from service.store import locks, queries
from service.store.backlog import DUE
from service.store.cases import find_case
from service.store.database import Store, Transaction
from service.store.records import InstanceRecord, StudyRecord, TriageRecord
from service.store.result_occasions import DONE, Moment, Occasion
from service.store.result_tables import deliveries, result_occasions, results
from service.store.rows import instance_of, study_of
from service.store.schema import cases, instances, triage_results
from service.store.second_read_tables import second_reads
from service.store.second_reads import reads_of
from service.store.sight import cases_in_sight
from service.store.triage_results import triage_result

SUPERSEDED = "SUPERSEDED"
SOURCE = "overread"  # of our own objects among the instances


class Form(StrEnum):
    """Form in which a result leaves."""

    SR = "SR"  # DICOM structured report, TID 1500
    SC = "SC"  # DICOM secondary capture with a burnt-in overlay
    KO = "KO"  # DICOM key object selection
    SEG = "SEG"  # DICOM segmentation
    GSPS = "GSPS"  # DICOM grayscale softcopy presentation state
    ORU = "ORU"  # HL7 v2 ORU^R01
    ASSESSMENT = "ASSESSMENT"  # DICOM structured report, TID 1500: what a person says of a result
    FHIR_R4 = "FHIR_R4"  # FHIR notification, ids alone, as Subscriptions R5 Backport has it for R4
    FHIR_R5 = "FHIR_R5"  # FHIR notification, ids alone
    REJECTION = "REJECTION"  # DICOM key object selection: objects of `REJECTED_BY_NOTE` that are out of date


REJECTED_BY_NOTE = frozenset({Form.SEG, Form.GSPS})
"""Forms whose objects cannot say that they replace or withdraw an earlier one; a note of its own says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """A DICOM object that was made of an earlier occasion."""

    result_id: int
    form: Form
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    withdraws: bool  # whether it said that nothing is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Everything in the store that a result is made of."""

    occasion: Occasion
    study: StudyRecord
    accession_number: str | None
    patient_id: str | None = field(repr=False)
    record: TriageRecord
    judgement: Judgement | None = None  # of the second reader, where that is the occasion
    images: tuple[InstanceRecord, ...]  # objects as received, in the order of the study
    earlier: tuple[StoredResult, ...]  # made before, the oldest first

    @property
    def predecessors(self) -> tuple[StoredResult, ...]:
        """The latest of each form that was made before."""
        return tuple({item.form: item for item in self.earlier}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeResult:
    """A result in one form; of a DICOM object the bytes are on the shelf already."""

    form: Form
    withdraws: bool
    message: str | None = field(default=None, repr=False)  # of HL7 v2, or what is told by FHIR
    instance: Mapping[str, object] | None = None  # the columns of a DICOM object
    destinations: tuple[str, ...] = ()


_EARLIER = (
    select(
        results.c.result_id,
        results.c.form,
        results.c.withdraws,
        instances.c.sop_class_uid,
        instances.c.sop_instance_uid,
        instances.c.series_instance_uid,
    )
    .join(instances, instances.c.sop_instance_uid == results.c.sop_instance_uid)
    .where(results.c.case_id == bindparam("case_id"), results.c.occasion_id < bindparam("occasion_id"))
    .order_by(results.c.result_id)
)
"""The DICOM objects of earlier occasions of a case, the oldest first."""

_TOLD = (
    select(results.c.form, results.c.withdraws, deliveries.c.destination)
    .join(deliveries, deliveries.c.result_id == results.c.result_id)
    .where(results.c.case_id == bindparam("case_id"), results.c.occasion_id < bindparam("occasion_id"))
    .order_by(results.c.result_id)
)
"""Which destinations were to be told of a case before, and in which form."""

_ADD_RESULT = insert(results).returning(results.c.result_id)
_ADD_DELIVERIES = insert(deliveries)
_SUPERSEDE = (
    update(deliveries)
    .where(
        deliveries.c.state == DUE,
        deliveries.c.destination == bindparam("told"),
        deliveries.c.result_id.in_(
            select(results.c.result_id).where(
                results.c.case_id == bindparam("told_case"),
                results.c.form.in_(bindparam("told_forms", expanding=True)),
                results.c.occasion_id < bindparam("told_before"),
            )
        ),
    )
    .values(state=SUPERSEDED, concluded_at=bindparam("at"), detail="a later result replaces it")
)
"""What has not left yet and is out of date."""

_STATE = select(result_occasions.c.state).where(result_occasions.c.occasion_id == bindparam("occasion_id"))
_END = update(result_occasions).where(result_occasions.c.occasion_id == bindparam("ended"))

_LATEST = (
    select(result_occasions.c.occasion_id)
    .where(
        result_occasions.c.case_id == bindparam("case_id"), result_occasions.c.moment == Moment.TRIAGE.value
    )
    .order_by(result_occasions.c.occasion_id.desc())
    .limit(1)
)
"""The occasion of the latest triage of a case."""

_SERIES = select(instances.c.series_instance_uid).where(
    instances.c.study_instance_uid == bindparam("study"), instances.c.result_of.is_not(None)
)
"""The series of our results in a study, once for each object."""

_MAY_HAVE_RESULTS = (
    select(cases.c.case_id)
    .where(
        or_(
            exists().where(
                triage_results.c.case_id == cases.c.case_id,
                triage_results.c.outcome == Outcome.DISCREPANT.value,
            ),
            exists().where(second_reads.c.case_id == cases.c.case_id, second_reads.c.concludes),
        )
    )
    .order_by(cases.c.case_id)
)
"""The cases in which something disagreed at some time, or a second reader may have added something."""

_OF_CASE = select(results).where(results.c.case_id == bindparam("case_id")).order_by(results.c.result_id)


def subject_of(store: Store, occasion: Occasion) -> Subject:
    """Return what a result of an occasion is made of.

    Raises:
        NotFoundError: the case has no study.
        UnreadableRecordError: another release stored the triage result, and this one cannot read it.
    """
    with store.reading() as connection:
        case = find_case(connection, occasion.case_id)
        uid = {"study_instance_uid": case.study_instance_uid}
        study = connection.execute(queries.STUDY, uid).one_or_none()
        if study is None:
            raise NotFoundError(f"case {occasion.case_id} has no study")
        rows = connection.execute(_EARLIER, {"case_id": case.case_id, "occasion_id": occasion.occasion_id})
        earlier = tuple(map(_stored, rows))
        images = connection.execute(queries.INSTANCES_OF_STUDY, uid).all()
        return Subject(
            occasion=occasion,
            study=study_of(study),
            accession_number=study.accession_number or case.accession_number,
            patient_id=study.patient_id or case.patient_id,
            record=triage_result(connection, case.case_id, occasion.revision),
            judgement=_judgement(connection, occasion),
            images=tuple(instance_of(row, store.files) for row in images),
            earlier=earlier,
        )


def latest_subject(store: Store, case_id: int) -> Subject:
    """Return what a result of the latest triage of a case is made of.

    Raises:
        NotFoundError: there is no such case, or it has not been triaged.
    """
    return subject_at(store, case_id, None)


def subject_at(store: Store, case_id: int, revision: int | None) -> Subject:
    """Return what a result of one triage of a case is made of; None: of the latest.

    Patient, study and images are those of today.

    Raises:
        NotFoundError: there is no such case, or it has not been triaged.
    """
    with store.reading() as connection:
        case = find_case(connection, case_id)
        latest = connection.execute(_LATEST, {"case_id": case_id}).one_or_none()
    if case.result_revision is None:
        raise NotFoundError(f"case {case_id} has not been triaged")
    occasion = Occasion(
        occasion_id=latest.occasion_id if latest is not None else 0,
        case_id=case_id,
        moment=Moment.TRIAGE,
        revision=case.result_revision if revision is None else revision,
        judgement_id=None,
        happened_at=case.due_at,
        attempts=0,
    )
    return subject_of(store, occasion)


def result_series(store: Store, study_instance_uid: str) -> frozenset[str]:
    """Return the series of our results in a study; none where nothing was made."""
    with store.reading() as connection:
        return frozenset(connection.execute(_SERIES, {"study": study_instance_uid}).scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultQuery:
    """Cases with results that are looked for; None means any."""

    identifier: str | None = None  # accession number or Study Instance UID
    case_id: int | None = None
    changed_since: datetime | None = None
    from_case: int = 0  # the first that is given, of those in order


def cases_with_results(store: Store, query: ResultQuery, *, limit: int) -> tuple[int, ...]:
    """Return the cases that may have results, in order; at most so many."""
    conditions: list[ColumnElement[bool]] = [cases.c.case_id >= query.from_case]
    if query.identifier is not None:
        named = (cases.c.accession_number, cases.c.study_instance_uid)
        conditions.append(or_(*(column == query.identifier for column in named)))
    if query.case_id is not None:
        conditions.append(cases.c.case_id == query.case_id)
    if query.changed_since is not None:
        conditions.append(cases.c.updated_at >= query.changed_since)
    with store.reading() as connection:
        found = _MAY_HAVE_RESULTS.where(cases_in_sight(connection), *conditions).limit(limit)
        return tuple(connection.execute(found).scalars())


def told_before(store: Store, occasion: Occasion) -> Mapping[tuple[Form, str], bool]:
    """Return whom earlier occasions of the case were to be told, by form and destination.

    The value is whether the last word was that nothing is left.
    """
    bound = {"case_id": occasion.case_id, "occasion_id": occasion.occasion_id}
    with store.reading() as connection:
        rows = connection.execute(_TOLD, bound).all()
    told: dict[tuple[Form, str], bool] = {}
    for row in rows:
        form = Form(row.form)
        told[form, row.destination] = row.withdraws
        if form is Form.REJECTION:
            told |= {
                (gone, to): True for gone, to in told if gone in REJECTED_BY_NOTE and to == row.destination
            }
    return told


def keep_results(
    store: Store, subject: Subject, made: Sequence[MadeResult], detail: str, *, now: datetime
) -> bool:
    """Record results that were made, with their deliveries, and end their occasion; all of it or nothing.

    What earlier results of the case still wait in the outbox for the same place, in the same form, is out of
    date and does not leave any more.

    Returns:
        Whether they were recorded; False where another process was faster.
    """
    occasion, uid = subject.occasion, subject.study.study_instance_uid
    with store.writing(locks.study(uid)) as connection:
        state = connection.execute(_STATE, {"occasion_id": occasion.occasion_id}).scalar_one()
        if state != DUE:
            return False
        for item in made:
            if item.instance is not None:
                connection.execute(queries.ADD_INSTANCE, dict(item.instance))
            _record(connection, occasion, item, now)
        connection.execute(
            _END, {"ended": occasion.occasion_id, "state": DONE, "concluded_at": now, "detail": detail}
        )
    return True


def results_of_case(store: Store, case_id: int) -> tuple[Row[Any], ...]:
    """Return the results that were made of a case, the oldest first."""
    with store.reading() as connection:
        return tuple(connection.execute(_OF_CASE, {"case_id": case_id}))


def _record(connection: Any, occasion: Occasion, item: MadeResult, now: datetime) -> None:
    row = {
        "occasion_id": occasion.occasion_id,
        "case_id": occasion.case_id,
        "form": item.form.value,
        "sop_instance_uid": None if item.instance is None else item.instance["sop_instance_uid"],
        "message": item.message,
        "withdraws": item.withdraws,
        "made_at": now,
    }
    result_id = connection.execute(_ADD_RESULT, row).scalar_one()
    forms = REJECTED_BY_NOTE if item.form is Form.REJECTION else frozenset()
    for destination in item.destinations:
        out_of_date = {
            "told": destination,
            "told_case": occasion.case_id,
            "told_forms": [item.form.value, *sorted(form.value for form in forms)],
            "told_before": occasion.occasion_id,
            "at": now,
        }
        connection.execute(_SUPERSEDE, out_of_date)
    fresh = {"state": DUE, "attempts": 0, "due_at": now, "asked_at": now}
    fresh |= {"result_id": result_id, "case_id": occasion.case_id}
    if item.destinations:
        connection.execute(_ADD_DELIVERIES, [{"destination": name, **fresh} for name in item.destinations])


def _judgement(connection: Transaction, occasion: Occasion) -> Judgement | None:
    reads = () if occasion.judgement_id is None else reads_of(connection, occasion.case_id)
    return next((read.judgement for read in reads if read.read_id == occasion.judgement_id), None)


def _stored(row: Any) -> StoredResult:
    return StoredResult(**(dict(row._mapping) | {"form": Form(row.form)}))
