"""Second reads of the CheXpert test studies as a cohort, in the layout of their publication.

`groundtruth.csv` holds the majority of five radiologists, `labeler/chexpert_labels.csv` what was mined from
the original report (1 stated, 0 denied, -1 considered, blank silent) and `models/*.csv` the outputs of
published models for five findings (Irvin et al., AAAI 2019; Rajpurkar et al., arXiv:2002.11379).
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overread.cohort import Adjudication, CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.observation import Observation, Presence

DETECTOR = "chexpert-models"
"""Name of the detector in the cohort: the mean of the published models, each held within [0, 1]."""

FINDINGS = {
    "Cardiomegaly": "cardiomegaly",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Atelectasis": "atelectasis",
    "Pleural Effusion": "effusion",
}
"""Column of the models' outputs -> id in the finding vocabulary."""

REPORTED = {
    **FINDINGS,
    "Lung Lesion": "lung_lesion",
    "Lung Opacity": "opacity",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Fracture": "fracture",
}
"""Column of the report labels -> id in the finding vocabulary; what else is labelled bears on no output."""

_PRESENCE = {"1.0": Presence.PRESENT, "0.0": Presence.ABSENT, "-1.0": Presence.UNCERTAIN}

Table = Mapping[str, Mapping[str, str]]  # by study


@dataclass(frozen=True, slots=True, kw_only=True)
class ChexpertFolder:
    """The files of the publication."""

    truth: Table
    reports: Table
    models: tuple[Table, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        """Studies that every file knows, in the order of the second reads."""
        others = (self.reports, *self.models)
        return tuple(study for study in self.truth if all(study in table for table in others))


def read_chexpert(folder: Path) -> ChexpertFolder:
    """Return the files of a folder.

    Raises:
        InvalidFileError: a file is missing or not in its published layout.
    """
    models = sorted((folder / "models").glob("*.csv"))
    if not models:
        raise InvalidFileError(f"{folder} holds no models/*.csv")
    return ChexpertFolder(
        truth=_table(folder / "groundtruth.csv", tuple(REPORTED)),
        reports=_table(folder / "labeler" / "chexpert_labels.csv", tuple(REPORTED)),
        models=tuple(_table(path, tuple(FINDINGS)) for path in models),
    )


def chexpert_cases(files: ChexpertFolder) -> tuple[CohortCase, ...]:
    """Return the studies as cases, with an adjudication of every finding that the report does not state."""
    return tuple(_case(study, files) for study in files.studies)


def _case(study: str, files: ChexpertFolder) -> CohortCase:
    said = {
        finding: _PRESENCE[label]
        for column, finding in REPORTED.items()
        if (label := files.reports[study][column])
    }
    patient = next((part for part in study.split("/") if part.startswith("patient")), study)
    return CohortCase(
        case=study,
        patient=patient,
        observations=tuple(
            Observation(finding=finding, presence=presence) for finding, presence in said.items()
        ),
        detections=(
            CohortDetection(
                detector=DETECTOR,
                scores={finding: _mean(study, column, files.models) for column, finding in FINDINGS.items()},
            ),
        ),
        adjudications=tuple(
            Adjudication(
                finding=finding,
                kind=DiscrepancyKind.POSSIBLE_MISS,
                confirmed=float(files.truth[study][column]) == 1,
            )
            for column, finding in FINDINGS.items()
            if said.get(finding) is not Presence.PRESENT
        ),
    )


def _mean(study: str, column: str, models: Sequence[Table]) -> float:
    outputs = np.clip([float(table[study][column]) for table in models], 0.0, 1.0)
    return math.fsum(outputs.tolist()) / len(outputs)


def _table(path: Path, columns: Sequence[str]) -> Table:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {error}") from error
    missing = [name for name in ("Study", *columns) if rows and name not in rows[0]]
    if missing or not rows:
        raise InvalidFileError(f"{path} lacks {', '.join(missing) or 'every row'}")
    return {row["Study"]: row for row in rows}
