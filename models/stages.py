"""Times that a detector reports while it looks at a study, for whoever measures them."""

from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """Part of a detector's work that is timed."""

    DECODE = "decode"  # file to network input: read, decode, scale; one image, or the series of a volume
    INFERENCE = "inference"  # one run of the network


class StageObserver(Protocol):
    """Function that is told how long a stage took. It is called from several threads and must not raise."""

    def __call__(self, *, detector: str, stage: Stage, seconds: float) -> None:
        """Take note of one completed stage.

        Args:
            detector: name of the release, as in its manifest.
            stage: what was done.
            seconds: wall-clock time that it took.
        """


def ignore_stage(*, detector: str, stage: Stage, seconds: float) -> None:
    """Do nothing: nobody measures."""
