"""The detectors of a registry, loaded, each held to the manifest that was activated."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.manifest import FILE_NAME
from models.onnx_detector import OnnxDetector
from models.registry import Entry, Registry, Role, Route
from models.releases import RELEASES, load_detector
from models.routing import RoutedDetector
from models.stages import StageObserver, ignore_stage
from overread.errors import ConfigurationError, ModelError
from overread.ports import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDetectors:
    """Detectors of an installation: `active` ones are weighed against the report, `shadows` only stored."""

    active: tuple[Detector, ...]
    shadows: tuple[Detector, ...] = ()
    unusable_shadows: tuple[str, ...] = ()  # why those are missing that could not be loaded


def load_detectors(
    registry: Registry, folder: Path, *, on_stage: StageObserver = ignore_stage
) -> LoadedDetectors:
    """Return the detectors of a registry in its order.

    Args:
        registry: whom to load.
        folder: from which the paths of releases start that are not absolute.
        on_stage: is told how long the decoding and inference of each detector take.

    Raises:
        ModelError: an active release is missing, altered, or not the one that was activated. A shadow in such
            a state stops nothing; it is left out.
        ConfigurationError: an active release needs packages that are not installed.
    """
    shadows: list[Detector] = []
    unusable: list[str] = []
    for entry in registry.of(Role.SHADOW):
        try:
            shadows.append(load_entry(entry, folder, on_stage=on_stage))
        except (ModelError, ConfigurationError) as error:
            unusable.append(str(error))
    return LoadedDetectors(
        active=tuple(load_entry(entry, folder, on_stage=on_stage) for entry in registry.of(Role.ACTIVE)),
        shadows=tuple(shadows),
        unusable_shadows=tuple(unusable),
    )


def scoring_detector(loaded: LoadedDetectors) -> OnnxDetector:
    """Return the first active detector that scores prepared inputs.

    Raises:
        ModelError: no active detector is an ONNX release.
    """
    for detector in loaded.active:
        inner = detector.inner if isinstance(detector, RoutedDetector) else detector
        if isinstance(inner, OnnxDetector):
            return inner
    raise ModelError("no active detector is an ONNX release, so none scores prepared inputs")


def load_entry(entry: Entry, folder: Path, *, on_stage: StageObserver = ignore_stage) -> Detector:
    """Return the detector of one entry, behind its route where it has one.

    Raises:
        ModelError: the release is missing, altered, or not the one that was activated.
    """
    release = folder_of(entry.release, folder)
    if entry.manifest_sha256 and (found := manifest_sha256(release)) != entry.manifest_sha256:
        raise ModelError(
            f"{release} is not the release that was activated: its manifest has SHA-256 {found}; "
            "activate it anew, or install the one that was"
        )
    detector = load_detector(
        release.name, release.parent, operating_point=entry.operating_point, on_stage=on_stage
    )
    return detector if entry.route == Route() else RoutedDetector(detector, entry.route)


def folder_of(release: str, folder: Path) -> Path:
    """Return where a release lies: a bare name is one that comes with overread, all else a path."""
    if Path(release).name == release:
        return RELEASES / release
    return (folder / Path(release).expanduser()).resolve()


def manifest_sha256(release: Path) -> str:
    """Return the hash of the manifest, which itself holds the hash of every other file that counts.

    Raises:
        ModelError: there is no manifest.
    """
    try:
        return hashlib.sha256((release / FILE_NAME).read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{release} is no model release: it has no readable {FILE_NAME}") from error
