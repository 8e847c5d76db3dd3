"""The second read: own read, judgement, undoing, and what is known of them."""

from fastapi import APIRouter, Request, Response

from service.adjudication.known_reads import known_reads
from service.adjudication.reads import Recorded, Sender, commit_own_read, judge, undo
from service.api import second_read_types as types
from service.api.cases import CaseNumber
from service.security.identity import Identity
from service.store.audit_entries import LOCAL
from service.web.context import Context, Recognised, ServerContext

router = APIRouter(prefix="/api/v1/cases/{case_id}", tags=["second read"])
shares = APIRouter(prefix="/api/v1/second-reads", tags=["second read"])


def sender_of(
    request: Request, context: ServerContext, identity: Identity, submission: str, revision: int = 0
) -> Sender:
    """Return who sends something about a case."""
    return Sender(
        identity=identity,
        submission=submission,
        revision=revision,
        at=context.clock(),
        sent_from=request.client.host if request.client else LOCAL,
    )


@shares.get("/summary", summary="Shares over everything that has been judged")
def summary(context: Context) -> types.Summary:
    """Return how often flags were confirmed, why others were not, and the scores."""
    return types.Summary.model_validate(context.quality.quality(context.store, now=context.clock()).summary)


@router.get("/second-reads", summary="What second readers did with a case")
def second_reads(context: Context, case_id: CaseNumber, identity: Recognised) -> types.SecondReads:
    """Return what may be known: of another reader nothing, before one's own judgement."""
    return types.SecondReads.model_validate(known_reads(context.store, case_id, identity))


@router.post("/own-read", summary="Commit an own read, upon which detector and report are shown")
def own_read(
    context: Context,
    request: Request,
    response: Response,
    case_id: CaseNumber,
    body: types.OwnReadBody,
    identity: Recognised,
) -> types.Recorded:
    """Record what the second reader sees by itself; it cannot be changed afterwards."""
    sender = sender_of(request, context, identity, body.submission)
    return _answer(response, commit_own_read(context.store, case_id, body.own_read(), sender))


@router.post("/judgement", summary="Judge a case, or arbitrate it")
def judgement(
    context: Context,
    request: Request,
    response: Response,
    case_id: CaseNumber,
    body: types.JudgementBody,
    identity: Recognised,
) -> types.Recorded:
    """Record the judgement of who sends it; of a case that awaits arbitration it decides."""
    sender = sender_of(request, context, identity, body.submission, body.revision)
    return _answer(response, judge(context.store, case_id, body.judgement(), sender))


@router.post("/judgement/undo", summary="Take back one's own judgement")
def undo_judgement(
    context: Context,
    request: Request,
    response: Response,
    case_id: CaseNumber,
    body: types.UndoBody,
    identity: Recognised,
) -> types.Recorded:
    """Record that it does not stand any more; it stays in the history."""
    sender = sender_of(request, context, identity, body.submission)
    return _answer(response, undo(context.store, case_id, body.read_id, sender))


def _answer(response: Response, recorded: Recorded) -> types.Recorded:
    response.status_code = 201 if recorded.is_new else 200
    return types.Recorded.model_validate(recorded)
