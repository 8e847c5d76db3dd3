"""Study, patient and site of a FHIR DiagnosticReport."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from overread.errors import InvalidReportError
from service.fhir.bundled import Bundled, Collection
from service.fhir.resources import (
    DiagnosticReport,
    Identifier,
    ImagingStudy,
    Organization,
    Patient,
    Reference,
    ServiceRequest,
)

SUBJECTS_MAX = 16  # studies of one report
_ACCESSION = "ACSN"
# HL7 table 0203, best first: without an accession number the order's own does, as it does over HL7 v2.
_NUMBER_TYPES = (_ACCESSION, "FILL", "PLAC")
_PATIENT_TYPES = ("MR", "PI", "PT", None)  # of the number that images carry too, best first
_TABLE_0203 = ("http://terminology.hl7.org/CodeSystem/v2-0203", "http://hl7.org/fhir/v2/0203", None)
_DICOM_UID = "urn:dicom:uid"
_UID = re.compile(r"(?:urn:oid:)?([0-9]+(?:\.[0-9]+)+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One study that a report is about, by what it is called; without a name, a person has to say."""

    accession_number: str | None
    study_instance_uid: str | None


@dataclass(frozen=True, slots=True)
class _Named:
    """The names of one study; there may be none."""

    uid: str | None = None
    accession_numbers: frozenset[str] = field(default_factory=frozenset)


def subjects_of(entry: Bundled, report: DiagnosticReport, collection: Collection) -> tuple[Subject, ...]:
    """Return the studies that a report is about: those that it references, else those of its orders.

    Raises:
        InvalidReportError: one is named in several ways, or there are far too many.
    """
    orders = _numbers(entry, report, collection)
    studies = [_study(reference, entry, collection) for reference in (*report.imaging_study, *report.study)]
    named = [study for study in studies if study.uid or study.accession_numbers]
    if named:
        subjects = [_subject(study, orders, len(named)) for study in named]
    else:
        subjects = [Subject(accession_number=number, study_instance_uid=None) for number in sorted(orders)]
    if len(subjects) > SUBJECTS_MAX:
        raise InvalidReportError(f"it is about more than {SUBJECTS_MAX} studies")
    return tuple(dict.fromkeys(subjects)) or (Subject(accession_number=None, study_instance_uid=None),)


def patient_id_of(entry: Bundled, report: DiagnosticReport, collection: Collection) -> str | None:
    """Return the medical record number of the patient, else another number that images may carry too."""
    found = collection.find(report.subject.reference, entry)
    identifiers = list(found.resource.identifier) if found and isinstance(found.resource, Patient) else []
    if report.subject.identifier is not None:
        identifiers.append(report.subject.identifier)
    for kind in _PATIENT_TYPES:
        for identifier in identifiers:
            if identifier.value and kind in _types(identifier):
                return identifier.value
    return None


def site_of(entry: Bundled, report: DiagnosticReport, collection: Collection) -> str | None:
    """Return where a report was made: the name of the first organization that performed it.

    One that did not come with the report is known by how the reference to it is displayed.
    """
    for reference in report.performer:
        found = collection.find(reference.reference, entry)
        if found is not None:
            if isinstance(found.resource, Organization) and found.resource.name:
                return found.resource.name
        elif _is_organization(reference) and reference.display:
            return reference.display
    return None


def _is_organization(reference: Reference) -> bool:
    steps = (reference.reference or "").split("/")
    return "Organization" in {reference.type, steps[-2] if len(steps) > 1 else None}


def _numbers(entry: Bundled, report: DiagnosticReport, collection: Collection) -> set[str]:
    """Return the accession number of the report, else those of its orders."""
    for kind in _NUMBER_TYPES:
        own = set(_values(report.identifier, kind))
        if numbers := own or set(_ordered(report.based_on, entry, collection, kind)):
            return numbers
    return set()


def _subject(study: _Named, orders: set[str], studies: int) -> Subject:
    """Return a study under its accession number, or that of the one order where it is the one study."""
    numbers = study.accession_numbers or (orders if studies == 1 else frozenset())
    number = next(iter(numbers)) if len(numbers) == 1 else None
    if number is None and study.uid is None:
        raise InvalidReportError("an ImagingStudy has several accession numbers and no UID")
    return Subject(accession_number=number, study_instance_uid=study.uid)


def _study(reference: Reference, source: Bundled, collection: Collection) -> _Named:
    found = collection.find(reference.reference, source)
    identifiers = [reference.identifier] if reference.identifier else []
    orders: Iterable[str] = ()
    if found is not None and isinstance(found.resource, ImagingStudy):
        identifiers += found.resource.identifier
        orders = _ordered(found.resource.based_on, found, collection, _ACCESSION)
    uids = {uid for identifier in identifiers if (uid := _uid(identifier))}
    if len(uids) > 1:
        raise InvalidReportError("an ImagingStudy has several Study Instance UIDs")
    numbers = frozenset(_values(identifiers, _ACCESSION)) or frozenset(orders)
    return _Named(next(iter(uids), None), numbers)


def _ordered(
    references: Iterable[Reference], source: Bundled, collection: Collection, kind: str
) -> Iterator[str]:
    """Give the numbers of orders that are of this type."""
    for reference in references:
        found = collection.find(reference.reference, source)
        if reference.identifier is not None:
            yield from _values([reference.identifier], kind)
        if found is not None and isinstance(found.resource, ServiceRequest):
            yield from _values(found.resource.identifier, kind)


def _values(identifiers: Iterable[Identifier], kind: str) -> Iterator[str]:
    return (identifier.value for identifier in identifiers if identifier.value and kind in _types(identifier))


def _types(identifier: Identifier) -> set[str | None]:
    """Return the codes of table 0203 that say what an identifier is; None alone where nothing says it."""
    codes = {coding.code for coding in identifier.type.coding if coding.system in _TABLE_0203}
    return codes or {None}


def _uid(identifier: Identifier) -> str | None:
    """Return a Study Instance UID (R4 and R5, imagingstudy.html#notes: urn:dicom:uid with urn:oid:...)."""
    found = _UID.fullmatch(identifier.value or "")
    return found[1] if found and identifier.system == _DICOM_UID else None
