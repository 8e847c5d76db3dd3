"""Forms in which the audit trail leaves: FHIR AuditEvent, syslog lines and JSON lines.

The FHIR form (R4) has the shape of IHE's Basic Audit Log Patterns: one agent who acted, the system as source,
one entity that was touched. Kinds of event are those of DICOM PS3.15 annex A.5, from pydicom's dictionary.
"""

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread import __version__
from overread.actor import ActorKind
from service.store.audit_entries import LOCAL, AuditAction, AuditEntry, AuditOutcome
from service.store.audit_trail import SealedEntry

_DICOM = codes.DCM
_SYSTEM = "http://dicom.nema.org/resources/ontology/DCM"
_KINDS: dict[AuditAction, tuple[Code, Code | None, str]] = {
    # Event, what it is more precisely, and the action code of PS3.15 table A.5.2-1.
    AuditAction.SAW: (_DICOM.PatientRecord, None, "R"),
    AuditAction.SEARCHED: (_DICOM.Query, None, "E"),
    AuditAction.FETCHED_AHEAD: (_DICOM.DICOMInstancesTransferred, None, "R"),
    AuditAction.EXPORTED: (_DICOM.Export, None, "R"),
    AuditAction.CHANGED: (_DICOM.PatientRecord, None, "U"),
    AuditAction.CONFIGURED: (_DICOM.SecurityAlert, _DICOM.SoftwareConfiguration, "U"),
    AuditAction.REMOVED: (_DICOM.DICOMStudyDeleted, None, "D"),
    AuditAction.NOTED: (_DICOM.ApplicationActivity, None, "E"),
    AuditAction.SIGNED_IN: (_DICOM.UserAuthentication, _DICOM.Login, "E"),
    AuditAction.SIGNED_OUT: (_DICOM.UserAuthentication, _DICOM.Logout, "E"),
}
_OUTCOMES = {AuditOutcome.SUCCEEDED: "0", AuditOutcome.REFUSED: "4", AuditOutcome.FAILED: "8"}
_NETWORK_ADDRESS = "2"  # of network.type: an IP address (PS3.15 table A.5.2-1)
_PRIORITY = 10 * 8 + 5  # RFC 5424 section 6.2.1: security and authorization messages, notice


def as_json(sealed: SealedEntry, entry: AuditEntry) -> str:
    """Return one JSON line with every column."""
    return json.dumps(
        {
            "entry": sealed.entry_id,
            "at": entry.at.astimezone(UTC).isoformat(),
            "actor": entry.actor.identifier,
            "actor_kind": entry.actor.kind.value,
            "actor_name": entry.actor.display_name,
            "sent_from": entry.sent_from,
            "action": entry.action.value,
            "outcome": entry.outcome.value,
            "what": entry.what,
            "subject": entry.subject,
            "detail": entry.detail,
            "position": sealed.position,
            "hash": sealed.hash,
        },
        ensure_ascii=False,
    )


def as_fhir(sealed: SealedEntry, entry: AuditEntry) -> str:
    """Return one FHIR AuditEvent (R4) as a line of JSON."""
    kind, subtype, action = _KINDS[entry.action]
    agent: dict[str, Any] = {
        "type": {"text": "person" if entry.actor.kind is ActorKind.PERSON else "program"},
        "who": {"identifier": {"value": entry.actor.identifier}, "display": entry.actor.display_name},
        "requestor": True,
    }
    if entry.sent_from != LOCAL:
        agent["network"] = {"address": entry.sent_from, "type": _NETWORK_ADDRESS}
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(sealed.entry_id),
        "type": _coding(kind),
        "action": action,
        "recorded": entry.at.astimezone(UTC).isoformat(),
        "outcome": _OUTCOMES[entry.outcome],
        "outcomeDesc": entry.what,
        "agent": [agent],
        "source": {"site": socket.gethostname(), "observer": {"display": f"overread {__version__}"}},
    }
    if subtype is not None:
        event["subtype"] = [_coding(subtype)]
    details = [{"type": name, "valueString": value} for name, value in _details(sealed, entry) if value]
    if entry.subject is not None:
        event["entity"] = [{"what": {"identifier": {"value": entry.subject}}, "detail": details}]
    elif details:
        event["entity"] = [{"name": entry.what, "detail": details}]
    return json.dumps(event, ensure_ascii=False)


def as_syslog(sealed: SealedEntry, entry: AuditEntry) -> str:
    """Return one message of RFC 5424, whose text is the FHIR form."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    header = f"<{_PRIORITY}>1 {at} {socket.gethostname()} overread {os.getpid()} {entry.action.value} -"
    return f"{header} {as_fhir(sealed, entry)}"


FORMATS: dict[str, Callable[[SealedEntry, AuditEntry], str]] = {
    "jsonl": as_json,
    "fhir": as_fhir,
    "syslog": as_syslog,
}
"""Forms by the name that a person gives."""


def _details(sealed: SealedEntry, entry: AuditEntry) -> tuple[tuple[str, str | None], ...]:
    return (("detail", entry.detail), ("chain", sealed.hash))


def _coding(code: Code) -> dict[str, str]:
    return {"system": _SYSTEM, "code": code.value, "display": code.meaning}
