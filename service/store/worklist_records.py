"""Records of the worklist: its lines, the line on it, and who reads what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from overread.actor import Actor
from service.store.records import CaseSummary

COUNTED_TO = 2000
"""Cases to which those of a filter or a subspecialty are counted, on either side of the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A case that a second reader has taken up."""

    case_id: int
    holder: Actor
    claimed_at: datetime
    held_until: datetime  # nobody's from then on, unless it is renewed
    assigned_by: str | None  # name of who gave it to the holder; None where the holder took it


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistLine:
    """Share of the list that a second reader is asked to look at."""

    share: float  # of the triaged cases, in (0, 1]
    priority: float | None  # of the last case above the line; None where everything listed stands above it
    triaged: int  # cases, whatever triage concluded
    above: int  # listed cases above the line, of those that the list shows
    below: int
    is_capped: bool = False  # counted to `COUNTED_TO` at most: one more means more


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistPage:
    """Some lines of the worklist; give `next` as `after` to get those that follow."""

    cases: tuple[CaseSummary, ...]
    next: str | None  # None on the last page
    line: WorklistLine | None  # None where LISTED was not asked for
    claims: Mapping[int, Claim]  # who has which of these cases; what nobody has is left out
