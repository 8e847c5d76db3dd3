"""A release on the scale of the site that uses it: its probabilities fitted anew to what the reports state.

A release is calibrated to the patients of its makers; elsewhere findings are rarer or commoner, and images
score higher or lower. Past cases with their reports are at hand everywhere, adjudicated ones are not. So a
probability becomes that of a finding being reported here, which is what triage holds a report against.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.manifest import FILE_NAME, Calibration, Manifest, OperatingPoint, load_manifest, save_manifest
from models.recording import FOLDER as RECORDING
from models.recording import record
from models.releases import ONNX, release_kind
from overread.cohort import CohortCase
from overread.errors import ConfigurationError, InvalidFileError, ModelError
from overread.finding import Vocabulary
from overread.logistic import fit_logistic
from overread.ports import ReportReader
from overread.report_labels import report_label, stated_observations

LEAST_CASES = 200
LEAST_STATED = 10  # of a finding, and as many without it; with fewer its curve stays
LEAST_SLOPE = 0.2
_PRECISIONS = (1e-3, 4.0)  # at which intercept and slope are held at those of the release
_LOWEST = 1e-6  # of a score, as in `Calibration.probability`

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Calibration curve of a finding, fitted anew or kept."""

    finding: str
    stated: int  # reports that state it
    before: float  # mean of the probabilities
    after: float | None  # the same; None where too few reports state it, so that the curve stayed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibrated:
    """Result of a recalibration."""

    cases: int
    patients: int
    findings: tuple[Fitted, ...]


def calibrate_release(
    release: Path, folder: Path, cases: Sequence[CohortCase], reader: ReportReader, vocabulary: Vocabulary
) -> Recalibrated:
    """Write the release into a folder, whose name becomes its own, on the scale of these cases.

    The operating points keep their scores, so that the same images are flagged as before.

    Args:
        release: folder of an ONNX release.
        folder: to write.
        cases: each counts that the release has scored.
        reader: of the reports' texts, where a case has one.
        vocabulary: with the kinds of each finding.

    Raises:
        ConfigurationError: the folder holds a release already.
        ModelError: the release is no ONNX release.
        InvalidFileError: fewer than `LEAST_CASES` of the cases were scored by it.
    """
    if (folder / FILE_NAME).exists():
        raise ConfigurationError(f"{folder} holds a release already; name another folder or remove it")
    if (kind := release_kind(release)) != ONNX:
        raise ModelError(f"{release} is of kind {kind}; only {ONNX} can be calibrated anew")
    manifest = load_manifest(release)
    scored = _scored(cases, manifest)
    if len(scored) < LEAST_CASES:
        raise InvalidFileError(
            f"{len(scored)} of {len(cases)} cases were scored by {manifest.name} {manifest.version}; at "
            f"least {LEAST_CASES} are needed"
        )
    reports = [stated_observations(case, reader) for case, _ in scored]
    curves, fitted = dict(manifest.calibration), []
    for finding in manifest.findings:
        logits = _log_odds(np.array([scores[finding] for _, scores in scored]))
        labels = np.array([report_label(report, finding, vocabulary) for report in reports])
        curves[finding], found = _fit(finding, manifest.calibration[finding], logits, labels)
        fitted.append(found)
    patients = len({case.patient for case, _ in scored})
    cohort = f"{len(scored)} cases of {patients} patients of the site, labelled by what their reports state"
    shutil.copytree(release, folder, ignore=shutil.ignore_patterns(RECORDING), dirs_exist_ok=True)
    save_manifest(_on_scale(manifest, curves, cohort, release=release, folder=folder), folder)
    record(folder)
    return Recalibrated(cases=len(scored), patients=patients, findings=tuple(fitted))


def _scored(cases: Sequence[CohortCase], manifest: Manifest) -> list[tuple[CohortCase, Mapping[str, float]]]:
    return [
        (case, detection.scores)
        for case in cases
        for detection in case.detections
        if (detection.detector, detection.version) == (manifest.name, manifest.version)
        and set(manifest.findings) <= set(detection.scores)
    ]


def _fit(finding: str, curve: Calibration, logits: Floats, labels: Floats) -> tuple[Calibration, Fitted]:
    sure = np.isfinite(labels)
    logits, labels = logits[sure], labels[sure]
    stated, before = int(labels.sum()), float(_probabilities(curve, logits).mean())
    if min(stated, len(labels) - stated) < LEAST_STATED:
        return curve, Fitted(finding=finding, stated=stated, before=before, after=None)
    coefficients = fit_logistic(
        logits[:, np.newaxis],
        labels,
        np.array(_PRECISIONS),
        np.array([curve.intercept, curve.slope]),
    )
    slope = max(float(coefficients[1]), LEAST_SLOPE)
    found = Calibration(
        slope=slope, intercept=float(coefficients[0]), prevalence=float(labels.mean())
    ).rounded()
    after = float(_probabilities(found, logits).mean())
    return found, Fitted(finding=finding, stated=stated, before=before, after=after)


def _on_scale(
    manifest: Manifest, curves: Mapping[str, Calibration], cohort: str, *, release: Path, folder: Path
) -> Manifest:
    sha256 = hashlib.sha256((release / FILE_NAME).read_bytes()).hexdigest()
    return replace(
        manifest,
        name=folder.name,
        version=f"{manifest.version}-site",
        calibration=curves,
        calibration_cohort=cohort,
        operating_points=tuple(
            _moved(point, manifest.calibration, curves) for point in manifest.operating_points
        ),
        training={
            **manifest.training,
            "calibrated anew from": f"{manifest.name} {manifest.version}, SHA-256 of its manifest {sha256}",
        },
    )


def _moved(
    point: OperatingPoint, before: Mapping[str, Calibration], after: Mapping[str, Calibration]
) -> OperatingPoint:
    """Return the operating point at the scores at which it was."""
    return replace(
        point,
        rule=f"{point.rule}; at the same scores on the scale of the site",
        thresholds={
            finding: round(_same_score(threshold, before[finding], after[finding]), 6)
            for finding, threshold in point.thresholds.items()
        },
    )


def _same_score(threshold: float, before: Calibration, after: Calibration) -> float:
    if not 0 < threshold < 1:
        return threshold  # never, or always
    score = (np.log(threshold / (1 - threshold)) - before.intercept) / before.slope
    return float(_probabilities(after, np.array([score]))[0])


def _probabilities(curve: Calibration, logits: Floats) -> Floats:
    values: Floats = 1 / (1 + np.exp(-np.clip(curve.slope * logits + curve.intercept, -50, 50)))
    return values


def _log_odds(scores: Floats) -> Floats:
    bounded = np.clip(scores, _LOWEST, 1 - _LOWEST)
    values: Floats = np.log(bounded / (1 - bounded))
    return values
