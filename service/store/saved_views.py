"""Views of the list that people keep under a name of their own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select

from overread.actor import Actor
from overread.errors import InputError, OverLimitError
from service.store.claim_tables import saved_views
from service.store.database import Store

NAME_MAX = 60
QUERY_MAX = 1000
VIEWS_MAX = 30  # of one person

_OF_OWNER = select(saved_views).where(saved_views.c.owner == bindparam("whose")).order_by(saved_views.c.name)
_COUNT = select(func.count()).where(saved_views.c.owner == bindparam("whose"))
_ADD = insert(saved_views)
_DROP_NAMED = delete(saved_views).where(
    saved_views.c.owner == bindparam("whose"), saved_views.c.name == bindparam("named")
)
_DROP = delete(saved_views).where(
    saved_views.c.owner == bindparam("whose"), saved_views.c.view_id == bindparam("dropped")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A way of looking at the list that a person keeps."""

    view_id: int
    name: str
    query: str  # of the address of the list


def list_views(store: Store, owner: Actor) -> tuple[SavedView, ...]:
    """Return what a person keeps, by name."""
    with store.reading() as connection:
        rows = connection.execute(_OF_OWNER, {"whose": owner.identifier})
        return tuple(SavedView(view_id=row.view_id, name=row.name, query=row.query) for row in rows)


def save_view(store: Store, owner: Actor, name: str, query: str, *, now: datetime) -> None:
    """Keep a view under a name; another one that the person keeps under it goes.

    Raises:
        InputError: the name is empty or too long, or the view asks for too much.
        OverLimitError: the person keeps too many.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise InputError(f"a view has a name of 1 to {NAME_MAX} visible characters")
    if len(query) > QUERY_MAX:
        raise InputError("the view asks for too many things at once; leave some out")
    whose = {"whose": owner.identifier}
    with store.writing() as connection:
        connection.execute(_DROP_NAMED, {**whose, "named": name})
        if connection.execute(_COUNT, whose).scalar_one() >= VIEWS_MAX:
            raise OverLimitError(f"you keep {VIEWS_MAX} views already; remove one first")
        values = {"owner": owner.identifier, "name": name, "query": query, "saved_at": now}
        connection.execute(_ADD, values)


def drop_view(store: Store, owner: Actor, view_id: int) -> None:
    """Keep a view no longer; nothing where it is not the person's."""
    with store.writing() as connection:
        connection.execute(_DROP, {"whose": owner.identifier, "dropped": view_id})
