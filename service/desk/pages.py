"""The pages: worklist, case, and errors for people."""

from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from structlog.contextvars import get_contextvars

from overread.case import CaseState
from overread.errors import OutOfResourcesError
from overread.finding import load_vocabulary
from service.adjudication.blinding import SeenCase, as_seen, may_judge, require_open, selection_as_seen
from service.adjudication.claiming import Claimant
from service.adjudication.known_reads import first_unjudged, known_reads
from service.adjudication.reads import note_opened
from service.api.second_reads import sender_of
from service.desk.caseview import Choice, Neighbours, case_view
from service.desk.claimpages import Asking
from service.desk.claimview import claim_bar
from service.desk.judgingview import JudgingView, judging_view
from service.desk.listing import Listing
from service.desk.listpages import listed_as
from service.desk.listview import tab_address, tab_of
from service.desk.render import render_page
from service.desk.viewerpart import ohif_address
from service.security.identity import Identity
from service.store.database import Store
from service.store.prior_studies import prior_studies
from service.store.queue import retry_case
from service.store.reading_claims import find_claim
from service.store.records import CaseSummary
from service.store.worklist import list_numbers, load_case
from service.tracing import REQUEST_ID
from service.triage.reconsideration import restore_finding
from service.web import errors
from service.web.context import Context, Recognised, ServerContext
from service.web.picture import sizes_of

STATIC_FOLDER = FilePath(__file__).parent / "static"
_NEIGHBOURS_MAX = 500
_HIDDEN = "The report is shown once your own read is committed."
_NOTHING_THERE = "Nothing is at this address. It may have been mistyped, or lead to something that is gone."
_REFUSALS = {
    401: ("You are not signed in", "Sign in and try again."),
    403: ("You may not do this", "Your roles do not allow it. An administrator can give you others."),
    404: ("There is no such page", _NOTHING_THERE),
}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def chosen(
    listing: Annotated[Listing, Depends(listed_as)],
    finding: Annotated[int, Query(ge=1, le=1000)] = 1,
    image: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    overlay: Annotated[str, Query(max_length=10)] = "on",
    sheet: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> Choice:
    """Return what the reader wants to see of a case."""
    return Choice(finding=finding, image=image, overlay_shown=overlay != "off", sheet=sheet, listing=listing)


@router.get("/cases/{case_id}")
def case(
    context: Context,
    request: Request,
    asking: Asking,
    choice: Annotated[Choice, Depends(chosen)],
    case_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
) -> HTMLResponse:
    """Show one case."""
    detail = load_case(context.store, case_id, share=choice.listing.share)
    seen = as_seen(context.store, detail, asking.identity)
    detail = seen.detail
    listing = replace(
        choice.listing, rest=detail.summary.state is CaseState.LISTED and not detail.summary.above_line
    )
    choice = replace(choice, listing=listing)
    neighbours = _neighbours(context.store, detail.summary, listing, asking)
    neighbours = replace(neighbours, priors=prior_studies(context.store, detail.study))
    sizes = sizes_of(context.store, detail.instances)
    view = case_view(detail, sizes, choice, neighbours, load_vocabulary(), now=context.clock())
    elsewhere = ohif_address(request.app.state.web, detail)
    view = replace(
        view,
        viewer=replace(view.viewer, ohif_address=elsewhere),
        judging=_judging(context, request, asking.identity, seen, listing),
        no_report=_HIDDEN if seen.is_hidden else view.no_report,
    )
    if detail.summary.state is CaseState.LISTED:
        claim = find_claim(context.store, case_id, now=asking.now)
        view = replace(view, claim=claim_bar(case_id, claim, asking))
    return render_page(request, "case.html", view, here="case")


@router.post("/cases/{case_id}/retry")
def retry(
    context: Context, identity: Recognised, case_id: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> Response:
    """Put a failed case back in the queue and show it."""
    retry_case(context.store, case_id, actor=identity.actor, now=context.clock())
    return RedirectResponse(f"/cases/{case_id}", status_code=303)


@router.post("/cases/{case_id}/known-before/{finding}/restore")
def restore(
    context: Context,
    identity: Recognised,
    case_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    finding: Annotated[str, Path(max_length=100)],
) -> Response:
    """Bring back a finding that an earlier report knew, and show the case."""
    require_open(context.store, case_id, identity)
    restore_finding(context.store, case_id, finding, actor=identity.actor, now=context.clock())
    return RedirectResponse(f"/cases/{case_id}", status_code=303)


def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer a person with a page and a program with a problem."""
    problem = errors.answer_http_exception(request, error)
    if not _is_for_a_person(request) or not isinstance(error, HTTPException):
        return problem
    title = "There is no such page" if error.status_code == 404 else "That did not work"
    detail = _NOTHING_THERE if error.detail == HTTPStatus.NOT_FOUND.phrase else str(error.detail)
    page = {"title": title, "detail": detail}
    return render_page(request, "problem.html", page, status=error.status_code)


def answer_validation_error(request: Request, error: Exception) -> Response:
    """Answer a person with a page and a program with the places that do not fit."""
    if not _is_for_a_person(request):
        return errors.answer_validation_error(request, error)
    page = {
        "title": "There is no such page",
        "detail": "A part of the address or of the form is not known here.",
    }
    return render_page(request, "problem.html", page, status=422)


def answer_overread_error(request: Request, error: Exception) -> Response:
    """Answer a person with a page and a program with a problem."""
    if not _is_for_a_person(request):
        return errors.answer_overread_error(request, error)
    problem = errors.problem_of(error)
    page = {"title": problem.title, "detail": f"{error}."}
    return render_page(request, "problem.html", page, status=problem.status)


def answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer a person with a page that names the request in the log, and a program with a problem."""
    if not _is_for_a_person(request):
        return errors.answer_unexpected(request, error)
    number = get_contextvars().get(REQUEST_ID)
    named = f" of request {number}" if number else ""
    page = {
        "title": "That did not work",
        "detail": f"The fault lies with the service. Its log says why, in the lines{named}: "
        "tell who runs it, and try again.",
    }
    return render_page(request, "problem.html", page, status=errors.INTERNAL.status)


def answer_refusal(request: Request, problem: errors.Problem) -> Response:
    """Answer a person with a page and a program with a problem, where the guard let nothing through."""
    if not _is_for_a_person(request):
        return errors.problem_response(problem)
    title, detail = _REFUSALS.get(problem.status, ("That did not work", problem.title))
    return render_page(request, "problem.html", {"title": title, "detail": detail}, status=problem.status)


def next_to_judge(context: ServerContext, identity: Identity, case_id: int, listing: Listing) -> str:
    """Return the address of the case that follows on the list, from the last one the first; else the list's.

    On which side of the line the case stands, the next one is looked for too. One that is judged already
    (the answer was lost, and its judgement is sent again) leads to the first that waits.
    """
    summary = load_case(context.store, case_id, share=listing.share).summary
    rest = summary.state is CaseState.LISTED and not summary.above_line
    listing = replace(listing, rest=rest)
    tab = tab_of(CaseState.LISTED if summary.state is CaseState.JUDGED else summary.state)
    selection = listing.selection(tab, identity.actor.identifier)
    selection = selection_as_seen(context.store, selection, identity)
    numbers = list_numbers(context.store, selection, now=context.clock(), limit=_NEIGHBOURS_MAX)
    at = numbers.index(case_id) if case_id in numbers else -1
    others = [*numbers[at + 1 :], *(numbers[:at] if at > 0 else ())]
    following = first_unjudged(context.store, others, identity)
    return tab_address(tab) if following is None else listing.case_address(following)


def _judging(
    context: ServerContext, request: Request, identity: Identity, seen: SeenCase, listing: Listing
) -> JudgingView | None:
    case_id = seen.detail.summary.case_id
    with suppress(OutOfResourcesError):  # when it was opened is not worth the page, on a full disk
        note_opened(context.store, case_id, sender_of(request, context, identity, ""))
    return judging_view(
        seen.detail,
        known_reads(context.store, case_id, identity),
        listing,
        is_hidden=seen.is_hidden,
        may_judge=may_judge(identity),
    )


def _is_for_a_person(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/api/")


def _neighbours(store: Store, case: CaseSummary, listing: Listing, asking: Claimant) -> Neighbours:
    selection = listing.selection(tab_of(case.state), asking.identity.actor.identifier)
    selection = selection_as_seen(store, selection, asking.identity)
    numbers = list_numbers(store, selection, now=asking.now, limit=_NEIGHBOURS_MAX)
    if case.case_id not in numbers:
        return Neighbours()
    at = numbers.index(case.case_id)
    return Neighbours(
        previous=numbers[at - 1] if at > 0 else None,
        next=numbers[at + 1] if at + 1 < len(numbers) else None,
    )
