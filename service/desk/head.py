"""The head of every page: who looks at it, where they may go, and what they have to be told."""

from dataclasses import dataclass

from fastapi import Request
from markupsafe import Markup

from service.security.identity import VISIT_KEY, Identity, Means, Visit
from service.security.routes import ROUTES
from service.web.csrf import FIELD

PAGES = (
    ("worklist", "Worklist", "/"),
    ("queue", "Queue", "/queue"),
    ("own reports", "Your reports", "/own-reports"),
    ("second reads", "Second reads", "/second-reads"),
    ("quarantine", "Quarantine", "/quarantine"),
    ("results", "Results", "/results"),
    ("people", "People", "/people"),
)
"""Pages of the navigation: name, words and address, which is the template of its route too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationLink:
    """One page that whoever looks may open."""

    name: str
    words: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Head of a page."""

    identity: Identity | None  # None: nobody has signed in
    csrf_token: str

    @property
    def is_local(self) -> bool:
        """Whether the user of the machine looks, without an account."""
        return self.identity is not None and self.identity.means is Means.LOCAL

    @property
    def has_session(self) -> bool:
        """Whether there is something to sign out of."""
        return self.identity is not None and self.identity.means is Means.SESSION

    @property
    def person_words(self) -> str:
        """Return who looks, with the roles; empty where nobody has signed in."""
        if self.identity is None or self.is_local:
            return ""
        roles = self.identity.role_words
        return f"{self.identity.actor.display_name} ({roles})" if roles else self.identity.actor.display_name

    @property
    def person_identifier(self) -> str:
        """Return what tells the person from others, for the script of the page."""
        return "" if self.identity is None else self.identity.actor.identifier

    @property
    def csrf_field(self) -> Markup:
        """Return what every form that changes something holds."""
        if not self.csrf_token:
            return Markup()
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, self.csrf_token)

    @property
    def asks_for_name(self) -> bool:
        """Whether forms ask who acts, since nothing confirms it."""
        return self.identity is None or not self.identity.is_confirmed

    @property
    def navigation(self) -> tuple[NavigationLink, ...]:
        """Return the pages that may be opened."""
        return tuple(
            NavigationLink(name=name, words=words, address=address)
            for name, words, address in PAGES
            if self.may("GET", address)
        )

    def may(self, method: str, template: str) -> bool:
        """Whether whoever looks may call a route."""
        if self.identity is None:
            return False
        return ROUTES[method, template].is_met(self.identity.roles, self.identity.scopes)


def head_of(request: Request) -> Head:
    """Return the head for whoever sent a request."""
    visit: Visit | None = request.scope.get(VISIT_KEY)
    if visit is None:
        return Head(identity=None, csrf_token="")
    return Head(identity=visit.identity, csrf_token=visit.csrf_token)
