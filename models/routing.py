"""Asks a detector only about the studies that its route lets pass."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from models.dicom import read_header, text
from models.registry import Route
from overread.appearance import Appearance
from overread.observation import Detection, ObserverIdentity
from overread.ports import Detector, examine


class RoutedDetector:
    """Implements `overread.ports.Detector` around another one. As safe to share between threads as that."""

    def __init__(self, detector: Detector, route: Route) -> None:
        self._detector = detector
        self._route = route

    @property
    def inner(self) -> Detector:
        """The detector that is asked."""
        return self._detector

    @property
    def identity(self) -> ObserverIdentity:
        """The inner detector's."""
        return self._detector.identity

    @property
    def findings(self) -> tuple[str, ...]:
        """The inner detector's."""
        return self._detector.findings

    def prefetch(self, instances: Sequence[Path]) -> None:
        """Pass the hint on; reading headers to see whether it is worth it would cost what it saves."""
        self._detector.prefetch(instances)

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the inner detector says, or that the study is not on its route."""
        return self.detect_and_describe(instances)[0]

    def detect_and_describe(self, instances: Sequence[Path]) -> tuple[Detection, Appearance | None]:
        """Return the same, and what the inner detector says of the looks of the images, if it does."""
        if any(admits(self._route, read_header(path)) for path in instances):
            return examine(self._detector, instances)
        return Detection(
            detector=self.identity,
            operating_point="none",  # no threshold was asked
            not_applicable=f"the registry asks it about {describe(self._route)} only",
        ), None


def admits(route: Route, header: Dataset) -> bool:
    """Whether nothing that the header states is against the route; what it leaves out is not."""
    words = set(re.findall(r"[a-z]+", text(header, "BodyPartExamined").lower()))
    return (
        _is_among(text(header, "Modality"), route.modalities)
        and _is_among(text(header, "ViewPosition"), route.views)
        and (not route.body_parts or not words or bool(words & set(route.body_parts)))
    )


def describe(route: Route) -> str:
    """Return the route in words."""
    parts = (
        ("modality", route.modalities),
        ("body part", route.body_parts),
        ("view", route.views),
    )
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in parts if values) or "every study"


def _is_among(stated: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or not stated or stated in wanted
