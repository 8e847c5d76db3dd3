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
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Select, create_engine, select, text

from overread import __version__
from overread.errors import ConfigurationError, InvalidFileError, NotFoundError
from service.settings import Settings
from service.store.database import Store, open_engine, translated
from service.store.files import ObjectFiles
from service.store.migration import revision_of
from service.store.object_store import PREFIXES, FolderObjectStore, ObjectStore, disk_errors, sync_folder
from service.store.schema import instances, quarantine

_MANIFEST = "backup.json"
_SQLITE = "database.sqlite3"
_DUMP = "database.dump"
_FORMAT = 1
_BATCH = 1000
_NEEDED: Mapping[str, Select[str]] = {
    "objects": select(instances.c.sha256).where(instances.c.removed_at.is_(None)),
    "quarantine": select(quarantine.c.sha256).where(quarantine.c.removed_at.is_(None)).distinct(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is."""

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
    shelves = {"objects": store.files.objects, "quarantine": store.files.quarantine}
    copied, missing = 0, []
    with translated(), disk_errors(), _snapshot(store, folder) as connection:
        revision = revision_of(connection) or ""
        for name, query in _NEEDED.items():
            shelf = shelves[name]
            for sha256 in connection.execution_options(yield_per=_BATCH).execute(query).scalars():
                if _put(shelf, sha256, folder / name):
                    copied += 1
                else:
                    missing.append(f"{name}/{sha256}")
    os.sync()  # links, copies and dump before the word that they are there
    manifest = Manifest(
        format=_FORMAT,
        made_at=now.isoformat(),
        release=__version__,
        database=store.engine.dialect.name,
        revision=revision,
        objects=copied,
        objects_url=store.settings.objects_url,
        missing=tuple(missing),
    )
    _write_durably(folder / _MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def restore(folder: Path, settings: Settings) -> Manifest:
    """Bring a backup into an installation that has no database yet; open the store afterwards.

    The database comes last, so that a restore that was interrupted can be run again.

    Raises:
        InvalidFileError: the folder is no backup, or one that was interrupted.
        ConfigurationError: there is a database already, or one of the other kind is wanted.
        OutOfResourcesError: the database cannot be reached, or the disk is full.
    """
    manifest = read_manifest(folder)
    engine = open_engine(settings.database_url)
    try:
        with translated(), disk_errors():
            _check_target(engine, settings, manifest)
            if manifest.objects_url is None:
                files = ObjectFiles.in_folder(settings)
                for name, shelf in (("objects", files.objects), ("quarantine", files.quarantine)):
                    _put_back(folder / name, shelf, files)
            _restore_database(folder, engine)
    finally:
        engine.dispose()
    return manifest


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
    except (ValueError, KeyError, TypeError):
        raise InvalidFileError(f"{folder / _MANIFEST} is malformed") from None


@contextmanager
def _snapshot(store: Store, folder: Path) -> Iterator[Connection]:
    """Copy the database, and give a connection that sees the very state that was copied."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            name = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            _run_postgresql(
                store.engine, "pg_dump", "--format=custom", f"--snapshot={name}", f"--file={folder / _DUMP}"
            )
            yield connection
        return
    copy = folder / _SQLITE
    with (
        closing(sqlite3.connect(store.engine.url.database or "")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)  # in one step: one state, while others go on writing to the log
        target.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
    engine = create_engine(f"sqlite:///{copy}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


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


def _check_target(engine: Engine, settings: Settings, manifest: Manifest) -> None:
    if engine.dialect.name != manifest.database:
        raise ConfigurationError(
            f"the backup is of {manifest.database}, and OVERREAD_DATABASE_URL names {engine.dialect.name}"
        )
    if manifest.objects_url != settings.objects_url:
        raise ConfigurationError(
            f"the objects of the backup are in {manifest.objects_url or 'the backup itself'}: "
            "set OVERREAD_OBJECTS_URL to the same"
        )
    if engine.dialect.name == "sqlite":
        # A log that was left behind would be taken for that of the restored file.
        is_there = any(Path(f"{engine.url.database}{end}").exists() for end in ("", "-wal", "-shm"))
    else:
        with engine.connect() as connection:
            is_there = revision_of(connection) is not None
    if is_there:
        raise ConfigurationError("there is a database already; restore into an installation that has none")


def _restore_database(folder: Path, engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        _run_postgresql(engine, "pg_restore", "--no-owner", "--single-transaction", str(folder / _DUMP))
        return
    target = Path(engine.url.database or "")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(folder / _SQLITE, part)
    _sync(part)
    part.replace(target)
    sync_folder(target.parent)


def _run_postgresql(engine: Engine, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on the database; the password is not among its arguments."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is not installed; it comes with PostgreSQL's client programs")
    url = engine.url._replace(drivername="postgresql", password=None).render_as_string()
    environment = {**os.environ, "PGPASSWORD": engine.url.password or os.environ.get("PGPASSWORD", "")}
    done = subprocess.run(  # noqa: S603  # no shell, and the program by its path
        [found, f"--dbname={url}", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ConfigurationError(f"{program} failed: {done.stderr.strip()[-500:]}")


def _write_durably(path: Path, content: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(content)
    _sync(part)
    part.replace(path)
    sync_folder(path.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
