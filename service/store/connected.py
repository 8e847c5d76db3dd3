"""Processes that are connected to a database: each says on PostgreSQL for which tables it was made.

The name of a connection (`application_name`) tells it, so that a process that ends, however it ends, leaves
nothing behind. SQLite knows nothing of who has opened it.
"""

import re
from collections import Counter

from sqlalchemy import URL, Connection, text

from overread import __version__

_TABLES = re.compile(r", tables (\d{4})$")
_CONNECTED = text(
    "SELECT application_name, coalesce(host(client_addr), '') AS address FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_LENGTH_MAX = 63  # PostgreSQL cuts what is longer (its manual, 20.8, application_name)


def named(url: URL, revision: str) -> URL:
    """Return the address of a database with a name for its connections that tells the revision."""
    own = str(url.query.get("application_name", f"overread {__version__}"))
    tables = f", tables {revision}"
    return url.update_query_dict({"application_name": own[: _LENGTH_MAX - len(tables)] + tables})


def earlier_processes(connection: Connection, revision: str) -> tuple[str, ...]:
    """Return in words who is connected that was made for tables before this revision; nobody on SQLite."""
    if connection.dialect.name != "postgresql":
        return ()
    found: Counter[str] = Counter()
    for name, address in connection.execute(_CONNECTED).all():
        told = _TABLES.search(name or "")
        if told and told[1] < revision:
            found[f"{name} on {address or 'the machine of the database'}"] += 1
    return tuple(f"{who} ({number} connections)" for who, number in sorted(found.items()))
