"""Results as FHIR resources, R4 and R5: DiagnosticReport, its Observations, and the Task of the second look.

Only a case in which something disagrees has them, or did. They name the patient by identifier alone.
"""

from datetime import datetime

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Vocabulary
from overread.observation import Presence
from overread.second_read import AddedFinding, StatedFinding, Verdict
from service.fhir.elements import (
    R5,
    Json,
    Result,
    coded,
    concept_of,
    identifiers_of,
    meta_of,
    patient_of,
    reference_to_observation,
    study_identifier,
)
from service.fhir.selections import imaging_selections
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

TASK_STATUS = {
    CaseState.LISTED: "requested",
    CaseState.AWAITING_ARBITRATION: "in-progress",
    CaseState.JUDGED: "completed",
}
ON_HOLD = "on-hold"
_SERVICE = Code("SECONDREAD", SCHEME, "Image and report compared")


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
        "code": concept_of(_SERVICE),
        "subject": patient_of(result.subject),
        "issued": result.changed_at.isoformat(),
        "identifier": identifiers_of(result.subject),
        study: [{"identifier": study_identifier(result.subject)}],
        "conclusion": " ".join(left) or OUTCOME_NONE_LEFT.meaning,
        "conclusionCode": [concept_of(outcome)],
    }
    if result.count:
        resource["result"] = [
            reference_to_observation(case_id, number) for number in range(1, result.count + 1)
        ]
    return resource


def observation(result: Result, number: int, *, version: str) -> Json:
    """Return the Observation of one disagreement, counted from 1; those that a person added come last.

    R5 has a reference to the places in the images, `service.fhir.selections`.

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
        "derivedFrom": [{"identifier": study_identifier(result.subject)}],
    }
    if number > len(result.statements):
        return resource | _added(result.added[number - len(result.statements) - 1], result.vocabulary)
    if version == R5:
        names = [item["id"] for item in imaging_selections(result, number)]
        resource["derivedFrom"] += [{"reference": f"ImagingSelection/{name}"} for name in names]
    return resource | _flagged(result.statements[number - 1], result.vocabulary)


def task_status(state: CaseState) -> str:
    """Return the status of the second look at a case in this state."""
    return TASK_STATUS.get(state, ON_HOLD)  # it is compared anew, or failed


def task(result: Result, state: CaseState, *, version_id: str, changed_at: datetime) -> Json:
    """Return the Task of the second look: status by the state of the case, output what was decided.

    Its version and when it changed are its own: the state of a case changes more often than its result.
    """
    case_id = result.subject.occasion.case_id
    resource: Json = {
        "resourceType": "Task",
        "id": f"case-{case_id}",
        "meta": {"versionId": version_id, "lastUpdated": changed_at.isoformat()},
        "status": task_status(state),
        "intent": "order",
        "priority": "routine",
        "code": {"text": "second look at an imaging study and its report"},
        "focus": {"reference": f"DiagnosticReport/case-{case_id}"},
        "for": patient_of(result.subject),
        "authoredOn": result.subject.record.triaged_at.isoformat(),
        "lastModified": changed_at.isoformat(),
    }
    if state is CaseState.JUDGED and (outputs := _outputs(result)):
        resource["output"] = outputs
    return resource


def _outputs(result: Result) -> list[Json]:
    """Return what was decided of each disagreement; one that was not looked at has none."""
    case_id = result.subject.occasion.case_id
    said = [None if item.verdict is None else verdict_code(item.verdict) for item in result.statements]
    said += [ADDED_BY_READER] * len(result.added)
    return [
        {"type": concept_of(code), "valueReference": reference_to_observation(case_id, number)}
        for number, code in enumerate(said, 1)
        if code is not None
    ]


def _flagged(item: Statement, vocabulary: Vocabulary) -> Json:
    parts = [
        coded(DISCREPANCY_KIND, kind_code(item.discrepancy.kind)),
        coded(REPORT_SAYS, report_code(item.report_says)),
    ]
    resource: Json = {
        "code": concept_of(finding_code(item.finding)),
        "valueCodeableConcept": concept_of(presence_code(item.presence)),
        "note": [{"text": item.words}],
    }
    site, side = site_code(item.finding.group), side_code(item.laterality)
    if site is not None:
        resource["bodySite"] = concept_of(site)
    if side is not None:
        parts.append(coded(codes.SCT.Laterality, side))
    if item.verdict is not None:
        parts.append(coded(VERDICT, verdict_code(item.verdict)))
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
    parts = [coded(DISCREPANCY_KIND, kind_code(item.kind)), coded(VERDICT, ADDED_BY_READER)]
    if (side := side_code(item.stated.laterality)) is not None:
        parts.append(coded(codes.SCT.Laterality, side))
    is_there = item.kind is not DiscrepancyKind.POSSIBLE_OVERCALL
    resource: Json = {
        "code": concept_of(finding_code(finding)),
        "valueCodeableConcept": concept_of(presence_code(Presence.PRESENT if is_there else Presence.ABSENT)),
        "component": parts,
        "note": [{"text": _added_words(item, vocabulary)}],
    }
    if (site := site_code(finding.group)) is not None:
        resource["bodySite"] = concept_of(site)
    return resource


def _added_words(item: AddedFinding, vocabulary: Vocabulary) -> str:
    kind = kind_code(item.kind).meaning.lower()
    return f"The second reader adds: {vocabulary[item.stated.finding].name} ({kind})."


def _corrected(stated: StatedFinding, vocabulary: Vocabulary) -> list[Json]:
    parts = [coded(CORRECTED_FINDING, finding_code(vocabulary[stated.finding]))]
    if (side := side_code(stated.laterality)) is not None:
        parts.append(coded(CORRECTED_SIDE, side))
    return parts


def _probability(probability: float) -> Json:
    value = {"value": round(probability * 100, 2), "unit": "%", "system": "http://unitsofmeasure.org"}
    return {"code": {"text": "probability of the finding"}, "valueQuantity": value | {"code": "%"}}
