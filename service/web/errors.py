"""The two tables of this adapter: exception to HTTP problem (RFC 9457), and to DICOM failure reason.

A problem says what kind of thing went wrong and what to do. It never repeats what was sent: the texts of the
errors name UIDs and files only, and an error outside the tables is answered without its text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from overread.errors import (
    ClaimedError,
    ConfigurationError,
    ContradictionError,
    InputError,
    InvalidDicomError,
    InvalidReportError,
    LeaseLostError,
    ModelError,
    NotFoundError,
    NotPermittedError,
    OutOfResourcesError,
    OverLimitError,
    OverreadError,
    RemovedError,
    TransitionError,
    UndecodablePixelsError,
    UnreadableRecordError,
)

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of the HTTP table."""

    status: int
    slug: str  # stable, for programs; the `type` member is "/problems/" and this
    title: str


# The first row whose class the error is an instance of applies, so the special stand before the general.
HTTP_PROBLEMS: tuple[tuple[type[Exception], Problem], ...] = (
    (OverLimitError, Problem(status=413, slug="over-limit", title="Takes more than a limit allows")),
    (InvalidReportError, Problem(status=422, slug="invalid-report", title="The report cannot be used")),
    (InvalidDicomError, Problem(status=422, slug="invalid-dicom", title="Not a usable DICOM object")),
    (
        UndecodablePixelsError,
        Problem(status=422, slug="undecodable-pixels", title="The pixels cannot be decoded"),
    ),
    (ContradictionError, Problem(status=409, slug="contradiction", title="Contradicts what is stored")),
    (InputError, Problem(status=422, slug="invalid-input", title="The input cannot be used")),
    (RemovedError, Problem(status=410, slug="removed", title="Removed on purpose; the decisions stay")),
    (NotFoundError, Problem(status=404, slug="not-found", title="The store does not hold this")),
    (
        TransitionError,
        Problem(status=409, slug="wrong-state", title="The case is not in a state that allows this"),
    ),
    (
        UnreadableRecordError,
        Problem(status=500, slug="unreadable-record", title="What is stored of it cannot be read"),
    ),
    (ClaimedError, Problem(status=409, slug="claimed", title="Another reader has the case")),
    (NotPermittedError, Problem(status=403, slug="not-permitted", title="You may not do this to this case")),
    (LeaseLostError, Problem(status=409, slug="lease-lost", title="Another worker holds the case")),
    (
        OutOfResourcesError,
        Problem(status=503, slug="out-of-resources", title="Cannot be accepted now; try later"),
    ),
    (ModelError, Problem(status=503, slug="model-unusable", title="The model release cannot be used")),
    (ConfigurationError, Problem(status=500, slug="misconfigured", title="A setting must be corrected")),
    (OverreadError, Problem(status=500, slug="failed", title="The request failed")),
)
INTERNAL = Problem(status=500, slug="internal", title="The request failed; the log says why")

# PS3.18 table I.2-2 (Store Instances Response Failure Reason), PS3.7 annex C and PS3.4 table B.2-1.
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0x0110
INVALID_ATTRIBUTE_VALUE = 0x0106
DUPLICATE_INSTANCE = 0x0111

STOW_FAILURE_REASONS: tuple[tuple[type[Exception], int], ...] = (
    (OutOfResourcesError, OUT_OF_RESOURCES),
    (OSError, OUT_OF_RESOURCES),  # the disk is full or refuses: the sender may try again later
    (ContradictionError, DUPLICATE_INSTANCE),
    (InputError, CANNOT_UNDERSTAND),
)


def problem_of(error: Exception) -> Problem:
    """Return the row for an error; INTERNAL where no row names it."""
    return next((problem for kind, problem in HTTP_PROBLEMS if isinstance(error, kind)), INTERNAL)


def failure_reason_of(error: Exception) -> int:
    """Return the Failure Reason (0008,1197) for an error; PROCESSING_FAILURE where no row names it."""
    return next((code for kind, code in STOW_FAILURE_REASONS if isinstance(error, kind)), PROCESSING_FAILURE)


def problem_response(problem: Problem, *, detail: str | None = None, errors: Any = None) -> JSONResponse:
    """Return the RFC 9457 answer."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
    }
    if detail is not None:
        body["detail"] = detail
    if errors is not None:
        body["errors"] = errors
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if problem.status == 503 else None
    return JSONResponse(body, status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def answer_overread_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an error that overread raised on purpose; its text names UIDs and what to do."""
    return problem_response(problem_of(error), detail=str(error))


def answer_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Answer an error that the framework or a handler states as a status."""
    if not isinstance(error, HTTPException):
        raise TypeError(type(error))
    slugs = {401: "unauthorized", 404: "no-such-address", 405: "method-not-allowed", 406: "not-acceptable"}
    slugs |= {413: "too-large", 415: "unsupported-media-type"}
    slug = slugs.get(error.status_code, "refused")
    problem = Problem(status=error.status_code, slug=slug, title=str(error.detail))
    response = problem_response(problem)
    response.headers.update(error.headers or {})
    return response


def answer_validation_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that does not fit its description: where and why, without what was sent."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(type(error))
    places = [
        {"where": ".".join(map(str, _described(entry))), "why": entry["msg"]} for entry in error.errors()
    ]
    problem = Problem(status=422, slug="invalid-request", title="The request does not fit its description")
    return problem_response(problem, errors=places)


def _described(entry: Mapping[str, Any]) -> Sequence[str | int]:
    """Return where the mistake is, without a name that is not ours."""
    place: Sequence[str | int] = entry["loc"]
    return (*place[:-1], "(unknown name)") if entry["type"] == "extra_forbidden" else place


def answer_unexpected(_: Request, __: Exception) -> JSONResponse:
    """Answer an error outside the tables without its text, which may hold anything."""
    return problem_response(INTERNAL)
