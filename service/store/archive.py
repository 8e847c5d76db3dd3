"""Searches in the store: studies, series and instances by attributes (PS3.18 section 10.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
)

from overread.errors import NotFoundError
from service.store.database import Store
from service.store.records import InstanceRecord, StudyRecord
from service.store.rows import instance_of, study_of
from service.store.schema import instances, studies
from service.store.sight import instances_in_sight, studies_in_sight

_BATCH = 500


class Level(StrEnum):
    """Level of a search."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    INSTANCE = "INSTANCE"


class Attribute(StrEnum):
    """Attribute that the tables know, by DICOM keyword; anything else stands in the headers alone."""

    STUDY_INSTANCE_UID = "StudyInstanceUID"
    SERIES_INSTANCE_UID = "SeriesInstanceUID"
    SOP_INSTANCE_UID = "SOPInstanceUID"
    SOP_CLASS_UID = "SOPClassUID"
    SOP_CLASSES_IN_STUDY = "SOPClassesInStudy"
    MODALITY = "Modality"
    MODALITIES_IN_STUDY = "ModalitiesInStudy"
    PATIENT_ID = "PatientID"
    ACCESSION_NUMBER = "AccessionNumber"
    STUDY_DATE = "StudyDate"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The attribute has one of these values."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """The attribute fits a pattern in which * stands for any characters and ? for one (PS3.4 C.2.2.2.4)."""

    pattern: str

    @property
    def glob(self) -> str:
        """The pattern as `fnmatch` and the GLOB of SQLite take it: a bracket is no class of characters."""
        return self.pattern.replace("[", "[[]")

    @property
    def like(self) -> str:
        """The pattern as LIKE takes it, with a backslash before what is meant literally."""
        parts = {"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"}
        return "".join(parts.get(character, character) for character in self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The attribute sorts between two values, both included; None leaves an end open (PS3.4 C.2.2.2.5)."""

    first: str | None
    last: str | None


Condition = OneOf | Like | Between


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One study, series or instance that fits, with one of its instances to read further attributes from."""

    study: StudyRecord
    instance: InstanceRecord
    instances: int  # of the study or series; of an instance 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyContent:
    """Series and instances of a study."""

    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    series: int
    instances: int


def search(
    store: Store,
    level: Level,
    conditions: Sequence[tuple[Attribute, Condition]],
    *,
    limit: int,
    offset: int = 0,
) -> list[Found]:
    """Return what fits every condition: latest study date first, then by UID, so that pages fit together."""
    dialect = store.engine.dialect.name
    clauses = [_clause(attribute, condition, dialect) for attribute, condition in conditions]
    with store.reading() as connection:
        fits = and_(studies_in_sight(connection), *clauses)
        statement = _STATEMENTS[level].where(fits).limit(limit).offset(offset)
        rows = connection.execute(statement).all()
        if level is Level.STUDY:  # looked up for the page alone, not for each study before they are sorted
            groups = _by(connection, _GROUPS, "study_instance_uid", [row.study_instance_uid for row in rows])
            rows = [groups[row.study_instance_uid] for row in rows if row.study_instance_uid in groups]
        examples = _by(connection, _EXAMPLES, "sop_instance_uid", [row.example for row in rows])
        described = _by(
            connection, _STUDIES, "study_instance_uid", sorted({row.study_instance_uid for row in rows})
        )
    return [
        Found(
            study=study_of(described[row.study_instance_uid]),
            instance=instance_of(examples[row.example], store.files),
            instances=row.instances,
        )
        for row in rows
    ]


def _by(connection: Connection, query: Select[Any], column: str, uids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return the rows of a query for these UIDs, by the column that holds them."""
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(uids), _BATCH):
        for row in connection.execute(query, {"uids": uids[start : start + _BATCH]}):
            found[getattr(row, column)] = row
    return found


def study_contents(store: Store, study_instance_uids: Sequence[str]) -> dict[str, StudyContent]:
    """Return what these studies consist of."""
    gathered: dict[str, list[Row[Any]]] = {}
    with store.reading() as connection:
        for start in range(0, len(study_instance_uids), _BATCH):
            batch = {"uids": study_instance_uids[start : start + _BATCH]}
            for row in connection.execute(_CONTENTS, batch):
                gathered.setdefault(row.study_instance_uid, []).append(row)
    return {uid: _content(rows) for uid, rows in gathered.items()}


def instances_within(
    store: Store,
    study_instance_uid: str,
    series_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
) -> list[InstanceRecord]:
    """Return the instances of a study, of one of its series, or the one instance, by series and instance UID.

    Raises:
        NotFoundError: the store holds none.
    """
    statement = _WITHIN
    if series_instance_uid is not None:
        statement = statement.where(instances.c.series_instance_uid == series_instance_uid)
    if sop_instance_uid is not None:
        statement = statement.where(instances.c.sop_instance_uid == sop_instance_uid)
    with store.reading() as connection:
        seen = statement.where(instances_in_sight(connection))
        rows = connection.execute(seen, {"study_instance_uid": study_instance_uid}).all()
    if not rows:
        names = " of ".join(
            f"{word} {uid}"
            for word, uid in (
                ("instance", sop_instance_uid),
                ("series", series_instance_uid),
                ("study", study_instance_uid),
            )
            if uid is not None
        )
        raise NotFoundError(f"the store holds nothing of {names}")
    return [instance_of(row, store.files) for row in rows]


# The least UID of a group stands for it: it is there in both databases, and stays the same.
_LATEST_FIRST = (func.coalesce(studies.c.study_date, "").desc(), studies.c.study_instance_uid)
_OF_STUDY = instances.c.study_instance_uid == studies.c.study_instance_uid

_STATEMENTS: dict[Level, Select[Any]] = {
    Level.STUDY: select(studies.c.study_instance_uid).order_by(*_LATEST_FIRST),
    Level.SERIES: select(
        studies.c.study_instance_uid,
        func.min(instances.c.sop_instance_uid).label("example"),
        func.count().label("instances"),
    )
    .join_from(instances, studies, _OF_STUDY)
    .group_by(studies.c.study_instance_uid, instances.c.series_instance_uid)
    .order_by(*_LATEST_FIRST, instances.c.series_instance_uid),
    Level.INSTANCE: select(
        studies.c.study_instance_uid,
        instances.c.sop_instance_uid.label("example"),
        literal(1).label("instances"),
    )
    .join_from(instances, studies, _OF_STUDY)
    .order_by(*_LATEST_FIRST, instances.c.series_instance_uid, instances.c.sop_instance_uid),
}
_GROUPS = (
    select(
        instances.c.study_instance_uid,
        func.min(instances.c.sop_instance_uid).label("example"),
        func.count().label("instances"),
    )
    .where(instances.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
    .group_by(instances.c.study_instance_uid)
)
_EXAMPLES = select(instances).where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
_STUDIES = select(studies).where(studies.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
_CONTENTS = (
    select(
        instances.c.study_instance_uid,
        instances.c.series_instance_uid,
        instances.c.modality,
        instances.c.sop_class_uid,
        func.count().label("instances"),
    )
    .where(instances.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
    .group_by(
        instances.c.study_instance_uid,
        instances.c.series_instance_uid,
        instances.c.modality,
        instances.c.sop_class_uid,
    )
)
_WITHIN = (
    select(instances)
    .where(instances.c.study_instance_uid == bindparam("study_instance_uid"))
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)

_COLUMNS: dict[Attribute, ColumnElement[Any]] = {
    Attribute.STUDY_INSTANCE_UID: studies.c.study_instance_uid,
    Attribute.PATIENT_ID: studies.c.patient_id,
    Attribute.ACCESSION_NUMBER: studies.c.accession_number,
    Attribute.STUDY_DATE: studies.c.study_date,
    Attribute.SERIES_INSTANCE_UID: instances.c.series_instance_uid,
    Attribute.SOP_INSTANCE_UID: instances.c.sop_instance_uid,
    Attribute.SOP_CLASS_UID: instances.c.sop_class_uid,
    Attribute.MODALITY: instances.c.modality,
}
# Of any instance of the study, whichever it is that the search looks at.
_other = instances.alias("other")
_ANYWHERE: dict[Attribute, ColumnElement[Any]] = {
    Attribute.MODALITIES_IN_STUDY: _other.c.modality,
    Attribute.SOP_CLASSES_IN_STUDY: _other.c.sop_class_uid,
}


def _clause(attribute: Attribute, condition: Condition, dialect: str) -> ColumnElement[bool]:
    if attribute in _ANYWHERE:
        fits = _fits(_ANYWHERE[attribute], condition, dialect)
        return exists().where(_other.c.study_instance_uid == studies.c.study_instance_uid, fits)
    return _fits(_COLUMNS[attribute], condition, dialect)


def _fits(column: ColumnElement[Any], condition: Condition, dialect: str) -> ColumnElement[bool]:
    if isinstance(condition, OneOf):
        return column.in_(condition.values)
    if isinstance(condition, Like):
        if dialect == "sqlite":  # whose LIKE takes no notice of case
            return column.op("GLOB", is_comparison=True, return_type=Boolean())(condition.glob)
        return column.like(condition.like, escape="\\")
    ends = []
    if condition.first is not None:
        ends.append(column >= condition.first)
    if condition.last is not None:
        ends.append(column <= condition.last)
    return and_(column.is_not(None), *ends)


def _content(rows: Sequence[Row[Any]]) -> StudyContent:
    return StudyContent(
        modalities=tuple(sorted({row.modality for row in rows if row.modality})),
        sop_classes=tuple(sorted({row.sop_class_uid for row in rows})),
        series=len({row.series_instance_uid for row in rows}),
        instances=sum(row.instances for row in rows),
    )
