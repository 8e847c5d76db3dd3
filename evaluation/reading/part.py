"""Development and held-back part of a data set: fixed, by hash, before anything was looked at."""

import hashlib
from enum import StrEnum

_FIFTH = 5


class Part(StrEnum):
    """Part of a data set that is measured."""

    DEVELOPMENT = "development"  # four fifths: rules were written looking at these
    HELD_BACK = "held-back"  # one fifth: only ever scored, its texts and errors are never printed


def part_of(key: str) -> Part:
    """Return the part to which an item belongs for ever; the key is a report number or a sentence."""
    digest = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    return Part.HELD_BACK if digest % _FIFTH == 0 else Part.DEVELOPMENT
