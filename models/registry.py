"""The roster: which detectors an installation runs, and who changed that when.

A JSON file, by default `detectors.json` in the data folder. Where there is none, the chest radiograph release
that comes with overread is active alone. File and history are one document, replaced as a whole: what is
active and who made it so cannot come apart.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from models.parsing import Table
from overread.errors import ConfigurationError, ModelError

FILE_NAME = "detectors.json"
FILE_VARIABLE = "OVERREAD_DETECTORS"
FORMAT = 1


class Role(StrEnum):
    """What becomes of what a detector says."""

    ACTIVE = "active"  # it is weighed against the report
    SHADOW = "shadow"  # it is stored beside, and seen by nobody who reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which studies a detector is asked about; an empty part lets everything pass.

    A route can only narrow: what a model is not meant for stays not applicable by its own manifest.
    """

    modalities: tuple[str, ...] = ()  # DICOM Modality (0008,0060)
    body_parts: tuple[str, ...] = ()  # words of Body Part Examined (0018,0015), lower case
    views: tuple[str, ...] = ()  # DICOM View Position (0018,5101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One detector of the roster."""

    release: str  # name of one that comes with overread, or a folder, relative to the file
    role: Role = Role.ACTIVE
    operating_point: str | None = None  # None is the release's default
    route: Route = Route()
    manifest_sha256: str | None = (
        None  # the release is refused when its manifest has another; None pins nothing
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the history: somebody put a release on the roster or took it off."""

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
class Roster:
    """The detectors in the order in which they are asked, and the history, oldest first."""

    entries: tuple[Entry, ...]
    history: tuple[Change, ...] = ()

    def of(self, role: Role) -> tuple[Entry, ...]:
        """Return the entries of one role."""
        return tuple(entry for entry in self.entries if entry.role is role)


DEFAULT_ROSTER = Roster(entries=(Entry(release="chest-radiograph"),))
"""What runs where nothing is configured."""


def roster_file(environ: Mapping[str, str], data_folder: Path) -> Path:
    """Return where the roster of an installation lies: what `OVERREAD_DETECTORS` says, or the data folder."""
    named = environ.get(FILE_VARIABLE)
    return Path(named).expanduser().absolute() if named else data_folder / FILE_NAME


def load_roster(path: Path) -> Roster:
    """Return the roster of a file, or the default one where there is no such file.

    Raises:
        ConfigurationError: the file is malformed, names a release twice, or leaves none active.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return DEFAULT_ROSTER
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the roster {path} cannot be read: {error}") from error
    try:
        table = Table(json.loads(text), where=str(path))
        if table.integer("format") != FORMAT:
            raise ConfigurationError(f"{path} has another format than {FORMAT}")
        roster = Roster(
            entries=tuple(_entry(item) for item in table.tables("detectors")),
            history=tuple(_change(item) for item in table.tables("history")) if table.has("history") else (),
        )
    except (ModelError, ValueError) as error:
        raise ConfigurationError(f"the roster is malformed: {error}") from error
    _check(roster, path)
    return roster


def save_roster(roster: Roster, path: Path) -> None:
    """Replace the file as a whole, durably.

    Raises:
        ConfigurationError: the roster is not one that `load_roster` would take, or cannot be written.
    """
    _check(roster, path)
    content = {
        "format": FORMAT,
        "detectors": [asdict(entry) for entry in roster.entries],
        "history": [asdict(change) | {"at": change.at.isoformat()} for change in roster.history],
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"the roster {path} cannot be written: {error.strerror}") from error


def with_active(roster: Roster, entry: Entry, *, replacing: str | None) -> Roster:
    """Return the roster with this entry active in the place of another, or at the end where it replaces none.

    A shadow of the same release ends with it.
    """
    kept = tuple(item for item in roster.entries if item.release not in {entry.release, replacing})
    places = [at for at, item in enumerate(roster.entries) if item.release == replacing]
    at = min(places[0], len(kept)) if places else len(kept)
    return replace(roster, entries=(*kept[:at], entry, *kept[at:]))


def without(roster: Roster, release: str) -> Roster:
    """Return the roster without a release.

    Raises:
        ConfigurationError: it is not on the roster.
    """
    kept = tuple(entry for entry in roster.entries if entry.release != release)
    if len(kept) == len(roster.entries):
        known = ", ".join(entry.release for entry in roster.entries)
        raise ConfigurationError(f"{release!r} is not on the roster; there are: {known}")
    return replace(roster, entries=kept)


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


def _check(roster: Roster, path: Path) -> None:
    names = [entry.release for entry in roster.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{path} names a release twice: {', '.join(twice)}")
    if not roster.of(Role.ACTIVE):
        raise ConfigurationError(f"{path} leaves no detector active; nothing could be triaged")
