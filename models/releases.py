"""Model releases on disk: those that come with overread, or those of a folder that the user names."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from models.manifest import FILE_NAME
from models.onnx_detector import OnnxDetector
from models.parsing import Table
from models.providers import asked_provider
from models.stages import StageObserver, ignore_stage
from overread.errors import ConfigurationError, ModelError
from overread.ports import Detector

RELEASES = Path(__file__).parent / "releases"
DEFAULT_RELEASE = "chest-radiograph"
ONNX = "onnx"


def list_releases(root: Path | None = None) -> tuple[str, ...]:
    """Return the names of the releases in a folder; None means those that come with overread."""
    return tuple(sorted(path.parent.name for path in (root or RELEASES).glob(f"*/{FILE_NAME}")))


def load_detector(
    name: str | None = None,
    root: Path | None = None,
    *,
    operating_point: str | None = None,
    threads: int = 1,
    on_stage: StageObserver = ignore_stage,
) -> Detector:
    """Return the detector of a release of any kind, its files verified.

    Args:
        name: of the release; None is the default chest radiograph model.
        root: folder of releases; None means those that come with overread.
        operating_point: None is the release's default.
        threads: of one inference; more processes are worth more than more threads.
        on_stage: is told how long decoding and inference take.

    Raises:
        ModelError: there is no such release, or it is malformed or altered.
        ConfigurationError: it needs packages that are not installed.
    """
    folder = release_folder(name, root)
    kind = release_kind(folder)
    if kind not in _LOADERS:
        raise ModelError(f"{folder} is of the unknown kind {kind!r}; known are {', '.join(_LOADERS)}")
    return _LOADERS[kind](folder, operating_point, threads, on_stage)


def load_onnx_detector(
    name: str | None = None, root: Path | None = None, *, operating_point: str | None = None, threads: int = 1
) -> OnnxDetector:
    """Return the detector of an ONNX release, for what only it can do; see `load_detector`.

    Raises:
        ModelError: there is no such release, it is of another kind, or it is malformed or altered.
    """
    folder = release_folder(name, root)
    if release_kind(folder) != ONNX:
        raise ModelError(f"{folder} is of kind {release_kind(folder)}; only {ONNX} can score single images")
    return _load_onnx(folder, operating_point, threads, ignore_stage)


def release_folder(name: str | None = None, root: Path | None = None) -> Path:
    """Return the folder of a release; None is the default chest radiograph model.

    Raises:
        ModelError: there is no such release.
    """
    folder = (root or RELEASES) / (name or DEFAULT_RELEASE)
    if folder.parent != (root or RELEASES) or not (folder / FILE_NAME).is_file():
        known = ", ".join(list_releases(root)) or "none"
        raise ModelError(f"there is no model release {folder.name!r}; there are: {known}")
    return folder


def release_kind(folder: Path) -> str:
    """Return what a release is: the `kind` of its manifest, ONNX where it names none.

    Raises:
        ModelError: the manifest is malformed.
    """
    path = folder / FILE_NAME
    try:
        table = Table(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no readable JSON: {error}") from error
    return table.text("kind") if table.has("kind") else ONNX


def _load_onnx(
    folder: Path, operating_point: str | None, threads: int, on_stage: StageObserver
) -> OnnxDetector:
    return OnnxDetector(
        folder,
        operating_point=operating_point,
        threads=threads,
        provider=asked_provider(os.environ),
        on_stage=on_stage,
    )


def _load_vendor(
    folder: Path, operating_point: str | None, _threads: int, _on_stage: StageObserver
) -> Detector:
    from models.vendor_results.loading import load_vendor_detector  # DICOM's code tables are large

    return load_vendor_detector(folder, operating_point=operating_point)


def _load_bundle(
    folder: Path, operating_point: str | None, threads: int, on_stage: StageObserver
) -> Detector:
    try:
        from models.bundle.detector import BundleDetector  # torch is not of the runtime set
    except ImportError as error:
        raise ConfigurationError(
            f"{folder} is a MONAI bundle, and {error.name} is not installed: pip install 'overread[bundle]'"
        ) from error
    return BundleDetector(folder, operating_point=operating_point, threads=threads, on_stage=on_stage)


# Each kind of release by the `kind` of its manifest; a loader imports what only its kind needs.
_LOADERS: Mapping[str, Callable[[Path, str | None, int, StageObserver], Detector]] = {
    ONNX: _load_onnx,
    "monai-bundle": _load_bundle,
    "vendor-sr": _load_vendor,
    "vendor-rows": _load_vendor,
}
