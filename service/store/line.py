"""The line on the list: what stands above it is what a second reader is asked to look at.

A share of all that was triaged is looked at: what was judged counts towards it, and so many of the listed
cases as it leaves, those with the highest priority, stand above the line.
It is found by the counts that the database keeps, whenever it is asked for; nothing is written when it moves.
"""

import math
from dataclasses import dataclass

from sqlalchemy import Connection

from overread.case import SECOND_READ, TRIAGED
from overread.errors import InputError
from service.store.case_counts import counts_by_state, priority_at
from service.store.policies import policy_in_force

_TRIAGED = TRIAGED | SECOND_READ
_EVERYTHING = 1.0  # the share of a site that chose thresholds of its own for what is listed at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Place of the line at one moment."""

    share: float  # of the triaged cases, in (0, 1]
    priority: float | None  # of the last case above it; None where everything that is listed stands above it
    triaged: int  # cases, whatever triage concluded


def line_of(connection: Connection, share: float | None) -> Line:
    """Return the line that leaves this share of the triaged cases above it; None takes that of the policy.

    Raises:
        InputError: the share is not above 0 and at most 1.
    """
    policy = policy_in_force(connection)
    if share is None:
        share = _EVERYTHING if policy.thresholds is not None else policy.tables.line.share
    if not 0 < share <= 1:
        raise InputError(f"the share above the line is above 0 and at most 1, not {share}")
    counts = counts_by_state(connection, everywhere=True)
    triaged = sum(counts.get(state, 0) for state in _TRIAGED)
    looked_at = sum(counts.get(state, 0) for state in SECOND_READ)
    wanted = max(policy.tables.line.cases_min, cases_of_share(share, triaged) - looked_at)
    priority = None if share == _EVERYTHING else priority_at(connection, wanted)
    return Line(share=share, priority=priority, triaged=triaged)


def cases_of_share(share: float, count: int) -> int:
    """Return how many cases a share of so many is, rounded up."""
    return math.ceil(round(share * count, 6))  # a tenth of 70 is 7, whatever 0.1 is in binary
