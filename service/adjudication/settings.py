"""The settings of the second read."""

from enum import StrEnum
from typing import ClassVar

from service.settings_sources import SettingsModel, setting


class TakeOver(StrEnum):
    """Who may take a case from the reader who has it."""

    COORDINATORS = "coordinators"
    READERS = "readers"  # every second reader, and coordinators


class SecondReadSettings(SettingsModel):
    """Settings of claims."""

    table: ClassVar[str] = "second_read"

    claim_minutes: float = setting(
        15.0,
        meaning="a case that a reader has claimed is held so long after its page was last open",
        unit="min",
        ge=1,
        le=24 * 60,
    )
    assignment_hours: float = setting(
        48.0,
        meaning="a case that a coordinator assigned is held so long for its reader",
        unit="h",
        ge=0.1,
        le=24 * 30,
    )
    take_over: TakeOver = setting(
        TakeOver.COORDINATORS,
        meaning="who may take a case from the reader who has it: coordinators, or readers, which means both",
    )

    @property
    def claim_seconds(self) -> float:
        """For how long a claim is held."""
        return 60 * self.claim_minutes

    @property
    def assignment_seconds(self) -> float:
        """For how long an assignment is held."""
        return 3600 * self.assignment_hours
