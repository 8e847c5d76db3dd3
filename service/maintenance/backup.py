"""Backup of a running installation, and restore into an empty one.

    <folder>/backup.json              what it is; written last, so that a backup without it is not whole
    <folder>/database.sqlite3         or database.dump, as pg_dump makes it
    <folder>/objects/ab/<sha256>      hard links where the folder is on the same file system, else copies
    <folder>/quarantine/ab/<sha256>

The database comes first, as it stood at one moment; then exactly the bytes that it names. An object is on its
shelf before its row is committed and never changes, so a backup under load is as whole as one at rest.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from overread import __version__
from overread.errors import ConfigurationError, InvalidFileError, NotFoundError
from service.settings import Settings
from service.store.database import Store
from service.store.database_copy import (
    copied_database,
    copied_revision,
    has_database,
    kind_of_database,
    restore_database,
)
from service.store.files import ObjectFiles
from service.store.object_rows import Place, kept_hashes
from service.store.object_store import (
    PREFIXES,
    FolderObjectStore,
    ObjectStore,
    disk_errors,
    sync_file,
    sync_folder,
)
from service.store.people import Act
from service.store.restored_entrances import (
    ClosedEntrances,
    begin_restore,
    end_restore,
    interrupted_restore,
)

_MANIFEST = "backup.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Contents of a backup."""

    format: int
    made_at: str  # ISO 8601
    release: str  # of overread
    database: str  # sqlite or postgresql
    revision: str  # of the tables
    objects: int
    objects_url: str | None  # where the objects stay; None: they are in the backup
    missing: tuple[str, ...]  # hashes whose bytes were not there, such as "objects/ab..."


def back_up(store: Store, folder: Path, *, now: datetime) -> Manifest:
    """Back up an installation, which may go on working, into a new folder.

    Objects in a bucket stay there: the backup has the database alone, and names the bucket.

    Raises:
        ConfigurationError: the folder exists and is not empty, or PostgreSQL's pg_dump is missing or fails.
        OutOfResourcesError: the store is not available, or the disk is full.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder for each backup")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    copied, missing = 0, []
    with disk_errors(), copied_database(store, folder) as transaction:
        revision = copied_revision(transaction)
        for place, name, shelf in _shelves(store.files):
            for sha256 in kept_hashes(transaction, place):
                if _put(shelf, sha256, folder / name):
                    copied += 1
                else:
                    missing.append(f"{name}/{sha256}")
    os.sync()  # links, copies and dump before the word that they are there
    manifest = Manifest(
        format=_FORMAT,
        made_at=now.isoformat(),
        release=__version__,
        database=kind_of_database(store.settings),
        revision=revision,
        objects=copied,
        objects_url=store.settings.objects_url,
        missing=tuple(missing),
    )
    _write_durably(folder / _MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def restore(folder: Path, settings: Settings, *, by: Act) -> tuple[Manifest, ClosedEntrances]:
    """Bring a backup into an installation that has no database yet, and return it with what was closed then.

    The database comes last, so that a restore that was interrupted can be run again. Every session ends and
    every token is suspended, since some may have been ended or revoked after the backup.

    Raises:
        InvalidFileError: the folder is no backup, or one that was interrupted.
        ConfigurationError: there is a database already, or one of the other kind is wanted.
        OutOfResourcesError: the database cannot be reached, or the disk is full.
    """
    manifest = read_manifest(folder)
    with disk_errors():
        _check_target(settings, manifest)
        if manifest.objects_url is None:
            files = ObjectFiles.in_folder(settings)
            for _, name, shelf in _shelves(files):
                _put_back(folder / name, shelf, files)
        begin_restore(settings, manifest.made_at)
        if not has_database(settings):
            restore_database(folder, settings)
        closed = end_restore(settings, by=by)
    return manifest, closed


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup is.

    Raises:
        InvalidFileError: it is none, one that was interrupted, or one of a later form.
    """
    try:
        values = json.loads((folder / _MANIFEST).read_text())
        if values["format"] != _FORMAT:
            raise InvalidFileError(f"{folder} was made by a newer release: {values.get('release')}")
        return Manifest(**{**values, "missing": tuple(values["missing"])})
    except FileNotFoundError:
        raise InvalidFileError(
            f"{folder} is no backup, or one that was interrupted: no {_MANIFEST}"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidFileError(f"{folder / _MANIFEST} is malformed") from None


def _shelves(files: ObjectFiles) -> tuple[tuple[Place, str, ObjectStore], ...]:
    """Return each place, its folder in a backup, and its shelf."""
    return (
        (Place.OBJECTS, "objects", files.objects),
        (Place.QUARANTINE, "quarantine", files.quarantine),
    )


def _put(shelf: ObjectStore, sha256: str, folder: Path) -> bool:
    """Put the bytes of an object into the backup, and return whether they are there."""
    if not isinstance(shelf, FolderObjectStore):
        return shelf.size_of(sha256) is not None
    target = folder / sha256[:2] / sha256
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _link(shelf.fetch(sha256), target)
    except (NotFoundError, FileNotFoundError):
        return False
    return True


def _put_back(folder: Path, shelf: ObjectStore, files: ObjectFiles) -> None:
    paths = (path for prefix in PREFIXES for path in sorted(folder.glob(f"{prefix}/*")))
    for path in paths:
        if shelf.size_of(path.name) == path.stat().st_size:
            continue
        with files.begin() as incoming:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    incoming.write(chunk)
            if incoming.sha256 != path.name:
                raise InvalidFileError(f"{path} is damaged: its bytes have another hash")
            incoming.place(shelf)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _check_target(settings: Settings, manifest: Manifest) -> None:
    kind = kind_of_database(settings)
    if kind != manifest.database:
        raise ConfigurationError(
            f"the backup is of {manifest.database}, and OVERREAD_DATABASE_URL names {kind}"
        )
    if manifest.objects_url != settings.objects_url:
        raise ConfigurationError(
            f"the objects of the backup are in {manifest.objects_url or 'the backup itself'}: "
            "set OVERREAD_OBJECTS_URL to the same"
        )
    if has_database(settings) and interrupted_restore(settings) is None:
        raise ConfigurationError("there is a database already; restore into an installation that has none")


def _write_durably(path: Path, content: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(content)
    sync_file(part)
    part.replace(path)
    sync_folder(path.parent)
