"""The registry of detectors in the store, so that all machines of an installation run the same.

A change is one row, with everything that runs from then on; rows are never changed. A file of an earlier
release is taken over when the registry is read for the first time.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, insert, select

from models.registry import (
    DEFAULT_REGISTRY,
    Change,
    Registry,
    RegistryFile,
    RegistryStore,
    check_registry,
    entries_from_json,
    entries_to_json,
)
from overread.actor import Actor
from overread.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.store import locks
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store, database_exists, open_store
from service.store.records import actor_columns
from service.store.schema import detector_registry

_ROWS = select(detector_registry).order_by(detector_registry.c.change_id)
_VERSION = select(func.max(detector_registry.c.change_id))
_ADD = insert(detector_registry)

_log = structlog.get_logger("overread.registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistry:
    """The registry, and the number of its last change: another number means that it has been changed."""

    registry: Registry
    version: int  # 0 while nothing has been changed


def registry_version(store: Store) -> int:
    """Return the number of the last change of the registry, 0 while there is none.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        return connection.execute(_VERSION).scalar_one() or 0


def read_registry(store: Store) -> StoredRegistry:
    """Return the registry of the installation; a file of an earlier release is taken over first.

    Raises:
        ConfigurationError: the file is malformed, or this release does not understand the registry.
        OutOfResourcesError: the store is not available.
    """
    has_file = store.settings.detectors_file.exists()  # before the rows: it goes after they have come
    with store.reading() as connection:
        rows = connection.execute(_ROWS).all()
    if not rows and has_file:
        rows = _take_over(store, store.settings.detectors_file)
    return _stored(rows)


def save_registry(store: Store, registry: Registry, *, before: Registry) -> None:
    """Record a changed registry, whose history is longer than the one before.

    Raises:
        ConfigurationError: it is not one that could run, or somebody else has changed it meanwhile.
        OutOfResourcesError: the store is not available.
    """
    check_registry(registry, "the registry")
    read_registry(store)  # takes a file over
    with store.writing(locks.registry()) as connection:
        if _stored(connection.execute(_ROWS).all()).registry.entries != before.entries:
            raise ConfigurationError(
                "somebody else has changed the registry meanwhile; look at it with `overread models list`, "
                "and try again"
            )
        _add(connection, registry, registry.history[len(before.history) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRegistry:
    """The registry of an installation, opened for each call. Implements `models.registry.RegistryStore`."""

    settings: Settings

    @property
    def name(self) -> str:
        """Of the installation, the data folder."""
        return str(self.settings.data_folder)

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.settings.data_folder

    def load(self) -> Registry:
        """Return the registry; without a database nothing is made, and a file counts.

        Raises:
            ConfigurationError: the file is malformed, or this release does not understand the registry.
            OutOfResourcesError: the store is not available.
        """
        if not database_exists(self.settings):
            return _registry_of_file(self.settings.detectors_file, self.settings.data_folder)
        with self._store() as store:
            return read_registry(store).registry

    def save(self, registry: Registry, *, before: Registry) -> None:
        """Record a changed registry.

        Raises:
            ConfigurationError: it is not one that could run, or somebody else has changed it meanwhile.
            OutOfResourcesError: the store is not available.
        """
        with self._store() as store:
            save_registry(store, registry, before=before)

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = open_store(self.settings, sweep=False)
        try:
            yield store
        finally:
            store.close()


def installed_registry(environ: Mapping[str, str]) -> RegistryStore:
    """Return the registry of the installation that the environment names.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    return InstalledRegistry(settings=load_settings(environ))


def _take_over(store: Store, file: Path) -> Sequence[Row[Any]]:
    """Record what the file says, unless another process has, and set the file aside."""
    registry = _registry_of_file(file, store.settings.data_folder)
    with store.writing(locks.registry()) as connection:
        rows = connection.execute(_ROWS).all()
        if rows:
            return rows
        _add(connection, registry, registry.history or (_change_of_file(file, registry),))
        rows = connection.execute(_ROWS).all()
    done = file.with_name(f"{file.name}.imported")
    try:
        file.rename(done)
    except OSError as error:  # of a file that may only be read; it counts for nothing any more
        _log.warning("detectors_file_left", file=str(file), reason=error.strerror)
    detectors = [entry.release for entry in registry.entries]
    _log.info("detectors_file_taken_over", file=str(file), now=str(done), detectors=detectors)
    return rows


def _registry_of_file(file: Path, data_folder: Path) -> Registry:
    """Return what a file says, its paths as the registry of the installation has them."""
    registry = RegistryFile(path=file).load()
    if file.parent == data_folder:
        return registry
    entries = (replace(item, release=_rebased(item.release, file.parent)) for item in registry.entries)
    history = (replace(item, release=_rebased(item.release, file.parent)) for item in registry.history)
    return replace(registry, entries=tuple(entries), history=tuple(history))


def _rebased(release: str, folder: Path) -> str:
    path = Path(release).expanduser()
    return release if path.name == release else str(folder / path)


def _change_of_file(file: Path, registry: Registry) -> Change:
    """Return a history for what was written by hand and has none."""
    entry = registry.entries[0]
    return Change(
        at=datetime.fromtimestamp(file.stat().st_mtime, UTC),
        who=file.name,
        action="activated",
        release=entry.release,
        version=None,
        manifest_sha256=entry.manifest_sha256,
        reason="it was in the file",
    )


def _add(connection: Connection, registry: Registry, changes: Sequence[Change]) -> None:
    """Append changes, after the last of which the registry is what is given."""
    for number, change in enumerate(changes, start=1):
        actor = Actor.unverified(change.who)
        act = AuditEntry(
            at=change.at,
            actor=actor,
            action=AuditAction.CONFIGURED,
            what="detectors",
            subject=f"detector {change.release}",
            detail=change.action,
        )
        record_act(connection, act)
        connection.execute(
            _ADD,
            {
                "happened_at": change.at,
                **actor_columns(actor),
                "action": change.action,
                "release": change.release,
                "version": change.version,
                "manifest_sha256": change.manifest_sha256,
                "replaced": change.replaced,
                "gate": change.gate,
                "reason": change.reason,
                "detectors": entries_to_json(registry.entries) if number == len(changes) else None,
            },
        )


def _stored(rows: Sequence[Row[Any]]) -> StoredRegistry:
    if not rows:
        return StoredRegistry(registry=DEFAULT_REGISTRY, version=0)
    registry = Registry(
        entries=entries_from_json(rows[-1].detectors), history=tuple(_change_of(row) for row in rows)
    )
    return StoredRegistry(registry=registry, version=rows[-1].change_id)


def _change_of(row: Row[Any]) -> Change:
    return Change(
        at=row.happened_at,
        who=row.actor_name,
        action=row.action,
        release=row.release,
        version=row.version,
        manifest_sha256=row.manifest_sha256,
        replaced=row.replaced,
        gate=row.gate,
        reason=row.reason,
    )
