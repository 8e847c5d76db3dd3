"""Receipt of the intake for an object or report, and the context of a replay."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReceiptOutcome(StrEnum):
    """Outcome of an object or report that was sent."""

    STORED = "STORED"
    ALREADY_STORED = "ALREADY_STORED"  # the same content had been received before; nothing changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A second try with what lies in quarantine: refused again, it stays there as it is.

    With `accepts` a person has decided that an image belongs to its study though patient or accession number
    differ, or that a report counts though another version of it came later.
    """

    arrived_at: datetime  # when it was refused
    accepts: bool = False
