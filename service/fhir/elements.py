"""A result as FHIR has it, and the elements that its resources share (R4 and R5).

What a detector says and no person has decided is preliminary (valueset-diagnostic-report-status and
valueset-observation-status of R4 and R5: final is what an authorized person verified). A second reader makes
it final, or corrected where another decision was final before; amended is what was final once, and waits for
a decision again. What is not confirmed, and a result of which nothing is left, is entered-in-error.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydicom.sr.coding import Code

from overread.finding import Vocabulary
from overread.second_read import AddedFinding, Verdict
from service.adjudication.decision import Decision
from service.results.codes import SCHEME
from service.results.statements import Statement
from service.store.results import Subject

Json = dict[str, Any]
R5 = "5"
WITHDRAWN = "entered-in-error"
DECIDED = ("final", "corrected")  # the second where another decision counted before
UNDECIDED = ("preliminary", "amended")
STUDY_SYSTEM = "urn:dicom:uid"
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    SCHEME: "urn:overread:codes",
}
_ACCESSION = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of a case as it stands: what triage found, and what second readers decided of it."""

    subject: Subject
    statements: tuple[Statement, ...]  # all of the latest triage, what is not confirmed among them
    decision: Decision
    vocabulary: Vocabulary

    @property
    def added(self) -> tuple[AddedFinding, ...]:
        """What the second reader found and nothing had flagged."""
        judgement = self.decision.judgement
        return () if judgement is None else judgement.added

    @property
    def count(self) -> int:
        """How many Observations it has."""
        return len(self.statements) + len(self.added)

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing of it is left."""
        return not self.added and all(item.verdict is Verdict.NOT_CONFIRMED for item in self.statements)

    @property
    def version(self) -> str:
        """Version of its resources: revision of the triage, and the last decision on the case."""
        entry = self.decision.entry
        return str(self.subject.record.revision) + ("" if entry is None else f".{entry}")

    @property
    def changed_at(self) -> datetime:
        """When it last changed."""
        return max(
            self.subject.record.triaged_at, self.decision.changed_at or datetime.min.replace(tzinfo=UTC)
        )

    @property
    def status(self) -> str:
        """Status of the report."""
        if self.is_withdrawn:
            return WITHDRAWN
        return self._decided if self.decision.judgement is not None else self._open

    def status_of(self, number: int) -> str:
        """Return the status of the Observation of a number, counted from 1."""
        verdict = self.statements[number - 1].verdict if number <= len(self.statements) else Verdict.CONFIRMED
        if verdict is Verdict.NOT_CONFIRMED:
            return WITHDRAWN
        return self._decided if verdict is Verdict.CONFIRMED else self._open

    @property
    def _decided(self) -> str:
        return DECIDED[self.decision.was_final]

    @property
    def _open(self) -> str:
        return UNDECIDED[self.decision.was_final]


def reference_to_observation(case_id: int, number: int) -> Json:
    """Return a reference to the Observation of a disagreement, counted from 1."""
    return {"reference": f"Observation/case-{case_id}-{number}"}


def meta_of(result: Result) -> Json:
    """Return version and time of a resource of the result."""
    return {"versionId": result.version, "lastUpdated": result.changed_at.isoformat()}


def concept_of(code: Code) -> Json:
    """Return a code with its words."""
    coding = {
        "system": _SYSTEMS[code.scheme_designator],
        "code": code.value,
        "display": code.meaning,
    }
    return {"coding": [coding], "text": code.meaning}


def coded(name: Code, value: Code) -> Json:
    """Return a component of an Observation whose value is a code."""
    return {"code": concept_of(name), "valueCodeableConcept": concept_of(value)}


def patient_of(subject: Subject) -> Json:
    """Return a reference to the patient, by identifier alone."""
    if not subject.patient_id:
        return {"display": "unknown"}
    return {"identifier": {"value": subject.patient_id}}


def study_identifier(subject: Subject) -> Json:
    """Return the identifier of the study (imagingstudy.html#notes)."""
    return {"system": STUDY_SYSTEM, "value": f"urn:oid:{subject.study.study_instance_uid}"}


def identifiers_of(subject: Subject) -> list[Json]:
    """Return study and accession number."""
    given = [study_identifier(subject)]
    if subject.accession_number:
        given.append({"type": _ACCESSION, "value": subject.accession_number})
    return given
