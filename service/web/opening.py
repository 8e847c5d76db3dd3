"""What the applications of one installation are opened with, as the environment says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from overread.observation import ObserverIdentity
from service.listener_settings import load_hl7_settings
from service.settings import load_settings
from service.store.database import open_store
from service.web.access_log import RequestMetrics
from service.web.bare import OpenContext
from service.web.context import ServerContext
from service.web.guard import Access, access_for

TOKEN_VARIABLE = "OVERREAD_API_TOKEN"  # noqa: S105  # the name of the variable
HOST_VARIABLE = "OVERREAD_HOST"
STOW_ADDRESS_VARIABLE = "OVERREAD_STOW_ADDRESS"


def access_from(environ: Mapping[str, str]) -> Access:
    """Return who may speak to this installation.

    Raises:
        ConfigurationError: other machines could reach it without a token.
    """
    return access_for(environ.get(HOST_VARIABLE) or "127.0.0.1", environ.get(TOKEN_VARIABLE) or None)


def context_opener(
    environ: Mapping[str, str],
    *,
    access: Access,
    metrics: RequestMetrics,
    model: Callable[[], ObserverIdentity] | None,
) -> OpenContext:
    """Return what opens the store of the environment when an application starts."""

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        store = open_store(load_settings(environ))
        try:
            yield ServerContext(
                store=store,
                model=model,
                clock=lambda: datetime.now(UTC),
                access=access,
                metrics=metrics,
                hl7=load_hl7_settings(environ),
            )
        finally:
            store.close()

    return open_context
