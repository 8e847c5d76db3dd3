"""Verification of the audit trail: whether any sealed entry was changed, removed, added or moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from overread.errors import InputError
from service.store.audit_entries import FIRST_HASH, chained_hash
from service.store.audit_trail import Anchor, SealedEntry, count_unsealed, sealed_entries
from service.store.database import Store

_FAULTS_MAX = 100  # that are named; the rest is counted
_PROGRESS_EVERY = 5_000  # entries


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReport:
    """State of the trail after every entry was looked at."""

    anchor: Anchor  # of the last sealed entry, to be kept elsewhere
    unsealed: int  # entries that have no place in the chain yet
    oldest_unsealed_at: datetime | None
    faults: tuple[str, ...]  # in words, the first hundred
    faults_count: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return self.faults_count == 0


@dataclass(slots=True)
class _Walk:
    """State of a walk along the chain."""

    anchors: dict[int, str]
    position: int = 0
    hash: str = FIRST_HASH
    faults: list[str] = field(default_factory=list)
    count: int = 0

    def see(self, sealed: SealedEntry) -> None:
        """Hold the next entry against the chain so far."""
        position = sealed.position or 0
        if position != self.position + 1:
            missing = position - self.position - 1
            what = "1 entry is" if missing == 1 else f"{missing} entries are"
            self.fault(f"{what} missing before position {position}")
        elif sealed.entry is None or chained_hash(self.hash, sealed.entry) != sealed.hash:
            self.fault(f"position {position} (entry {sealed.entry_id}) was changed, or moved here")
        self.position, self.hash = position, sealed.hash or ""
        kept = self.anchors.pop(position, None)
        if kept is not None and kept != self.hash:
            self.fault(f"position {position} had another hash when the anchor was kept")

    def fault(self, words: str) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(words)


def verify_trail(
    store: Store, anchors: Sequence[Anchor] = (), *, on_progress: Callable[[int], None] | None = None
) -> TrailReport:
    """Return what a walk along the whole chain finds.

    Args:
        store: whose trail.
        anchors: states of the chain that were kept elsewhere.
        on_progress: told the number of entries looked at, every 5,000.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    walk = _Walk(anchors={anchor.position: anchor.hash for anchor in anchors if anchor.position})
    for sealed in sealed_entries(store):
        walk.see(sealed)
        if on_progress is not None and walk.position % _PROGRESS_EVERY == 0:
            on_progress(walk.position)
    for position in sorted(walk.anchors):
        walk.fault(f"an anchor was kept of position {position}, but the chain has no such entry any more")
    unsealed, oldest = count_unsealed(store)
    return TrailReport(
        anchor=Anchor(position=walk.position, hash=walk.hash),
        unsealed=unsealed,
        oldest_unsealed_at=oldest,
        faults=tuple(walk.faults),
        faults_count=walk.count,
    )


def parse_anchor(text: str) -> Anchor:
    """Return the anchor that a text such as "1200:9f86..." keeps.

    Raises:
        InputError: it is none.
    """
    position, _, digest = text.strip().partition(":")
    is_hash = len(digest) == len(FIRST_HASH) and all(sign in "0123456789abcdef" for sign in digest)
    if not position.isdecimal() or not is_hash:
        raise InputError("an anchor is a position and a hash, as `overread audit-trail anchor` prints it")
    return Anchor(position=int(position), hash=digest)
