"""Identity of the file of an SQLite database, which somebody may remove or replace under a running process.

A process that has it open would go on writing to a file without a name: what it acknowledged would be gone
with its last connection. So device and inode are compared in every transaction, which costs one stat.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event

from overread.errors import OutOfResourcesError


def sqlite_file(url: URL) -> Path:
    """Return the file of an SQLite database."""
    name = url.database or ""
    return Path(name.removeprefix("file:") if url.query.get("uri") == "true" else name)


def watch_sqlite_file(engine: Engine) -> None:
    """Let connections and transactions of an engine raise OutOfResourcesError once its file is another.

    The file is that of the first connection, which makes one where there is none.
    """
    opened = _OpenedFile(sqlite_file(engine.url))
    event.listen(engine, "do_connect", opened.check)
    event.listen(engine, "connect", opened.note)
    event.listen(engine, "begin", opened.check)


class _OpenedFile:
    """File that the first connection of an engine opened; None until then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None

    def note(self, *_: Any) -> None:
        """Note which file was opened first, and check that a later connection has the same."""
        if self._identity is None:
            self._identity = self._found()
        self.check()

    def check(self, *_: Any) -> None:
        """Return if the file is still that of the first connection.

        Raises:
            OutOfResourcesError: it was removed or replaced.
        """
        if self._identity is None or (found := self._found()) == self._identity:
            return
        what = "was removed" if found is None else "was replaced by another"
        raise OutOfResourcesError(
            f"the database {self._path} {what} while it was in use: nothing more is written to it. Stop "
            "every process of overread, put the file back or run `overread db restore`, and start again"
        )

    def _found(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116  # half the time of Path.stat, in every transaction
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino
