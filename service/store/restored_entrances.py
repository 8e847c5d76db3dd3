"""What lets somebody in, after a backup was restored: what was closed since then must not be open again.

A session that ended and a token that was revoked after the backup are alive in it, and nothing that is left
says so. So every session ends, and every token that would let a program in is suspended until somebody says
that it is still meant to. While that is not done the installation is not opened: a mark in the data folder
says so, which lies beside the database and outlives an interruption.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, delete, select, update

from overread.errors import ConfigurationError
from service.settings import Settings
from service.store.account_tables import access_tokens, sessions
from service.store.audit_trail import record_act
from service.store.database import RESTORE_MARK, open_database, translated
from service.store.object_store import sync_file, sync_folder
from service.store.people import Act

_LIVING = (
    access_tokens.c.revoked_at.is_(None),
    access_tokens.c.suspended_at.is_(None),
    access_tokens.c.expires_at > bindparam("now"),
)
_TOKENS = select(access_tokens.c.name).where(*_LIVING).order_by(access_tokens.c.name)
_SUSPEND = update(access_tokens).where(*_LIVING).values(suspended_at=bindparam("now"))
_END_ALL = delete(sessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedEntrances:
    """What a restore closed."""

    sessions: int  # that were ended
    tokens: tuple[str, ...]  # names of those that were suspended


def begin_restore(settings: Settings, backup: str) -> None:
    """Mark the installation as one into which a backup is being restored; the mark is durable.

    Args:
        settings: of the installation.
        backup: when the backup was made, by which it is known.

    Raises:
        ConfigurationError: another backup was being restored, and that was interrupted.
    """
    mark = _mark(settings)
    if (before := interrupted_restore(settings)) not in {None, backup}:
        raise ConfigurationError(
            f"the restore of the backup of {before} was interrupted: end it with that backup, or take away "
            f"{mark} and the database"
        )
    mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark.write_text(backup, encoding="utf-8")
    sync_file(mark)
    sync_folder(mark.parent)


def interrupted_restore(settings: Settings) -> str | None:
    """Return when the backup was made whose restore was interrupted; None where none was."""
    try:
        return _mark(settings).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def end_restore(settings: Settings, *, by: Act) -> ClosedEntrances:
    """Bring the tables to this release, close what lets somebody in, and let the installation be opened.

    Raises:
        ConfigurationError: the database is of a newer release.
        OutOfResourcesError: it cannot be reached.
    """
    engine = open_database(settings)
    try:
        with translated(), engine.execution_options(writes="FULL").begin() as connection:
            names = tuple(connection.execute(_TOKENS, {"now": by.at}).scalars())
            connection.execute(_SUSPEND, {"now": by.at})
            ended = connection.execute(_END_ALL).rowcount
            detail = f"restored; {ended} sessions ended, {len(names)} tokens suspended"
            record_act(connection, by.entry("every session and token", detail))
    finally:
        engine.dispose()
    mark = _mark(settings)
    mark.unlink(missing_ok=True)
    sync_folder(mark.parent)
    return ClosedEntrances(sessions=ended, tokens=names)


def _mark(settings: Settings) -> Path:
    return settings.data_folder / RESTORE_MARK
