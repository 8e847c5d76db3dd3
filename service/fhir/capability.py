"""Capability statement of this service (FHIR R4 and R5, capabilitystatement.html)."""

from collections.abc import Iterator
from typing import Any

from overread import __version__
from service.fhir.search import FILTERS, ID, IDENTIFIER, LAST_UPDATED, MEANINGS, STATUS, included_kinds

R4, R5 = "4.0.1", "5.0.0"
_PUBLISHED = "2026-12-01"  # when what is said here last changed
_TYPES = {ID: "token", IDENTIFIER: "token", LAST_UPDATED: "date", STATUS: "token"}
_READING = ("read", "vread", "history-instance", "search-type")
_MEANINGS = {
    "DiagnosticReport": "Each version of a report is kept. What is read are results.",
    "Observation": "One disagreement of image and report each, with its verdict.",
    "Task": "The second look at a case, with its state and outcome.",
    "Communication": "What the author of the report is told.",
    "ImagingSelection": "The places of a disagreement in the images.",
}


def capability_statement(fhir_version: str = R4) -> dict[str, Any]:
    """Return the CapabilityStatement for R4 or R5."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "implementation": {"description": "overread: takes reports of imaging studies"},
        "software": {"name": "overread", "version": __version__},
        "fhirVersion": fhir_version,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Reports are taken and compared with their images; results are read back.",
                "resource": list(_resources(fhir_version)),
                "interaction": [
                    {"code": "transaction", "documentation": "All its DiagnosticReports are taken, or none."},
                    {"code": "batch", "documentation": "Each of its DiagnosticReports is taken by itself."},
                ],
            }
        ],
    }


def _resources(fhir_version: str) -> Iterator[dict[str, Any]]:
    for kind, meaning in _MEANINGS.items():
        if kind != "ImagingSelection" or fhir_version == R5:
            yield _resource(kind, meaning, fhir_version)
    yield {
        "type": "Bundle",
        "interaction": [{"code": "create"}],
        "documentation": "Its DiagnosticReports are taken, each by itself.",
    }


def _resource(kind: str, meaning: str, fhir_version: str) -> dict[str, Any]:
    taken = ("create", "update") if kind == "DiagnosticReport" else ()
    forward, backward = included_kinds(kind)
    if fhir_version != R5:
        forward = tuple(name for name in forward if name != "Observation:derived-from")
    resource: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": code} for code in (*taken, *_READING)],
        "versioning": "versioned",
        "readHistory": True,
        "searchParam": [
            {"name": name, "type": _TYPES[name], "documentation": MEANINGS[name]} for name in FILTERS
        ],
        "documentation": meaning,
    }
    if taken:
        resource["updateCreate"] = True
    if forward:
        resource["searchInclude"] = list(forward)
    if backward:
        resource["searchRevInclude"] = list(backward)
    return resource
