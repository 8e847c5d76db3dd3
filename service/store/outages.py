"""Causes of a database that cannot be used just now: a sentence with place, cause and remedy for each."""

import sqlite3

from sqlalchemy import URL
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError

from overread.errors import OutOfResourcesError

_LATER = "try again later"
_RESTORE = "stop every process of overread, see `overread db check`, and bring back a backup"
# Primary result codes of SQLite (sqlite.org/rescode.html), by the start of their name.
_OF_SQLITE = {
    "SQLITE_READONLY": "is read-only: check the file system, and that this user may write file and folder",
    "SQLITE_CANTOPEN": "cannot be opened: check that its folder is there, and that this user may write to it",
    "SQLITE_FULL": "cannot grow, since the disk is full: make room",
    "SQLITE_BUSY": f"is busy: another process has kept it locked for too long; {_LATER}",
    "SQLITE_LOCKED": f"is busy: another connection has kept it locked for too long; {_LATER}",
    "SQLITE_CORRUPT": f"is damaged: {_RESTORE}",
    "SQLITE_NOTADB": f"is damaged, or is no database: {_RESTORE}",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error; see the system's log",
}
_READ_ONLY = "25006"  # read_only_sql_transaction
_DAMAGED = ("XX001", "XX002")  # data_corrupted, index_corrupted
_INTERNAL = {_READ_ONLY, *_DAMAGED, "SQLITE_CORRUPT", "SQLITE_NOTADB"}
"""What the drivers do not call an operational error, though it makes the database unusable."""
# Conditions of PostgreSQL (its manual, appendix A), by SQLSTATE.
_OF_POSTGRESQL = {
    "53100": "cannot grow, since the disk of its server is full: make room there",
    "53300": f"takes no more connections: raise its max_connections, or run fewer processes; {_LATER}",
    _READ_ONLY: f"takes no writes, since it is a standby or set to be read-only; {_LATER}",
    "40001": f"is busy: another transaction was in the way; {_LATER}",
    "40P01": f"is busy: another transaction was in the way; {_LATER}",
    "55P03": f"is busy: another transaction has kept a lock for too long; {_LATER}",
    **dict.fromkeys(_DAMAGED, f"is damaged: {_RESTORE}"),
    "57014": f"is busy: it gave up a statement that took too long; {_LATER}",
}


def raise_outage(context: ExceptionContext) -> None:
    """Raise a failure that makes the database unavailable in words; a listener of `handle_error`.

    Raises:
        OutOfResourcesError: the database cannot be reached, is busy, full, read-only or damaged.
    """
    is_outage = _is_internal(context.original_exception) or isinstance(
        context.sqlalchemy_exception, OperationalError | InterfaceError
    )
    if is_outage and not context.is_pre_ping and context.engine is not None:
        words = describe_outage(context.original_exception, context.engine.url)
        raise OutOfResourcesError(words) from context.original_exception


def _is_internal(error: BaseException) -> bool:
    """Return whether the driver calls an outage something else; SQLite's extended codes begin as these do."""
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""
    return any(code.startswith(start) for start in _INTERNAL)


def describe_outage(error: BaseException, url: URL) -> str:
    """Return where the database is, why it cannot be used and what to do; never a password or a parameter.

    Args:
        error: of the driver, sqlite3 or psycopg.
        url: of the database.
    """
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        known = (words for start, words in _OF_SQLITE.items() if name.startswith(start))
        return f"the database {url.database} {next(known, f'cannot be used ({name}); {_LATER}')}"
    place = f"the database {url.database} on {url.host or 'this machine'}{f':{url.port}' if url.port else ''}"
    code = getattr(error, "sqlstate", None)
    if code is None:  # there is no connection: the driver says why
        reason = str(error).partition("\n")[0].strip() or type(error).__name__
        return (
            f"{place} cannot be reached ({reason}): check that it runs, and OVERREAD_DATABASE_URL; {_LATER}"
        )
    return f"{place} {_OF_POSTGRESQL.get(code, f'cannot be used (SQLSTATE {code}); {_LATER}')}"
