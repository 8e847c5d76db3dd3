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
OpenPictures = Callable[[], AbstractContextManager[object]]  # of another room, which stands on this one


def bare_app(
    open_context: OpenContext, *, title: str, description: str, open_pictures: OpenPictures
) -> FastAPI:
    """Return the application; what it works with is opened when it starts and closed when it stops.

    Args:
        open_context: opens what the handlers work with.
        title: of the OpenAPI document.
        description: the same.
        open_pictures: opens where pixels are decoded, which the handlers find as `app.state.pictures`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with (
            open_context() as context,
            open_pictures() as pictures,
            AuditRecorder(context.store) as recorder,
        ):
            app.state.context, app.state.pictures = context, pictures
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
