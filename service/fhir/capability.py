"""Capability statement of this service (FHIR R4 and R5, capabilitystatement.html)."""

from typing import Any

from overread import __version__

R4, R5 = "4.0.1", "5.0.0"
_PUBLISHED = "2026-11-23"  # when what is said here last changed


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
                "documentation": "Reports are taken and compared with their images. Nothing is read back.",
                "resource": [
                    {
                        "type": "DiagnosticReport",
                        "interaction": [{"code": "create"}, {"code": "update"}],
                        "updateCreate": True,
                        "documentation": "Each version is kept. The same version again changes nothing.",
                    },
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
