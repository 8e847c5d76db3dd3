"""FHIR documents that the tests send."""

import base64
import json
from typing import Any

Json = dict[str, Any]
TABLE_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
TEXT = "FINDINGS: There is a mass in the right upper lobe.\nIMPRESSION: Mass."
BASE = "http://ris.example.org/fhir"


def identifier(value: str, kind: str | None = None, system: str = "http://ris.example.org/numbers") -> Json:
    """An identifier of a type of table 0203."""
    typed = {"type": {"coding": [{"system": TABLE_0203, "code": kind}]}} if kind else {}
    return {"system": system, "value": value} | typed


def dicom_uid(uid: str) -> Json:
    """The identifier of an ImagingStudy."""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def attachment(
    content: bytes | str = TEXT, content_type: str = "text/plain; charset=utf-8", **more: str
) -> Json:
    """A document within a resource."""
    raw = content.encode() if isinstance(content, str) else content
    return {"contentType": content_type, "data": base64.b64encode(raw).decode()} | more


def report(**changed: Any) -> Json:
    """A final DiagnosticReport with its accession number; None leaves a part out."""
    given = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "identifier": [identifier("A1", "ACSN")],
        "status": "final",
        "code": {"text": "Chest radiograph"},
        "presentedForm": [attachment()],
    } | changed
    return {name: value for name, value in given.items() if value is not None}


def patient(**changed: Any) -> Json:
    return {"resourceType": "Patient", "id": "p1", "identifier": [identifier("P1", "MR")]} | changed


def order(accession: str = "A1", name: str = "o1") -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": name,
        "identifier": [identifier(f"placer {accession}", "PLAC"), identifier(accession, "ACSN")],
        "status": "completed",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
    }


def study(uid: str = "2.25.1", name: str = "s1", **changed: Any) -> Json:
    return {
        "resourceType": "ImagingStudy",
        "id": name,
        "identifier": [dicom_uid(uid)],
        "status": "available",
        "subject": {"reference": "Patient/p1"},
    } | changed


def bundle(*resources: Json, kind: str = "collection", base: str = BASE) -> Json:
    """A bundle with full URLs of one server; a transaction or batch with its requests."""
    entries = []
    for resource in resources:
        name = f"{resource['resourceType']}/{resource.get('id', 'x')}"
        entry: Json = {"fullUrl": f"{base}/{name}", "resource": resource}
        if kind in {"transaction", "batch"}:
            entry["request"] = {"method": "PUT", "url": name}
        entries.append(entry)
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def whole_bundle(kind: str = "transaction") -> Json:
    """A report with patient, order and study, as a radiology information system sends it."""
    sent = report(
        identifier=None,
        subject={"reference": "Patient/p1"},
        basedOn=[{"reference": "ServiceRequest/o1"}],
        imagingStudy=[{"reference": "ImagingStudy/s1"}],
    )
    return bundle(patient(), order(), study(), sent, kind=kind)


def body(document: Json) -> bytes:
    return json.dumps(document).encode()
