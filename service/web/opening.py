"""What the applications of one installation are opened with, as the environment says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from overread.errors import ConfigurationError
from overread.observation import ObserverIdentity
from service.listener_settings import load_hl7_settings
from service.settings import load_settings
from service.store.database import open_store
from service.triage.worker import TriageTools
from service.web.bare import OpenContext
from service.web.context import ServerContext
from service.web.guard import Access, access_for

TOKEN_VARIABLE = "OVERREAD_API_TOKEN"  # noqa: S105  # the name of the variable
HOST_VARIABLE = "OVERREAD_HOST"
PROBE_PORT_VARIABLE = "OVERREAD_PROBE_PORT"
STOW_ADDRESS_VARIABLE = "OVERREAD_STOW_ADDRESS"
_PORT_MAX = 65535


def access_from(environ: Mapping[str, str]) -> Access:
    """Return who may speak to this installation.

    Raises:
        ConfigurationError: other machines could reach it without a token, or the probe port is no port.
    """
    host, token = environ.get(HOST_VARIABLE) or "127.0.0.1", environ.get(TOKEN_VARIABLE) or None
    return access_for(host, token, probe_port_from(environ))


def probe_port_from(environ: Mapping[str, str]) -> int | None:
    """Return the port on which probes and metrics are answered without the token; None: no such port.

    Raises:
        ConfigurationError: it is no port.
    """
    text = environ.get(PROBE_PORT_VARIABLE, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) > _PORT_MAX:
        raise ConfigurationError(f"{PROBE_PORT_VARIABLE} must be a port, 0 to {_PORT_MAX}; 0 is any free one")
    return int(text)


def context_opener(
    environ: Mapping[str, str],
    *,
    access: Access,
    model: Callable[[], ObserverIdentity] | None,
    tools: Callable[[], TriageTools] | None = None,
) -> OpenContext:
    """Return what opens the store of the environment when an application starts."""

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        store = open_store(load_settings(environ))
        try:
            yield ServerContext(
                store=store,
                model=model,
                tools=tools,
                clock=lambda: datetime.now(UTC),
                access=access,
                hl7=load_hl7_settings(environ),
            )
        finally:
            store.close()

    return open_context
