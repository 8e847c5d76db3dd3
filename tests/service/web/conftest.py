"""The two applications on a store of the test's own."""

from collections.abc import Iterator

import httpx
import pytest

from service.application import make_app
from service.dicomweb.stow import make_stow_app
from service.store.database import Store
from service.web.access_log import AccessMiddleware
from service.web.guard import GuardMiddleware, access_for
from tests.service.web.listening import listening, opener


@pytest.fixture
def api(sqlite_store: Store) -> Iterator[httpx.Client]:
    """A client of API and pages, with the guards of an installation on loopback."""
    access = access_for("127.0.0.1", None)
    app = make_app(opener(sqlite_store, access=access), list)
    app.add_middleware(GuardMiddleware, access=access)
    app.add_middleware(AccessMiddleware)
    with listening(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def stow_url(sqlite_store: Store) -> Iterator[str]:
    """URL of the DICOMweb intake."""
    access = access_for("127.0.0.1", None)
    app = make_stow_app(opener(sqlite_store, access=access), access)
    with listening(app) as url:
        yield url
