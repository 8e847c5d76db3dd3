"""The page of the list: its rows, search, views that people keep, assignment, and what keeps it live."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Header, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from overread.errors import InputError, OutOfResourcesError
from service.adjudication.blinding import page_as_seen, selection_as_seen
from service.adjudication.claiming import Assignment, Claimant, assign, reader_named, readers
from service.desk.accountpages import address_within
from service.desk.claimpages import Asking
from service.desk.feed import ListFeed
from service.desk.filterview import filter_view
from service.desk.listing import CASES_MAX, Listing, listing_of
from service.desk.listview import PAGE_LENGTH, ListView, Looking, list_view, tab_named
from service.desk.render import render_page
from service.desk.words import TABS
from service.security.identity import VISIT_KEY, Means, Visit
from service.security.roles import Role
from service.security.sessions import recognise_session
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_acts
from service.store.case_filter import CaseFilter
from service.store.case_search import cases_named, modalities_of, sites_of
from service.store.saved_views import QUERY_MAX, SavedView, drop_view, list_views, save_view
from service.store.worklist import count_cases, list_worklist
from service.web.closing_response import ClosingResponse
from service.web.context import Context, Recognised, ServerContext, act_of
from service.web.guard import cookie_of
from service.web.pressure import pressure_words

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_MAY_SEARCH_PATIENTS = frozenset({Role.COORDINATOR, Role.QUALITY})
_SEARCH_MAX = 200
_ROUTE_OF_SEARCH = "POST /worklist/search"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderChoice:
    """A reader to whom cases may be assigned."""

    name: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistPageView:
    """The page of the list, with what stands around its rows."""

    list: ListView
    views: tuple[SavedView, ...]
    readers: tuple[ReaderChoice, ...]  # empty where whoever looks may not assign
    search_words: str
    dense_address: str
    rows_query: str  # with which the rows alone are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedView:
    """What became of cases that were to be assigned."""

    title: str
    lead: str
    left: tuple[str, ...]  # why each of the others was not
    back: str


def listed_as(request: Request) -> Listing:
    """Return how the list is looked at."""
    visit: Visit | None = request.scope.get(VISIT_KEY)
    looking = None if visit is None else visit.identity
    own = () if looking is None else looking.subspecialties
    return listing_of(request.scope.get("query_string", b"").decode("latin-1"), own)


Listed = Annotated[Listing, Depends(listed_as)]
Tab = Annotated[str, Query(alias="show", max_length=40)]
Place = Annotated[str | None, Query(max_length=400)]


@router.get("/")
def worklist(
    context: Context,
    request: Request,
    asking: Asking,
    listing: Listed,
    show: Tab = "",
    after: Place = None,
) -> HTMLResponse:
    """Show one tab of the worklist; of what is to be read, one side of the line."""
    view = _list(context, asking, listing, show, after)
    page = WorklistPageView(
        list=view,
        views=list_views(context.store, asking.identity.actor),
        readers=_readers(context, asking),
        search_words="Accession or patient ID" if _may_search_patients(asking) else "Accession",
        dense_address=replace(listing, compact=not listing.compact).address(),
        rows_query=request.scope.get("query_string", b"").decode("latin-1"),
    )
    alarms = pressure_words(context.store, now=asking.now)
    return render_page(request, "worklist.html", page, here="worklist", alarms=alarms)


@router.get("/worklist/rows")
def rows(
    context: Context,
    request: Request,
    asking: Asking,
    listing: Listed,
    show: Tab = "",
    after: Place = None,
) -> HTMLResponse:
    """Return what an open page puts in place of its rows when the list has changed."""
    view = _list(context, asking, listing, show, after)
    can_assign = Role.COORDINATOR in asking.identity.roles
    return render_page(request, "rows.html", {"list": view, "readers": can_assign})


@router.get("/worklist/changes")
async def changes(
    context: Context,
    request: Request,
    identity: Recognised,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> Response:
    """Tell an open page what changes, until the stream or the session ends."""
    feed: ListFeed = request.app.state.feed
    cookie, lifetime = cookie_of(request) or "", context.access.entrance.lifetime

    def is_allowed() -> bool:
        if identity.means is not Means.SESSION:
            return True
        try:
            found = recognise_session(context.store, cookie, lifetime, now=context.clock(), is_use=False)
        except OutOfResourcesError:
            return False
        return found is not None and found.actor == identity.actor

    whole: ServerContext = request.app.state.context  # one reader of the history serves every stream
    stream = await feed.open(
        whole.store,
        context.clock,
        sites=identity.sites,
        last_seen=int(last_event_id) if last_event_id.isdecimal() else None,
        is_allowed=is_allowed,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return ClosingResponse(stream, media_type="text/event-stream", headers=headers)


@router.post("/worklist/search")
def search(
    context: Context,
    request: Request,
    asking: Asking,
    wanted: Annotated[str, Form(max_length=_SEARCH_MAX)],
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Find cases, and send on to an address that names them by their numbers alone."""
    wanted = wanted.strip()
    if not wanted:
        return RedirectResponse(address_within(back) or "/", status_code=303)
    by_patient = _may_search_patients(asking)
    found = cases_named(context.store, wanted, by_patient=by_patient, limit=CASES_MAX)
    by = act_of(request, context)
    entry = AuditEntry(
        at=by.at,
        actor=by.actor,
        sent_from=by.sent_from,
        action=AuditAction.SEARCHED,
        what=_ROUTE_OF_SEARCH,
        detail=f"{'accession or patient' if by_patient else 'accession'}: {len(found)} cases",
    )
    record_acts(context.store, [entry])
    listing = replace(_listing_behind(back, asking), only=CaseFilter(case_ids=found))
    return RedirectResponse(replace(listing, rest=False).address(), status_code=303)


def _listing_behind(back: str, asking: Claimant) -> Listing:
    """Return the list from which a form was sent."""
    return listing_of(address_within(back).partition("?")[2], asking.identity.subspecialties)


@router.post("/worklist/views")
def keep_view(
    context: Context,
    asking: Asking,
    name: Annotated[str, Form(max_length=200)],
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Keep how the list is looked at under a name."""
    listing = _listing_behind(back, asking)
    if len(listing.query()) > QUERY_MAX:
        raise InputError("the view asks for too many things at once; leave some out")
    save_view(context.store, asking.identity.actor, name, listing.query(), now=asking.now)
    return RedirectResponse(listing.address(), status_code=303)


@router.post("/worklist/views/{view_id}/drop")
def forget_view(
    context: Context,
    asking: Asking,
    view_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Keep a view no longer."""
    drop_view(context.store, asking.identity.actor, view_id)
    return RedirectResponse(address_within(back) or "/", status_code=303)


@router.post("/worklist/assign")
def assign_cases(
    context: Context,
    request: Request,
    asking: Asking,
    reader: Annotated[str, Form(max_length=200)],
    case_id: Annotated[list[Annotated[int, Form(ge=1, le=2**63 - 1)]] | None, Form()] = None,
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Assign the chosen cases, and say which were left and why."""
    if not case_id:
        raise InputError("choose the cases first, by their boxes or by the key x")
    made = assign(context.store, case_id, reader, asking)
    to = reader_named(context.store, reader).display_name
    view = _assigned(made, to, address_within(back) or "/")
    return render_page(request, "assigned.html", view, here="worklist")


def _list(
    context: ServerContext, asking: Claimant, listing: Listing, show: str, after: str | None
) -> ListView:
    tab, identifier = tab_named(show), asking.identity.actor.identifier
    selection = listing.selection(tab, identifier)
    selection = selection_as_seen(context.store, selection, asking.identity)
    page = list_worklist(context.store, selection, now=asking.now, after=after, limit=PAGE_LENGTH)
    page = page_as_seen(context.store, page, asking.identity)
    looking = Looking(listing=listing, identifier=identifier, now=asking.now, after=after)
    view = list_view(tab, page, count_cases(context.store), looking)
    if tab is not TABS[0]:
        return view
    return replace(view, filter=filter_view(listing, modalities_of(context.store), sites_of(context.store)))


def _assigned(made: tuple[Assignment, ...], to: str, back: str) -> AssignedView:
    done = sum(one.claim is not None for one in made)
    cases = "1 case" if done == 1 else f"{done} cases"
    left = tuple(f"{one.why_not}." for one in made if one.why_not is not None)
    lead = "Each of them has come to that reader's list." if not left else "The others were left as they are:"
    return AssignedView(title=f"{cases} assigned to {to}", lead=lead, left=left, back=back)


def _readers(context: ServerContext, asking: Claimant) -> tuple[ReaderChoice, ...]:
    if Role.COORDINATOR not in asking.identity.roles:
        return ()
    return tuple(ReaderChoice(name=one.name, display_name=one.display_name) for one in readers(context.store))


def _may_search_patients(asking: Claimant) -> bool:
    return not _MAY_SEARCH_PATIENTS.isdisjoint(asking.identity.roles)
