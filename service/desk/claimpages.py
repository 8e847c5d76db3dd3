"""What the forms of the pages do about claims: claim, put back, take over, assign."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import RedirectResponse, Response

from service.adjudication import claiming
from service.adjudication.claiming import Claimant
from service.desk.accountpages import address_within
from service.store.database import Store
from service.web.context import Context, Recognised

router = APIRouter(include_in_schema=False)

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]
BackTo = Annotated[str, Form(alias="back", max_length=2000)]


def claimant_of(context: Context, identity: Recognised) -> Claimant:
    """Return who asks, under the rules of the site."""
    return Claimant(identity=identity, rules=context.second_read, now=context.clock())


Asking = Annotated[Claimant, Depends(claimant_of)]


@router.post("/cases/{case_id}/claim")
def claim(context: Context, asking: Asking, case_id: CaseNumber, back: BackTo = "") -> Response:
    """Claim a case and show it."""
    return _done(claiming.claim, context.store, case_id, asking, back)


@router.post("/cases/{case_id}/take-over")
def take_over(context: Context, asking: Asking, case_id: CaseNumber, back: BackTo = "") -> Response:
    """Take a case from its reader and show it."""
    return _done(claiming.take_over, context.store, case_id, asking, back)


@router.post("/cases/{case_id}/release")
def release(context: Context, asking: Asking, case_id: CaseNumber, back: BackTo = "") -> Response:
    """Put a case back on the list and show it."""
    return _done(claiming.release, context.store, case_id, asking, back)


def _done(
    act: Callable[[Store, int, Claimant], object], store: Store, case_id: int, asking: Claimant, back: str
) -> Response:
    act(store, case_id, asking)
    return RedirectResponse(address_within(back) or f"/cases/{case_id}", status_code=303)
