"""The cases of a trial: a cohort file for the labels, a folder of images that both releases look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.gate import Outputs, Trial
from evaluation.ranking_metrics import Floats
from models.dicom import is_dicom
from models.onnx_detector import OnnxDetector
from overread.cohort import read_cohort
from overread.errors import InputError, InvalidFileError
from overread.finding import Vocabulary
from overread.observation import Observation
from overread.ports import Detector, ReportReader
from overread.report_labels import report_label, stated_observations

PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCase:
    """One labelled study with its files."""

    case: str
    patient: str
    observations: tuple[Observation, ...]  # what the report states now
    files: tuple[Path, ...]


def load_cases(cohort: Path, images: Path, reader: ReportReader) -> tuple[GateCase, ...]:
    """Return the cases of a cohort with their images: FOLDER/CASE is a file or a folder of one study.

    Cases that are context only are left out.

    Raises:
        InvalidFileError: the cohort is malformed, a case has no image, or nothing labels it.
    """
    cases = tuple(
        GateCase(
            case=case.case,
            patient=case.patient,
            observations=stated_observations(case, reader),
            files=_files(images, case.case),
        )
        for case in read_cohort(cohort)
        if not case.context_only
    )
    if not cases:
        raise InvalidFileError(f"{cohort} holds no case")
    return cases


def run_trial(
    cases: Sequence[GateCase],
    active: Detector,
    candidate: Detector,
    vocabulary: Vocabulary,
    *,
    progress: Callable[[int], None],
) -> Trial:
    """Return what both releases say of the cases.

    Args:
        cases: of the cohort.
        active: the release that runs.
        candidate: the one that might.
        vocabulary: with the relations between findings.
        progress: called after each case with how many are done.
    """
    said: list[tuple[Mapping[str, float] | None, Mapping[str, float] | None]] = []
    for number, case in enumerate(cases, start=1):
        said.append((_look(active, case.files), _look(candidate, case.files)))
        progress(number)
    findings = [finding for finding in active.findings if finding in candidate.findings]
    return Trial(
        patients=np.array([case.patient for case in cases]),
        labels={
            finding: np.array([report_label(case.observations, finding, vocabulary) for case in cases])
            for finding in findings
        },
        active=_outputs(active, [pair[0] for pair in said]),
        candidate=_outputs(candidate, [pair[1] for pair in said]),
    )


def _look(detector: Detector, files: Sequence[Path]) -> Mapping[str, float] | None:
    """Return the probability by finding; None where the release does not apply or cannot read the files."""
    try:
        if len(files) == 1 and not is_dicom(files[0]) and isinstance(detector, OnnxDetector):
            return dict(zip(detector.findings, detector.probabilities(files[0]), strict=True))
        detection = detector.detect(files)
    except InputError:
        return None
    if detection.not_applicable is not None:
        return None
    return {item.finding: item.probability for item in detection.observations}


def _outputs(detector: Detector, said: Sequence[Mapping[str, float] | None]) -> Outputs:
    probabilities: dict[str, Floats] = {
        finding: np.array([np.nan if item is None else item.get(finding, np.nan) for item in said])
        for finding in detector.findings
    }
    return Outputs(
        findings=detector.findings,
        probabilities=probabilities,
        applicable=np.array([item is not None for item in said]),
    )


def _files(images: Path, case: str) -> tuple[Path, ...]:
    path = images / case
    if images.resolve() not in path.resolve().parents:
        raise InvalidFileError(f"case {case!r} names a path outside {images}")
    if path.is_dir():
        files = tuple(sorted(item for item in path.rglob("*") if item.is_file()))
    else:
        named = (path, *(path.with_name(path.name + ending) for ending in (".dcm", *PICTURES)))
        files = tuple(item for item in named if item.is_file())[:1]
    if not files:
        raise InvalidFileError(f"case {case!r} has no image: neither file nor folder {path}")
    return files
