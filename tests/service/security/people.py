"""People of the tests: accounts in a store, and browsers in which they have signed in."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import httpx

from overread.actor import Actor
from service.application import make_app
from service.desk.pages import answer_refusal
from service.security.passwords import hash_password
from service.security.provider import Provider
from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.people import Act, NewPerson, PersonRecord, add_person
from service.web.access_log import AccessMiddleware
from service.web.context import ServerContext
from service.web.guard import Access, GuardMiddleware, access_for
from service.web.settings import WebSettings
from tests.service.material import NOW
from tests.service.web.listening import MODEL, listening

PASSWORD = "correct horse battery staple"
HASH = hash_password(PASSWORD)  # once: it is slow on purpose
BY = Act(actor=Actor.account("root"), at=NOW, what="overread users")
PAGE = {"Accept": "text/html"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the time that it was set to."""
        return self.now


def add(
    store: Store, name: str = "ada", *roles: Role, sites: frozenset[str] | None = None, **given: str
) -> PersonRecord:
    """Add an account with the password of the tests; a second reader where no role is named."""
    new = NewPerson(
        name=name,
        display_name=given.get("display_name", name.title()),
        roles=roles or (Role.SECOND_READER,),
        password_hash=HASH,
        sites=sites,
    )
    return add_person(store, new, by=BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """API and pages on a socket, and their clock."""

    url: str
    clock: Clock

    def browser(self, **headers: str) -> httpx.Client:
        """A browser that has not signed in."""
        return httpx.Client(base_url=self.url, headers={**PAGE, **headers}, timeout=60)

    @contextlib.contextmanager
    def signed_in(self, name: str = "ada") -> Iterator[httpx.Client]:
        """A browser in which somebody has signed in."""
        with self.browser() as browser:
            answer = sign_in(browser, name)
            assert answer.status_code == 303, answer.text
            yield browser


def sign_in(browser: httpx.Client, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"name": name, "password": password, **more})


def token_on(page: httpx.Response) -> str:
    """What the forms of a page carry."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


@contextlib.contextmanager
def desk_on(
    store: Store,
    access: Access | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    web: WebSettings | None = None,
) -> Iterator[Desk]:
    """API and pages with all that stands before them, on a free port."""
    access = access or access_for("127.0.0.1", None, security=SecuritySettings())
    time = clock or Clock()

    @contextlib.contextmanager
    def open_context() -> Iterator[ServerContext]:
        provider = Provider(access.security) if access.security.oidc_issuer else None
        yield ServerContext(store=store, model=lambda: MODEL, clock=time, access=access, provider=provider)

    app = make_app(open_context, list, web)
    app.add_middleware(GuardMiddleware, access=access, refuse=answer_refusal)
    app.add_middleware(AccessMiddleware)
    with listening(app) as url:
        yield Desk(url=url, clock=time)  # type: ignore[arg-type]
