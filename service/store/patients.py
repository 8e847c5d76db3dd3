"""What the store keeps under an identifier of a patient."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

from service.store.database import Store
from service.store.schema import cases, instances, quarantine, studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What is kept of one patient, or of one case."""

    case_ids: tuple[int, ...]
    study_uids: tuple[str, ...]
    series_uids: tuple[str, ...]
    sop_instance_uids: tuple[str, ...]
    quarantine_ids: tuple[int, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """How entries of the audit trail name each of them."""
        return (
            *(f"case {number}" for number in self.case_ids),
            *(f"study {uid}" for uid in self.study_uids),
            *(f"series {uid}" for uid in self.series_uids),
            *(f"instance {uid}" for uid in self.sop_instance_uids),
            *(f"quarantine {number}" for number in self.quarantine_ids),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not (self.case_ids or self.study_uids or self.quarantine_ids)


def holdings_of_patient(store: Store, patient_id: str) -> Holdings:
    """Return what is kept under an identifier, by whichever issuer; empty where nothing is.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        refused = select(quarantine.c.quarantine_id).where(quarantine.c.patient_id == patient_id)
        of_images = select(studies.c.study_instance_uid).where(studies.c.patient_id == patient_id)
        case_ids, uids = _cases(connection, cases.c.patient_id == patient_id)
        every = sorted({*uids, *connection.execute(of_images).scalars()})
        of_studies, _ = _cases(connection, cases.c.study_instance_uid.in_(every))
        return _holdings(
            connection,
            sorted({*case_ids, *of_studies}),
            every,
            tuple(connection.execute(refused.order_by(quarantine.c.quarantine_id)).scalars()),
        )


def holdings_of_case(store: Store, case_id: int) -> Holdings:
    """Return the case, its study and the images of it, as far as they are kept.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        _, uids = _cases(connection, cases.c.case_id == case_id)
        return _holdings(connection, [case_id], uids, ())


def _cases(connection: Connection, condition: ColumnElement[bool]) -> tuple[list[int], list[str]]:
    """Return the numbers of cases and the UIDs of their studies."""
    rows = connection.execute(select(cases.c.case_id, cases.c.study_instance_uid).where(condition)).all()
    return [row.case_id for row in rows], [row[1] for row in rows if row[1] is not None]


def _holdings(
    connection: Connection, case_ids: Sequence[int], uids: Sequence[str], refused: tuple[int, ...]
) -> Holdings:
    query = (
        select(instances.c.series_instance_uid, instances.c.sop_instance_uid)
        .where(instances.c.study_instance_uid.in_(uids))
        .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
    )
    rows = connection.execute(query).all()
    return Holdings(
        case_ids=tuple(case_ids),
        study_uids=tuple(uids),
        series_uids=tuple(dict.fromkeys(row.series_instance_uid for row in rows)),
        sop_instance_uids=tuple(row.sop_instance_uid for row in rows),
        quarantine_ids=refused,
    )
