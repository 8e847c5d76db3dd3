"""Capability statement of this service (FHIR R4 and R5, capabilitystatement.html)."""

from typing import Any

from overread import __version__

R4, R5 = "4.0.1", "5.0.0"
_PUBLISHED = "2026-11-30"  # when what is said here last changed


_IDENTIFIER = {
    "name": "identifier",
    "type": "token",
    "documentation": "accession number, or urn:dicom:uid|urn:oid:STUDY",
}


def _read_alone(kind: str, meaning: str) -> dict[str, Any]:
    interaction = [{"code": "read"}, {"code": "search-type"}]
    return {
        "type": kind,
        "interaction": interaction,
        "searchParam": [_IDENTIFIER],
        "documentation": meaning,
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
                "resource": [
                    {
                        "type": "DiagnosticReport",
                        "interaction": [
                            {"code": "create"},
                            {"code": "update"},
                            {"code": "read"},
                            {"code": "search-type"},
                        ],
                        "updateCreate": True,
                        "searchParam": [_IDENTIFIER],
                        "documentation": "Each version of a report is kept. What is read are results.",
                    },
                    _read_alone(
                        "Observation", "One disagreement of image and report each, with its verdict."
                    ),
                    _read_alone("Task", "The second look at a case, with its state and outcome."),
                    _read_alone("Communication", "What the author of the report is told."),
                    {
                        "type": "Bundle",
                        "interaction": [{"code": "create"}],
                        "documentation": "Its DiagnosticReports are taken, each by itself.",
                    },
                ],
                "interaction": [
                    {"code": "transaction", "documentation": "All its DiagnosticReports are taken, or none."},
                    {"code": "batch", "documentation": "Each of its DiagnosticReports is taken by itself."},
                ],
            }
        ],
    }
