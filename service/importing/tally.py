"""Counts of an import, and its progress."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_WORDS = (
    ("STORED", "stored"),
    ("ALREADY_STORED", "already there"),
    ("TAKEN_BEFORE", "taken by an earlier import"),
    ("QUARANTINED", "in quarantine"),
    ("REFUSED", "not readable"),
    ("IGNORED", "no DICOM object"),
)
_WORDS_OF_DRY_RUN = {"STORED": "would be stored", "QUARANTINED": "would go to quarantine"}


class ImportOutcome(StrEnum):
    """Outcome of one row or file."""

    STORED = "STORED"
    ALREADY_STORED = "ALREADY_STORED"
    TAKEN_BEFORE = "TAKEN_BEFORE"  # an earlier import took it; it was not looked at again
    QUARANTINED = "QUARANTINED"  # the intake refused it; its bytes are kept with the reason
    REFUSED = "REFUSED"  # it could not be read, and never reached the intake
    IGNORED = "IGNORED"  # no DICOM object, such as a viewer on a CD


@dataclass(slots=True)
class Tally:
    """The counts so far."""

    counts: Counter[ImportOutcome] = field(default_factory=Counter)

    def add(self, outcome: ImportOutcome) -> None:
        """Count one."""
        self.counts[outcome] += 1

    @property
    def total(self) -> int:
        """Number of rows or files."""
        return self.counts.total()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was refused or quarantined."""
        return not (self.counts[ImportOutcome.QUARANTINED] or self.counts[ImportOutcome.REFUSED])

    def words(self, *, dry_run: bool = False) -> str:
        """Return the counts that are not 0 as words; with `dry_run`, of what was checked and not stored."""
        instead = _WORDS_OF_DRY_RUN if dry_run else {}
        return ", ".join(
            f"{self.counts[ImportOutcome(key)]:,} {instead.get(key, words)}"
            for key, words in _WORDS
            if self._has(key)
        )

    def _has(self, key: str) -> bool:
        return bool(self.counts[ImportOutcome(key)])


class Progress:
    """Tells now and then how far a part of an import has come."""

    def __init__(
        self,
        name: str,
        say: Callable[[str], None],
        clock: Callable[[], float],
        every_seconds: float = 5.0,
        *,
        dry_run: bool = False,
    ) -> None:
        """Start counting time.

        Args:
            name: of the part, such as "reports".
            say: takes a line of words.
            clock: seconds, never going back.
            every_seconds: how often to tell.
            dry_run: nothing is stored, and the counts say so.
        """
        self._name = name
        self._say = say
        self._clock = clock
        self._every = every_seconds
        self._dry_run = dry_run
        self._started = self._told = clock()

    def note(self, tally: Tally, share: float) -> None:
        """Tell how far it has come, unless that was told a moment ago; `share` is the part that is done."""
        now = self._clock()
        if now - self._told >= self._every:
            self._told = now
            left = f", {_duration((now - self._started) * (1 - share) / share)} left" if share > 0 else ""
            self._say(f"{self._name}: {share:.0%}, {self._rate(tally, now)}{left}: {self._words(tally)}")

    def end(self, tally: Tally) -> None:
        """Tell the counts."""
        now = self._clock()
        took = _duration(now - self._started)
        self._say(f"{self._name}: {self._words(tally) or 'nothing'}; {self._rate(tally, now)}, {took}")

    def _words(self, tally: Tally) -> str:
        return tally.words(dry_run=self._dry_run)

    def _rate(self, tally: Tally, now: float) -> str:
        return f"{tally.total:,} at {tally.total / max(now - self._started, 1e-9):,.1f}/s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
