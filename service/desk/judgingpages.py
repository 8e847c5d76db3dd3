"""What a second reader sends from the case page: own read, judgement, undoing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from overread.errors import InputError
from service.adjudication.reads import Sender, commit_own_read, judge, undo
from service.api.second_reads import sender_of
from service.desk.judgingform import Form, judgement_of, own_read_of
from service.desk.listing import Listing
from service.desk.listpages import listed_as
from service.desk.pages import next_to_judge
from service.security.identity import Identity
from service.web.context import Context, Recognised, ServerContext

router = APIRouter(include_in_schema=False)

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]
Listed = Annotated[Listing, Depends(listed_as)]


async def _form_of(request: Request) -> Form:
    form = await request.form(max_files=0, max_fields=1000)
    return {name: value for name, value in form.items() if isinstance(value, str)}


Sent = Annotated[Form, Depends(_form_of)]


@router.post("/cases/{case_id}/own-read")
async def own_read(
    context: Context, request: Request, identity: Recognised, case_id: CaseNumber, listing: Listed, form: Sent
) -> Response:
    """Commit an own read, and show the case with report and result."""
    sender = _sender(request, context, identity, form)
    await run_in_threadpool(commit_own_read, context.store, case_id, own_read_of(form), sender)
    return _leads_to(request, listing.case_address(case_id))


@router.post("/cases/{case_id}/judgement")
async def judgement(
    context: Context, request: Request, identity: Recognised, case_id: CaseNumber, listing: Listed, form: Sent
) -> Response:
    """Record a judgement, and open the next case."""
    sender = _sender(request, context, identity, form)

    def record() -> str:
        following = next_to_judge(context, identity, case_id, listing)
        judge(context.store, case_id, judgement_of(form), sender)
        return following

    return _leads_to(request, await run_in_threadpool(record))


@router.post("/cases/{case_id}/judgement/undo")
async def undo_judgement(
    context: Context, request: Request, identity: Recognised, case_id: CaseNumber, listing: Listed, form: Sent
) -> Response:
    """Take a judgement back, and show the case again."""
    sender = _sender(request, context, identity, form)
    await run_in_threadpool(undo, context.store, case_id, _whole(form, "read_id"), sender)
    return _leads_to(request, listing.case_address(case_id))


def _leads_to(request: Request, address: str) -> Response:
    """Tell the script of the page where to go on; without it the browser is sent there."""
    if request.headers.get("accept", "").startswith("application/json"):
        return JSONResponse({"next": address})
    return RedirectResponse(address, status_code=303)


def _sender(request: Request, context: ServerContext, identity: Identity, form: Form) -> Sender:
    revision = _whole(form, "revision") if "revision" in form else 0
    return sender_of(request, context, identity, form.get("submission", ""), revision)


def _whole(form: Form, name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(f"{name} is not a number")
    return int(text)
