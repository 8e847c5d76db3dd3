"""Failed attempts to sign in, counted by what they have in common, and from where who has signed in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, update

from service.store import locks
from service.store.account_tables import sign_in_failures
from service.store.database import Store

FORGOTTEN_AFTER = timedelta(days=1)
"""A count to which nothing was added for so long begins anew."""

KNOWN_FOR = timedelta(days=30)
"""A place from which somebody signed in is known for so long."""

_OPEN_AT = select(sign_in_failures.c.open_at).where(
    sign_in_failures.c.key_sha256.in_(bindparam("keys", expanding=True))
)
_FIND = select(sign_in_failures).where(sign_in_failures.c.key_sha256 == bindparam("key"))
_ADD = insert(sign_in_failures)
_CHANGE = update(sign_in_failures).where(sign_in_failures.c.key_sha256 == bindparam("changed"))
_TAKE_BACK = (
    update(sign_in_failures)
    .where(sign_in_failures.c.key_sha256 == bindparam("changed"), sign_in_failures.c.failures > 0)
    .values(failures=sign_in_failures.c.failures - 1, open_at=bindparam("now"))
)
_FORGET = delete(sign_in_failures).where(sign_in_failures.c.key_sha256.in_(bindparam("keys", expanding=True)))
_FORGET_OLD = delete(sign_in_failures).where(sign_in_failures.c.kept_until < bindparam("now"))


def is_known(store: Store, key: str, *, now: datetime) -> bool:
    """Whether somebody signed in from a place, both named by the key, a while ago."""
    with store.reading() as connection:
        row = connection.execute(_FIND, {"key": key}).one_or_none()
    return row is not None and row.kept_until > now


def count_attempt(
    store: Store, delays: Mapping[str, Callable[[int], float]], *, now: datetime
) -> datetime | None:
    """Count an attempt as failed under each key, unless it came too early: then return when it may come.

    It is counted before it is looked at, so that many at once are no way around the delay.

    Args:
        store: where.
        delays: for each key the seconds that follow so many failures.
        now: when it came.
    """
    with store.writing(locks.sign_in_failures()) as connection:
        connection.execute(_FORGET_OLD, {"now": now})
        opens = max(connection.execute(_OPEN_AT, {"keys": list(delays)}).scalars(), default=now)
        if opens > now:
            return opens
        for key, delay in delays.items():
            row = connection.execute(_FIND, {"key": key}).one_or_none()
            failures = 1 if row is None else row.failures + 1
            values = {
                "failures": failures,
                "kept_until": now + FORGOTTEN_AFTER,
                "open_at": now + timedelta(seconds=delay(failures)),
            }
            if row is None:
                connection.execute(_ADD, {"key_sha256": key, **values})
            else:
                connection.execute(_CHANGE, {"changed": key, **values})
    return None


def count_success(
    store: Store, *, forgotten: Sequence[str], taken_back: str | None, known: str, now: datetime
) -> None:
    """Note that an attempt succeeded after all.

    Args:
        store: where.
        forgotten: keys whose counts begin anew.
        taken_back: key that loses this attempt alone; None where it was not counted there.
        known: key of who signed in from where.
        now: when.
    """
    with store.writing(locks.sign_in_failures()) as connection:
        connection.execute(_FORGET, {"keys": [*forgotten, known]})
        if taken_back is not None:
            connection.execute(_TAKE_BACK, {"changed": taken_back, "now": now})
        row = {"key_sha256": known, "failures": 0, "kept_until": now + KNOWN_FOR, "open_at": now}
        connection.execute(_ADD, row)
