"""Answers on every patient by the networks that had not seen them, as a cohort file.

Whatever is learnt from what the detector says, such as how much its word is worth beside a report, is learnt
on this: of patients that a network was trained on it says more than it knows.
"""

from collections.abc import Mapping
from pathlib import Path

from models.manifest import Calibration, Manifest
from overread.cohort import CohortCase, CohortDetection, encode_case
from overread.observation import Observation, Presence
from training.calibration import curve_values
from training.datasets import ANY, FINDINGS
from training.figures import Evaluation

_DIGITS = 6


def write_cohort(
    path: Path, evaluation: Evaluation, curves: Mapping[str, Calibration], manifest: Manifest
) -> None:
    """Write a case per radiograph, its mined labels as what the report states.

    Args:
        path: of the JSON Lines file (docs/cohort.md).
        evaluation: its scores are log odds.
        curves: fitted on them.
        manifest: of the release, which names the detector and its operating point.
    """
    values = {
        finding: curve_values(curves[finding], evaluation.scores[:, at])
        for at, finding in enumerate(FINDINGS)
    }
    thresholds = manifest.operating_point().thresholds
    lines = []
    for row, radiograph in enumerate(evaluation.radiographs):
        found = {finding: round(float(values[finding][row]), _DIGITS) for finding in FINDINGS}
        detection = CohortDetection(
            detector=manifest.name,
            version=manifest.version,
            scores=_scores(evaluation, row),
            probabilities=found,
            prevalences={finding: curves[finding].prevalence or 0.0 for finding in FINDINGS},
            present=frozenset(finding for finding in FINDINGS if found[finding] >= thresholds[finding]),
        )
        case = CohortCase(
            case=radiograph.name,
            patient=radiograph.patient,
            order=radiograph.follow_up,
            age_years=float(radiograph.age_years),
            sex=radiograph.sex,
            view=radiograph.view,
            observations=tuple(
                Observation(finding=finding, presence=Presence.PRESENT)
                for finding in sorted(radiograph.findings - {ANY})
            ),
            detections=(detection,),
        )
        lines.append(f"{encode_case(case)}\n")
    path.write_text("".join(lines), encoding="utf-8")


def _scores(evaluation: Evaluation, row: int) -> dict[str, float]:
    plain = Calibration(slope=1.0, intercept=0.0)
    scores = curve_values(plain, evaluation.scores[row])
    return {finding: round(float(score), _DIGITS) for finding, score in zip(FINDINGS, scores, strict=True)}
