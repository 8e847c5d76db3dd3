"""What the applications of one installation are opened with, as the environment says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from overread.observation import ObserverIdentity
from service.hl7.settings import Hl7Settings
from service.settings import load_settings
from service.store.database import open_store
from service.web.access_log import RequestMetrics
from service.web.bare import OpenContext
from service.web.context import ServerContext
from service.web.guard import Access


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
                hl7=Hl7Settings.read(environ),
            )
        finally:
            store.close()

    return open_context
