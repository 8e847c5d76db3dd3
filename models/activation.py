"""Registering a release, and retiring it: verified, through the gate, with time and name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models.gate_record import GateRecord
from models.loaded_detectors import folder_of, load_entry, manifest_sha256
from models.recording import verify
from models.registry import Change, Entry, Registry, RegistryStore, Role, Route, with_active, without
from overread.errors import ConfigurationError, ModelError
from overread.observation import ObserverIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Request to run a release, with its author and its ground."""

    release: str
    role: Role
    operating_point: str | None
    route: Route
    replacing: str | None  # release whose place it takes; None adds it
    gate: GateRecord | None
    reason: str | None  # why it may be active without the gate
    who: str


def register_release(request: Request, store: RegistryStore, *, clock: Callable[[], datetime]) -> Change:
    """Verify a release, register it and return the entry of the history.

    Raises:
        ModelError: the release does not verify, or the gate does not let it pass.
        ConfigurationError: the registry is malformed or cannot be written, or lacks what is to be replaced.
    """
    registry = store.load()
    folder = folder_of(request.release, store.folder)
    verified = verify(folder)
    if request.role is Role.ACTIVE:
        _pass_gate(request, registry, store, folder)
    entry = Entry(
        release=request.release,
        role=request.role,
        operating_point=request.operating_point,
        route=request.route,
        manifest_sha256=manifest_sha256(folder),
    )
    load_entry(entry, store.folder)  # it has the operating point that was asked for
    change = _change(request, entry, verified.identity, clock())
    placed = (
        with_active(registry, entry, replacing=request.replacing)
        if request.role is Role.ACTIVE
        else _with_shadow(registry, entry)
    )
    store.save(replace(placed, history=(*registry.history, change)), before=registry)
    return change


def retire_release(
    release: str, store: RegistryStore, *, who: str, reason: str | None, clock: Callable[[], datetime]
) -> Change:
    """Retire a release and return the entry of the history.

    Raises:
        ConfigurationError: it is not in the registry, or it is the last active one.
    """
    registry = store.load()
    left = without(registry, release)
    (entry,) = (item for item in registry.entries if item.release == release)
    change = Change(
        at=clock(),
        who=who,
        action="retired",
        release=release,
        version=None,  # the folder may be gone
        manifest_sha256=entry.manifest_sha256,
        reason=reason,
    )
    store.save(replace(left, history=(*registry.history, change)), before=registry)
    return change


def sole_active(registry: Registry) -> Entry:
    """Return the only active detector.

    Raises:
        ConfigurationError: there are several; the caller must say which is meant.
    """
    active = registry.of(Role.ACTIVE)
    if len(active) != 1:
        names = ", ".join(entry.release for entry in active)
        raise ConfigurationError(f"several detectors are active ({names}): say which one is meant")
    return active[0]


def _pass_gate(request: Request, registry: Registry, store: RegistryStore, folder: Path) -> None:
    """Return if the release may be active."""
    replaced = next((item for item in registry.of(Role.ACTIVE) if item.release == request.replacing), None)
    if request.replacing is not None and replaced is None:
        raise ConfigurationError(f"{request.replacing!r} is not active, so nothing can take its place")
    if request.reason is not None:
        return
    if request.release == request.replacing and _is_unchanged(replaced, folder):
        return
    if replaced is None:
        raise ModelError("a further active detector is compared with none: say why it may be, as a reason")
    if request.gate is None:
        raise ModelError(
            f"{request.release} has not passed the release gate against {request.replacing}: give the record "
            "of `overread gate`, or a reason for going without"
        )
    active = folder_of(replaced.release, store.folder)
    _check_record(request.gate, candidate=manifest_sha256(folder), active=manifest_sha256(active))


def _check_record(gate: GateRecord, *, candidate: str, active: str) -> None:
    if gate.candidate.manifest_sha256 != candidate:
        raise ModelError("the record of the release gate is about another candidate")
    if gate.active.manifest_sha256 != active:
        raise ModelError("the record of the release gate compares with another release than the active one")
    if not gate.passes:
        raise ModelError(f"the release gate refused it ({gate.verdict}): {'; '.join(gate.reasons)}")


def _is_unchanged(replaced: Entry | None, folder: Path) -> bool:
    """Whether only route or operating point of an active release are set anew."""
    return replaced is not None and replaced.manifest_sha256 in {None, manifest_sha256(folder)}


def _with_shadow(registry: Registry, entry: Entry) -> Registry:
    kept = tuple(item for item in registry.entries if item.release != entry.release)
    if len(kept) < len(registry.entries) and any(
        item.role is Role.ACTIVE for item in registry.entries if item.release == entry.release
    ):
        raise ConfigurationError(f"{entry.release!r} is active; it cannot be its own shadow")
    return replace(registry, entries=(*kept, entry))


def _change(request: Request, entry: Entry, identity: ObserverIdentity, at: datetime) -> Change:
    gate = request.gate
    return Change(
        at=at,
        who=request.who,
        action="activated" if request.role is Role.ACTIVE else "put in shadow",
        release=request.release,
        version=identity.version,
        manifest_sha256=entry.manifest_sha256,
        replaced=request.replacing,
        gate=None if gate is None else f"{gate.verdict}: {'; '.join(gate.reasons)}",
        reason=request.reason or (None if gate is None else gate.accepted_because),
    )
