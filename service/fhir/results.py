"""Results as FHIR resources, R4 and R5: DiagnosticReport, its Observations, and the Task of the second look.

Only a case in which something disagrees has them, or did. They name the patient by identifier alone.

What a detector says and no person has decided is preliminary (valueset-diagnostic-report-status and
valueset-observation-status of R4 and R5: final is what an authorized person verified). A second reader makes
it final, or corrected where another decision was final before; amended is what was final once, and waits for
a decision again. What is not confirmed, and a result of which nothing is left, is entered-in-error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Vocabulary
from overread.observation import Presence
from overread.second_read import AddedFinding, StatedFinding, Verdict
from service.adjudication.decision import Decision
from service.results.codes import (
    ADDED_BY_READER,
    CORRECTED_FINDING,
    CORRECTED_SIDE,
    DISCREPANCY_KIND,
    OUTCOME_DISCREPANT,
    OUTCOME_NONE_LEFT,
    REPORT_SAYS,
    SCHEME,
    VERDICT,
    finding_code,
    kind_code,
    presence_code,
    report_code,
    side_code,
    site_code,
    verdict_code,
)
from service.results.statements import Statement
from service.store.results import Subject

Json = dict[str, Any]
R5 = "5"
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    SCHEME: "urn:overread:codes",
}
_STUDY_SYSTEM = "urn:dicom:uid"
_ACCESSION = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
TASK_STATUS = {
    CaseState.LISTED: "requested",
    CaseState.AWAITING_ARBITRATION: "in-progress",
    CaseState.JUDGED: "completed",
}
ON_HOLD = "on-hold"
WITHDRAWN = "entered-in-error"
DECIDED = ("final", "corrected")  # the second where another decision counted before
UNDECIDED = ("preliminary", "amended")
_SERVICE = Code("SECONDREAD", SCHEME, "Image and report compared")


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


def diagnostic_report(result: Result, *, version: str) -> Json:
    """Return the DiagnosticReport of a case; `version` is 4 or 5.

    Its id is that of the case, so that a later revision or decision is a later version of the same resource.
    """
    case_id = result.subject.occasion.case_id
    study = "study" if version == R5 else "imagingStudy"
    left = [item.words for item in result.statements if item.verdict is not Verdict.NOT_CONFIRMED]
    left += [_added_words(item, result.vocabulary) for item in result.added]
    outcome = OUTCOME_NONE_LEFT if result.is_withdrawn else OUTCOME_DISCREPANT
    resource = {
        "resourceType": "DiagnosticReport",
        "id": f"case-{case_id}",
        "meta": meta_of(result),
        "status": result.status,
        "code": _concept(_SERVICE),
        "subject": patient_of(result.subject),
        "issued": result.changed_at.isoformat(),
        "identifier": _identifiers(result.subject),
        study: [{"identifier": _study_identifier(result.subject)}],
        "conclusion": " ".join(left) or OUTCOME_NONE_LEFT.meaning,
        "conclusionCode": [_concept(outcome)],
    }
    if result.count:
        resource["result"] = [
            reference_to_observation(case_id, number) for number in range(1, result.count + 1)
        ]
    return resource


def observation(result: Result, number: int) -> Json:
    """Return the Observation of one disagreement, counted from 1; those that a person added come last.

    Raises:
        IndexError: the result has no such one.
    """
    resource: Json = {
        "resourceType": "Observation",
        "id": f"case-{result.subject.occasion.case_id}-{number}",
        "meta": meta_of(result),
        "status": result.status_of(number),
        "subject": patient_of(result.subject),
        "issued": result.changed_at.isoformat(),
        "derivedFrom": [{"identifier": _study_identifier(result.subject)}],
    }
    if number > len(result.statements):
        return resource | _added(result.added[number - len(result.statements) - 1], result.vocabulary)
    return resource | _flagged(result.statements[number - 1], result.vocabulary)


def task(result: Result, state: CaseState) -> Json:
    """Return the Task of the second look: status by the state of the case, output what was decided."""
    case_id = result.subject.occasion.case_id
    resource: Json = {
        "resourceType": "Task",
        "id": f"case-{case_id}",
        "meta": meta_of(result),
        "status": TASK_STATUS.get(state, ON_HOLD),  # it is compared anew, or failed
        "intent": "order",
        "priority": "routine",
        "code": {"text": "second look at an imaging study and its report"},
        "focus": {"reference": f"DiagnosticReport/case-{case_id}"},
        "for": patient_of(result.subject),
        "authoredOn": result.subject.record.triaged_at.isoformat(),
        "lastModified": result.changed_at.isoformat(),
    }
    if state is CaseState.JUDGED and (outputs := _outputs(result)):
        resource["output"] = outputs
    return resource


def search_set(resources: Sequence[Json], base: str) -> Json:
    """Return the Bundle that answers a search."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "entry": [
            {
                "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in resources
        ],
    }


def _outputs(result: Result) -> list[Json]:
    """Return what was decided of each disagreement; one that was not looked at has none."""
    case_id = result.subject.occasion.case_id
    said = [None if item.verdict is None else verdict_code(item.verdict) for item in result.statements]
    said += [ADDED_BY_READER] * len(result.added)
    return [
        {"type": _concept(code), "valueReference": reference_to_observation(case_id, number)}
        for number, code in enumerate(said, 1)
        if code is not None
    ]


def _flagged(item: Statement, vocabulary: Vocabulary) -> Json:
    parts = [
        _coded(DISCREPANCY_KIND, kind_code(item.discrepancy.kind)),
        _coded(REPORT_SAYS, report_code(item.report_says)),
    ]
    resource: Json = {
        "code": _concept(finding_code(item.finding)),
        "valueCodeableConcept": _concept(presence_code(item.presence)),
        "note": [{"text": item.words}],
    }
    site, side = site_code(item.finding.group), side_code(item.laterality)
    if site is not None:
        resource["bodySite"] = _concept(site)
    if side is not None:
        parts.append(_coded(codes.SCT.Laterality, side))
    if item.verdict is not None:
        parts.append(_coded(VERDICT, verdict_code(item.verdict)))
    if item.corrected is not None:
        parts += _corrected(item.corrected, vocabulary)
    if item.probability is not None:
        parts.append(_probability(item.probability))
    if item.detector is not None:
        resource["device"] = {"display": f"{item.detector.name} {item.detector.version}"}
    return resource | {"component": parts}


def _added(item: AddedFinding, vocabulary: Vocabulary) -> Json:
    """Return what an Observation says of a finding that a person states, and nothing had flagged."""
    finding = vocabulary[item.stated.finding]
    parts = [_coded(DISCREPANCY_KIND, kind_code(item.kind)), _coded(VERDICT, ADDED_BY_READER)]
    if (side := side_code(item.stated.laterality)) is not None:
        parts.append(_coded(codes.SCT.Laterality, side))
    is_there = item.kind is not DiscrepancyKind.POSSIBLE_OVERCALL
    resource: Json = {
        "code": _concept(finding_code(finding)),
        "valueCodeableConcept": _concept(presence_code(Presence.PRESENT if is_there else Presence.ABSENT)),
        "component": parts,
        "note": [{"text": _added_words(item, vocabulary)}],
    }
    if (site := site_code(finding.group)) is not None:
        resource["bodySite"] = _concept(site)
    return resource


def _added_words(item: AddedFinding, vocabulary: Vocabulary) -> str:
    kind = kind_code(item.kind).meaning.lower()
    return f"The second reader adds: {vocabulary[item.stated.finding].name} ({kind})."


def _corrected(stated: StatedFinding, vocabulary: Vocabulary) -> list[Json]:
    parts = [_coded(CORRECTED_FINDING, finding_code(vocabulary[stated.finding]))]
    if (side := side_code(stated.laterality)) is not None:
        parts.append(_coded(CORRECTED_SIDE, side))
    return parts


def _probability(probability: float) -> Json:
    value = {"value": round(probability * 100, 2), "unit": "%", "system": "http://unitsofmeasure.org"}
    return {"code": {"text": "probability of the finding"}, "valueQuantity": value | {"code": "%"}}


def reference_to_observation(case_id: int, number: int) -> Json:
    """Return a reference to the Observation of a disagreement, counted from 1."""
    return {"reference": f"Observation/case-{case_id}-{number}"}


def meta_of(result: Result) -> Json:
    """Return version and time of a resource of the result."""
    return {"versionId": result.version, "lastUpdated": result.changed_at.isoformat()}


def _concept(code: Code) -> Json:
    coding = {
        "system": _SYSTEMS[code.scheme_designator],
        "code": code.value,
        "display": code.meaning,
    }
    return {"coding": [coding], "text": code.meaning}


def _coded(name: Code, value: Code) -> Json:
    return {"code": _concept(name), "valueCodeableConcept": _concept(value)}


def patient_of(subject: Subject) -> Json:
    """Return a reference to the patient, by identifier alone."""
    if not subject.patient_id:
        return {"display": "unknown"}
    return {"identifier": {"value": subject.patient_id}}


def _study_identifier(subject: Subject) -> Json:
    return {"system": _STUDY_SYSTEM, "value": f"urn:oid:{subject.study.study_instance_uid}"}


def _identifiers(subject: Subject) -> list[Json]:
    given = [_study_identifier(subject)]
    if subject.accession_number:
        given.append({"type": _ACCESSION, "value": subject.accession_number})
    return given
