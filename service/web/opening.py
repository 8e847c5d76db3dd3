"""Context with which the applications of one installation are opened."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from overread.observation import ObserverIdentity
from service.adjudication.settings import SecondReadSettings
from service.dicom.settings import DicomSettings
from service.hl7.settings import Hl7Settings
from service.security.provider import Provider
from service.security.settings import SecuritySettings
from service.settings import load_settings
from service.store.database import open_store
from service.store.people import has_people
from service.store.release_watch import ends_when_outdated
from service.triage.looks import Looks
from service.web.bare import OpenContext
from service.web.context import ServerContext
from service.web.guard import Access, access_for
from service.web.settings import WebSettings


def access_from(environ: Mapping[str, str]) -> Access:
    """Return who may speak to this installation.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    web, security = WebSettings.read(environ), SecuritySettings.read(environ)
    return access_for(web.host, web.api_token, web.probe_port, security)


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
            access.entrance.require_a_way_in(has_accounts=has_people(store))
            with ends_when_outdated(store.require_release):
                yield ServerContext(
                    store=store,
                    model=model,
                    looks=looks,
                    clock=lambda: datetime.now(UTC),
                    access=access,
                    provider=Provider(access.security) if access.security.oidc_issuer else None,
                    second_read=SecondReadSettings.read(environ),
                    hl7=Hl7Settings.read(environ),
                    certificates=_certificates_of(environ),
                )
        finally:
            store.close()

    return open_context


def _certificates_of(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return the certificates that our listeners show, by listener; none for one that speaks no TLS."""
    listeners = {"dicom": DicomSettings.read(environ), "hl7": Hl7Settings.read(environ)}
    return {name: settings.tls.certificate for name, settings in listeners.items() if settings.tls}
