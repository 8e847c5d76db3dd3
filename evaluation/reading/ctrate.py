"""Chest CT reports of CT-RATE with their 18 labels, and how the labels map to findings of the vocabulary."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from evaluation.reading.codes import Code, Label
from overread.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledReport:
    """One report and the labels that were given to it by hand."""

    number: str
    text: str
    codes: tuple[Code, ...]  # one per label that is set, as the coded reports of Open-I have them

    @property
    def half(self) -> int:
        """Return 0 for the half that rules were tuned on, 1 for the half that was seldom looked at."""
        return int(hashlib.sha256(self.number.encode()).hexdigest()[:8], 16) % 2


def labelled_reports(data: Path) -> tuple[LabelledReport, ...]:
    """Return the reports.

    Raises:
        NotFoundError: the file is not there.
    """
    path = data / "ctrate" / "reports_dev.jsonl"
    if not path.is_file():
        raise NotFoundError(f"{path} is missing; give the data folder by --data or OVERREAD_DATA")
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(_report(json.loads(line)) for line in lines if line.strip())


def _report(record: dict[str, object]) -> LabelledReport:
    labels = record["labels"]
    if not isinstance(labels, dict):
        raise NotFoundError("the labels are no table")
    return LabelledReport(
        number=str(record["id"]),
        text=str(record["text"]),
        codes=tuple((name,) for name, value in labels.items() if value),
    )


def _label(name: str, findings: str) -> Label:
    return Label(name=name, coded=lambda code: code[0] == name, findings=frozenset(findings.split()))


CT_LABELS = (
    _label(
        "Medical material",
        "endotracheal_tube feeding_tube central_venous_catheter chest_tube cardiac_device malpositioned_device "
        "heart_valve_prosthesis orthopedic_hardware stent implanted_device surgical_change foreign_body",
    ),
    _label("Arterial wall calcification", "aortic_calcification"),
    _label("Cardiomegaly", "cardiomegaly"),
    _label("Pericardial effusion", "pericardial_effusion"),
    _label("Coronary artery wall calcification", "coronary_calcification"),
    _label("Hiatal hernia", "hernia"),
    _label("Lymphadenopathy", "lymphadenopathy"),
    _label("Emphysema", "emphysema bulla"),
    _label("Atelectasis", "atelectasis lobar_collapse"),
    _label("Lung nodule", "nodule multiple_nodules"),
    _label("Lung opacity", "opacity ground_glass_opacity"),
    _label("Pulmonary fibrotic sequela", "fibrosis scar"),
    _label("Pleural effusion", "effusion hydropneumothorax hemothorax empyema"),
    _label("Mosaic attenuation pattern", "mosaic_attenuation"),
    _label("Peribronchial thickening", "bronchial_thickening"),
    _label("Consolidation", "consolidation"),
    _label("Bronchiectasis", "bronchiectasis"),
    _label("Interlobular septal thickening", "septal_thickening"),
)
"""The 18 labels of CT-RATE."""
