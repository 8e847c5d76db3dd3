"""Answers to a sender of FHIR: OperationOutcome, and the answer to a transaction or batch (R4 and R5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overread.errors import ContradictionError, InputError, OutOfResourcesError, UnsupportedMessageError
from service.fhir.resources import MalformedResourceError

Json = dict[str, Any]
_INFORMATION = "informational"
# R4 and R5, valueset-issue-type. The first row whose class the error is an instance of applies.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (MalformedResourceError, "structure"),
    (UnsupportedMessageError, "not-supported"),
    (ContradictionError, "conflict"),
    (InputError, "processing"),
    (OutOfResourcesError, "transient"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One thing to say."""

    code: str  # of valueset-issue-type
    text: str  # names UIDs and what to do, nothing of the patient
    place: str | None = None  # FHIRPath
    is_error: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAnswer:
    """Outcome of one entry of a bundle."""

    status: int  # of HTTP
    issues: tuple[Issue, ...]
    location: str | None = None


def issue_of(error: Exception, *, place: str | None = None) -> Issue:
    """Return what there is to say of an error of ours."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "exception")
    return Issue(code=code, text=str(error), place=place)


def remark(text: str, *, place: str | None = None) -> Issue:
    """Return something to say that is no error."""
    return Issue(code=_INFORMATION, text=text, place=place, is_error=False)


def operation_outcome(issues: Sequence[Issue]) -> Json:
    """Return the OperationOutcome that says so."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def bundle_answer(bundle_type: str, entries: Sequence[EntryAnswer]) -> Json:
    """Return the answer to a transaction or batch: an entry for each of the request (http.html#trules)."""
    return {
        "resourceType": "Bundle",
        "type": f"{bundle_type}-response",
        "entry": [{"response": _response(entry)} for entry in entries],
    }


def _issue(issue: Issue) -> Json:
    said: Json = {
        "severity": "error" if issue.is_error else "information",
        "code": issue.code,
        "diagnostics": issue.text,
    }
    return said | ({"expression": [issue.place]} if issue.place else {})


def _response(entry: EntryAnswer) -> Json:
    response: Json = {"status": str(entry.status)}
    if entry.location is not None:
        response["location"] = entry.location
    return response | {"outcome": operation_outcome(entry.issues)}
