"""Results as FHIR resources, R4 and R5: DiagnosticReport, its Observations, and the Task of the second look.

Only a case whose latest triage found a disagreement has them. They name the patient by identifier alone.
"""

from collections.abc import Sequence
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread.case import CaseState
from service.results.codes import (
    DISCREPANCY_KIND,
    REPORT_SAYS,
    SCHEME,
    finding_code,
    kind_code,
    presence_code,
    report_code,
    side_code,
    site_code,
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
_TASK_STATUS = {
    CaseState.LISTED: "requested",
    CaseState.AWAITING_ARBITRATION: "in-progress",
    CaseState.JUDGED: "completed",
}
_SERVICE = Code("SECONDREAD", SCHEME, "Image and report compared")


def diagnostic_report(subject: Subject, statements: Sequence[Statement], *, version: str) -> Json:
    """Return the DiagnosticReport of a case; `version` is 4 or 5.

    Its id is that of the case, so that a later revision is a later version of the same resource.
    """
    case_id = subject.occasion.case_id
    study = "study" if version == R5 else "imagingStudy"
    return {
        "resourceType": "DiagnosticReport",
        "id": f"case-{case_id}",
        "meta": {"versionId": str(subject.record.revision), "lastUpdated": _instant(subject)},
        "status": "amended" if subject.record.revision > 1 else "final",
        "code": _concept(_SERVICE),
        "subject": _patient(subject),
        "issued": _instant(subject),
        "identifier": _identifiers(subject),
        study: [{"identifier": _study_identifier(subject)}],
        "result": [
            {"reference": f"Observation/case-{case_id}-{number}"} for number in range(1, len(statements) + 1)
        ],
        "conclusion": " ".join(item.words for item in statements),
    }


def observation(subject: Subject, statements: Sequence[Statement], number: int) -> Json:
    """Return the Observation of one disagreement, counted from 1.

    Raises:
        IndexError: the result has no such one.
    """
    item = statements[number - 1]
    resource: Json = {
        "resourceType": "Observation",
        "id": f"case-{subject.occasion.case_id}-{number}",
        "meta": {"versionId": str(subject.record.revision), "lastUpdated": _instant(subject)},
        "status": "amended" if subject.record.revision > 1 else "final",
        "code": _concept(finding_code(item.finding)),
        "subject": _patient(subject),
        "issued": _instant(subject),
        "valueCodeableConcept": _concept(presence_code(item.presence)),
        "component": [
            _coded(DISCREPANCY_KIND, kind_code(item.discrepancy.kind)),
            _coded(REPORT_SAYS, report_code(item.report_says)),
        ],
        "note": [{"text": item.words}],
        "derivedFrom": [{"identifier": _study_identifier(subject)}],
    }
    site, side = site_code(item.finding.group), side_code(item.laterality)
    if site is not None:
        resource["bodySite"] = _concept(site)
    if side is not None:
        resource["component"].append(_coded(codes.SCT.Laterality, side))
    if item.probability is not None:
        value = {
            "value": round(item.probability * 100, 2),
            "unit": "%",
            "system": "http://unitsofmeasure.org",
        }
        probability: Json = {"code": {"text": "probability of the finding"}, "valueQuantity": value}
        probability["valueQuantity"]["code"] = "%"
        resource["component"].append(probability)
    if item.detector is not None:
        resource["device"] = {"display": f"{item.detector.name} {item.detector.version}"}
    return resource


def task(subject: Subject, state: CaseState) -> Json:
    """Return the Task of the second look, its status by the state of the case."""
    return {
        "resourceType": "Task",
        "id": f"case-{subject.occasion.case_id}",
        "meta": {"versionId": str(subject.record.revision), "lastUpdated": _instant(subject)},
        "status": _TASK_STATUS.get(state, "on-hold"),  # it is compared anew, or failed
        "intent": "order",
        "priority": "routine",
        "code": {"text": "second look at an imaging study and its report"},
        "focus": {"reference": f"DiagnosticReport/case-{subject.occasion.case_id}"},
        "for": _patient(subject),
        "authoredOn": _instant(subject),
        "lastModified": _instant(subject),
    }


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


def _concept(code: Code) -> Json:
    coding = {
        "system": _SYSTEMS[code.scheme_designator],
        "code": code.value,
        "display": code.meaning,
    }
    return {"coding": [coding], "text": code.meaning}


def _coded(name: Code, value: Code) -> Json:
    return {"code": _concept(name), "valueCodeableConcept": _concept(value)}


def _patient(subject: Subject) -> Json:
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


def _instant(subject: Subject) -> str:
    return subject.record.triaged_at.isoformat()
