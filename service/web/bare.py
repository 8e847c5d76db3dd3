"""An application without routes: opens what the handlers share, and answers errors by the table."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from overread import __version__
from overread.errors import OverreadError
from service.audit_trail.recorder import AuditRecorder
from service.web.audit import AuditMiddleware
from service.web.context import ServerContext
from service.web.errors import (
    answer_http_exception,
    answer_overread_error,
    answer_unexpected,
    answer_validation_error,
)

OpenContext = Callable[[], AbstractContextManager[ServerContext]]


def bare_app(open_context: OpenContext, *, title: str, description: str) -> FastAPI:
    """Return the application; what it works with is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_context() as context, AuditRecorder(context.store) as recorder:
            app.state.context = context
            app.state.recorder = recorder
            yield

    app = FastAPI(
        title=title,
        version=__version__,
        description=description,
        lifespan=lifespan,
        docs_url=None,  # the documentation pages of the framework come from a foreign server
        redoc_url=None,
        openapi_url=None,
    )
    app.add_middleware(AuditMiddleware)
    app.add_exception_handler(OverreadError, answer_overread_error)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_validation_error)
    app.add_exception_handler(Exception, answer_unexpected)
    return app
