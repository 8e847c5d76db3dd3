"""The detector of a product's folder, by the kind in its manifest."""

from pathlib import Path

from models.vendor_results.manifest import KIND_SR, load_vendor_manifest
from models.vendor_results.rows import RowsDetector
from models.vendor_results.sr import SrDetector
from overread.errors import ModelError


def load_vendor_detector(folder: Path, *, operating_point: str | None = None) -> SrDetector | RowsDetector:
    """Return the detector that reads a product's results.

    Raises:
        ModelError: the manifest is malformed, its file is missing, or the product has no such point;
            it states presence at one of its own.
    """
    manifest = load_vendor_manifest(folder)
    if operating_point not in {None, manifest.operating_point}:
        raise ModelError(
            f"{manifest.name} has no operating point {operating_point!r}; it has {manifest.operating_point}"
        )
    return SrDetector(manifest) if manifest.kind == KIND_SR else RowsDetector(manifest, folder)
