"""The registry: which detectors run, and who changed that when.

That of an installation lies in its store, and all its machines run what it says. A JSON file in its place, by
default `detectors.json`, serves what works without a store. Where there is neither, the chest radiograph
release that comes with overread is active alone.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from models.parsing import Table
from overread.errors import ConfigurationError, ModelError

FILE_NAME = "detectors.json"
FILE_VARIABLE = "OVERREAD_DETECTORS"
FORMAT = 1


class Role(StrEnum):
    """Role of a detector: weighed against the report, or stored only."""

    ACTIVE = "active"  # it is weighed against the report
    SHADOW = "shadow"  # it is stored beside, and seen by nobody who reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Studies that a detector is asked about; an empty part lets everything pass.

    A route can only narrow: what a model is not meant for stays not applicable by its own manifest.
    """

    modalities: tuple[str, ...] = ()  # DICOM Modality (0008,0060)
    body_parts: tuple[str, ...] = ()  # words of Body Part Examined (0018,0015), lower case
    views: tuple[str, ...] = ()  # DICOM View Position (0018,5101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One detector of the registry."""

    release: str  # name of one that comes with overread, or a folder; see `RegistryStore.folder`
    role: Role = Role.ACTIVE
    operating_point: str | None = None  # None is the release's default
    route: Route = Route()
    manifest_sha256: str | None = (
        None  # the release is refused when its manifest has another; None pins nothing
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the history: somebody registered a release or retired it."""

    at: datetime
    who: str
    action: str  # "activated", "put in shadow" or "retired"
    release: str
    version: str | None
    manifest_sha256: str | None
    replaced: str | None = None  # release that was active before
    gate: str | None = None  # what the release gate concluded, in words
    reason: str | None = None  # why it was done without the gate, or against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The detectors in the order in which they are asked, and the history, oldest first."""

    entries: tuple[Entry, ...]
    history: tuple[Change, ...] = ()

    def of(self, role: Role) -> tuple[Entry, ...]:
        """Return the entries of one role."""
        return tuple(entry for entry in self.entries if entry.role is role)


DEFAULT_REGISTRY = Registry(entries=(Entry(release="chest-radiograph"),))
"""What runs where nothing is configured."""


class RegistryStore(Protocol):
    """Store of a registry."""

    @property
    def name(self) -> str:
        """Name in messages to a person."""

    @property
    def folder(self) -> Path:
        """Folder from which relative paths of releases start."""

    def load(self) -> Registry:
        """Return the registry; the default one where none has been saved.

        Raises:
            ConfigurationError: what is kept is malformed.
        """

    def save(self, registry: Registry, *, before: Registry) -> None:
        """Put a registry, with its longer history, in the place of the one that was loaded before.

        Raises:
            ConfigurationError: it names a release twice, leaves none active, cannot be written, or somebody
                else has changed the registry meanwhile.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFile:
    """A registry in a file of its own. Implements `RegistryStore`."""

    path: Path  # absolute

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.path.parent

    def load(self) -> Registry:
        """Return the registry of the file, or the default one where there is no such file.

        Raises:
            ConfigurationError: the file is malformed, names a release twice, or leaves none active.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return DEFAULT_REGISTRY
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the registry {self.path} cannot be read: {error}") from error
        try:
            table = Table(json.loads(text), where=str(self.path))
            if table.integer("format") != FORMAT:
                raise ConfigurationError(f"{self.path} has another format than {FORMAT}")
            history = table.tables("history") if table.has("history") else ()
            registry = Registry(
                entries=tuple(_entry(item) for item in table.tables("detectors")),
                history=tuple(_change(item) for item in history),
            )
        except (ModelError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"the registry is malformed: {error}") from error
        check_registry(registry, self.name)
        return registry

    def save(self, registry: Registry, *, before: Registry) -> None:
        """Replace the file as a whole, durably.

        Raises:
            ConfigurationError: it is not one that `load` would take, cannot be written, or was changed.
        """
        check_registry(registry, self.name)
        if self.load() != before:
            raise ConfigurationError(f"{self.path} was changed meanwhile; look at it, and try again")
        content = {
            "format": FORMAT,
            "detectors": [asdict(entry) for entry in registry.entries],
            "history": [asdict(change) | {"at": change.at.isoformat()} for change in registry.history],
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                file.write(json.dumps(content, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise ConfigurationError(
                f"the registry {self.path} cannot be written: {error.strerror}"
            ) from error


def registry_file(environ: Mapping[str, str], data_folder: Path) -> Path:
    """Return where an earlier release kept its registry: `OVERREAD_DETECTORS`, or in the data folder."""
    named = environ.get(FILE_VARIABLE)
    return Path(named).expanduser().absolute() if named else data_folder / FILE_NAME


def entries_to_json(entries: Sequence[Entry]) -> str:
    """Return the entries as a JSON array."""
    return json.dumps([asdict(entry) for entry in entries])


def entries_from_json(text: str) -> tuple[Entry, ...]:
    """Return the entries of what `entries_to_json` gave.

    Raises:
        ConfigurationError: the text is something else.
    """
    try:
        table = Table({"detectors": json.loads(text)}, where="the registry")
        return tuple(_entry(item) for item in table.tables("detectors"))
    except (ModelError, ValueError) as error:
        raise ConfigurationError(f"the registry is malformed: {error}") from error


def check_registry(registry: Registry, name: str) -> None:
    """Refuse a registry that no service could run.

    Raises:
        ConfigurationError: it names a release twice, or leaves none active.
    """
    names = [entry.release for entry in registry.entries]
    twice = sorted({item for item in names if names.count(item) > 1})
    if twice:
        raise ConfigurationError(f"{name} names a release twice: {', '.join(twice)}")
    if not registry.of(Role.ACTIVE):
        raise ConfigurationError(f"{name} leaves no detector active; nothing could be triaged")


def with_active(registry: Registry, entry: Entry, *, replacing: str | None) -> Registry:
    """Return the registry with this entry active in place of another, or at the end if it replaces none.

    A shadow of the same release ends with it.
    """
    kept = tuple(item for item in registry.entries if item.release not in {entry.release, replacing})
    places = [at for at, item in enumerate(registry.entries) if item.release == replacing]
    at = min(places[0], len(kept)) if places else len(kept)
    return replace(registry, entries=(*kept[:at], entry, *kept[at:]))


def without(registry: Registry, release: str) -> Registry:
    """Return the registry without a release.

    Raises:
        ConfigurationError: it is not in the registry.
    """
    kept = tuple(entry for entry in registry.entries if entry.release != release)
    if len(kept) == len(registry.entries):
        known = ", ".join(entry.release for entry in registry.entries)
        raise ConfigurationError(f"{release!r} is not in the registry; there are: {known}")
    return replace(registry, entries=kept)


def _entry(table: Table) -> Entry:
    route = table.optional_table("route") or Table({}, where="route")
    return Entry(
        release=table.text("release"),
        role=_role(table.text("role")) if table.has("role") else Role.ACTIVE,
        operating_point=_optional(table, "operating_point"),
        route=Route(
            modalities=_texts(route, "modalities"),
            body_parts=tuple(word.lower() for word in _texts(route, "body_parts")),
            views=_texts(route, "views"),
        ),
        manifest_sha256=_optional(table, "manifest_sha256"),
    )


def _change(table: Table) -> Change:
    return Change(
        at=datetime.fromisoformat(table.text("at")),
        who=table.text("who"),
        action=table.text("action"),
        release=table.text("release"),
        version=_optional(table, "version"),
        manifest_sha256=_optional(table, "manifest_sha256"),
        replaced=_optional(table, "replaced"),
        gate=_optional(table, "gate"),
        reason=_optional(table, "reason"),
    )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise ModelError(f"a role is active or shadow, not {text!r}") from None


def _optional(table: Table, name: str) -> str | None:
    return table.text(name) if table.has(name) else None


def _texts(table: Table, name: str) -> tuple[str, ...]:
    return table.texts(name) if table.has(name) else ()
