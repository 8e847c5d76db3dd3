"""The ports of the domain: what a use case needs from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from overread.appearance import Appearance
from overread.observation import Detection, ObserverIdentity, ReportReading


class ReportReader(Protocol):
    """Reads one report. Safe to share between threads; the same text always gives the same reading."""

    @property
    def identity(self) -> ObserverIdentity:
        """Name, version and hash of the rules."""

    def read(self, text: str) -> ReportReading:
        """Return every observation that the text states.

        Raises:
            InvalidReportError: the text is empty or is not text.
        """


class Detector(Protocol):
    """Looks at the images of one study."""

    @property
    def identity(self) -> ObserverIdentity:
        """Name, version and hash of the network."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that this detector can see; it is silent on every other."""

    def prefetch(self, instances: Sequence[Path]) -> None:
        """Take note of the images of a study that will probably be asked for next; return at once.

        A hint: it may be ignored, may be wrong, never raises because of the images, and never changes what
        `detect` returns or raises. The files must not change between the two.
        """

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the network sees on the DICOM files of one study, or why it does not apply.

        Raises:
            UndecodablePixelsError: an image that the model is meant for cannot be decoded.
        """


@runtime_checkable
class DescribingDetector(Detector, Protocol):
    """A detector that also says what the images of a study looked like to it."""

    def detect_and_describe(self, instances: Sequence[Path]) -> tuple[Detection, Appearance | None]:
        """Return what `detect` returns, and the appearance of the first image that the network saw.

        None where it saw none.

        Raises:
            UndecodablePixelsError: as `detect` does.
        """


def examine(detector: Detector, instances: Sequence[Path]) -> tuple[Detection, Appearance | None]:
    """Return what a detector sees, and what the images look like to it; None of one that does not say."""
    if isinstance(detector, DescribingDetector):
        return detector.detect_and_describe(instances)
    return detector.detect(instances), None
