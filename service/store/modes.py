"""Modes of the data folder and of the database file: nobody but the user of the service may read them.

The rule is PostgreSQL's for its data directory: folder 0700, or 0750 where the group may read; files 0600 or
0640. What the service makes has these modes by its umask; what a person or an earlier release made is
corrected.
"""

import os
import stat
from pathlib import Path

from overread.errors import ConfigurationError

_FOLDER_MODE = 0o700
_FOLDER_EXCESS = 0o027  # the group may read; nobody else may do anything
_FILE_MODE = 0o600
_FILE_EXCESS = 0o137
_OF_SQLITE = ("", "-wal", "-shm", "-journal")


def correct_folder(folder: Path) -> None:
    """Leave a data folder readable by its owner, and at most by its group.

    Raises:
        ConfigurationError: it is open to others and another user's, or all users share it, as they do /tmp.
    """
    mode = folder.stat().st_mode
    if mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"the data folder {folder} is one that all users share: name a folder of its own with "
            "--data-folder or OVERREAD_FOLDER"
        )
    if mode & _FOLDER_EXCESS:
        _change(folder, _FOLDER_MODE)


def correct_database_file(path: Path) -> None:
    """Leave the file of an SQLite database, if there is one, and its logs readable by their owner.

    Raises:
        ConfigurationError: it is open to others and another user's.
    """
    for end in _OF_SQLITE:
        file = path.with_name(path.name + end)
        try:
            if stat.S_ISREG(status := file.stat().st_mode) and status & _FILE_EXCESS:
                _change(file, _FILE_MODE)
        except FileNotFoundError:
            continue


def _change(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except PermissionError:
        raise ConfigurationError(
            f"{path} is open to other users ({stat.S_IMODE(path.stat().st_mode):04o}) and belongs to another "
            f"user than that of this process ({os.geteuid()}): give it to this user, or set its mode to "
            f"{mode:04o}"
        ) from None
