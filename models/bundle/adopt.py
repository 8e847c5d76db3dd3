"""Writes the manifest that makes a downloaded bundle a release: its files pinned, its class named."""

import hashlib
import json
from pathlib import Path

from models.bundle.manifest import BundleManifest, VolumeUse, save_bundle_manifest
from models.manifest import FILE_NAME, Calibration, OperatingPoint
from models.parsing import Table
from overread.errors import ConfigurationError, ModelError

CONFIG, METADATA = "configs/inference.json", "configs/metadata.json"
WEIGHTS = ("models/model.pt", "models/model.ts")
LEAST_SCORE = 0.5
ENABLE_RESAMPLING = "whether_raw_luna16"  # the Zoo's bundle expects resampled volumes unless this is true


def adopt(folder: Path, *, findings: tuple[str, ...], threshold: float = LEAST_SCORE) -> BundleManifest:
    """Write `manifest.json` into a bundle's folder and return what it says.

    Args:
        folder: as downloaded, with configs/ and models/.
        findings: of each class number of the network, from 0 on.
        threshold: on the network's score, from which a finding is there; by hand, so name it with care.

    Raises:
        ModelError: the folder is no detection bundle.
        ConfigurationError: it has a manifest already.
    """
    if (folder / FILE_NAME).exists():
        raise ConfigurationError(f"{folder} has a manifest already; edit or remove it")
    weights = next((name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / CONFIG).is_file() or not (folder / METADATA).is_file():
        raise ModelError(f"{folder} is no bundle: it needs {CONFIG}, {METADATA} and {' or '.join(WEIGHTS)}")
    metadata = Table(_json(folder / METADATA), where=str(folder / METADATA))
    config = _json(folder / CONFIG)
    point = OperatingPoint(
        name="by-hand",
        cohort="none",
        rule=f"a score of {threshold:g}, set by hand",
        thresholds=dict.fromkeys(findings, threshold),
    )
    manifest = BundleManifest(
        name=folder.resolve().name,
        version=metadata.text("version"),
        licence=metadata.text("copyright") if metadata.has("copyright") else "as the bundle says",
        findings=findings,
        config=CONFIG,
        weights=weights,
        files={
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in (CONFIG, METADATA, weights)
        },
        overrides={ENABLE_RESAMPLING: True} if ENABLE_RESAMPLING in config else {},
        calibration={finding: Calibration(slope=1.0, intercept=0.0) for finding in findings},
        calibration_cohort="none: the score is taken for a probability",
        default_operating_point=point.name,
        operating_points=(point,),
        intended_use=_CHEST_CT,
        training_data=(
            metadata.text("data_source") if metadata.has("data_source") else "as the bundle says",
        ),
    )
    save_bundle_manifest(manifest, folder)
    return manifest


_CHEST_CT = VolumeUse(
    statement="Axial chest CT of adults in thin slices, for a second look at studies already reported.",
    modalities=("CT",),
    body_parts=("chest", "thorax", "lung", "lungs"),
    minimum_age_years=16.0,
    minimum_slices=40,
    maximum_slice_mm=2.5,
)


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must be a JSON object")
    return content
