"""Context with which the applications of one installation are opened."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from overread.observation import ObserverIdentity
from service.hl7.settings import Hl7Settings
from service.settings import load_settings
from service.store.database import open_store
from service.store.release_watch import ends_when_outdated
from service.triage.looks import Looks
from service.web.bare import OpenContext
from service.web.context import ServerContext
from service.web.guard import Access, access_for
from service.web.settings import WebSettings


def access_from(environ: Mapping[str, str]) -> Access:
    """Return who may speak to this installation.

    Raises:
        ConfigurationError: other machines could reach it without a token, or a setting is wrong.
    """
    web = WebSettings.read(environ)
    return access_for(web.host, web.api_token, web.probe_port)


def context_opener(
    environ: Mapping[str, str],
    *,
    access: Access,
    model: Callable[[], ObserverIdentity] | None,
    looks: Callable[[], Looks] | None = None,
) -> OpenContext:
    """Return what opens the store of the environment when an application starts."""

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        store = open_store(load_settings(environ))
        try:
            with ends_when_outdated(store.require_release):
                yield ServerContext(
                    store=store,
                    model=model,
                    looks=looks,
                    clock=lambda: datetime.now(UTC),
                    access=access,
                    hl7=Hl7Settings.read(environ),
                )
        finally:
            store.close()

    return open_context
