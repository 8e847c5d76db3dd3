"""Chest CT reports of CT-RATE with their 18 labels, and how the labels map to findings of the vocabulary."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.reading.codes import Code, Label
from evaluation.reading.intervals import Counts
from overread.errors import InvalidFileError, NotFoundError
from overread.observation import Presence, ReportObservation, Temporality
from overread.ports import ReportReader

_GONE = frozenset({Temporality.RESOLVED, Temporality.REMOVED})
_NODES = "Lymphadenopathy"
_NORMAL_NODES = (
    "node:small"  # rule by which nodes are of normal size; the labels count them as lymphadenopathy
)


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
        raise InvalidFileError("the labels of a report are no table")
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
        "endotracheal_tube feeding_tube central_venous_catheter chest_tube cardiac_device "
        "malpositioned_device heart_valve_prosthesis orthopedic_hardware stent implanted_device "
        "surgical_change foreign_body",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CtAgreement:
    """Counts by report and label, without and with nodes that the reader takes for normal ones."""

    counts: Counts  # reports x labels x (true positive, false positive, false negative)
    all_counts: Counts
    normal_nodes: int  # cells left out of `counts`
    errors: tuple[str, ...]  # report, label and what is wrong; never the text


def ct_agreement(reports: Sequence[LabelledReport], reader: ReportReader) -> CtAgreement:
    """Return how a reader agrees with the labels; what it states with a hedge counts as stated."""
    counts = np.zeros((len(reports), len(CT_LABELS), 3), dtype=np.int64)
    errors: list[str] = []
    normal: list[tuple[int, int]] = []
    for row, report in enumerate(reports):
        observations = reader.read(report.text).observations
        for column, label in enumerate(CT_LABELS):
            coded = any(label.coded(code) for code in report.codes)
            stated = any(
                o.presence is not Presence.ABSENT and is_current(o, label.findings) for o in observations
            )
            if coded and not stated and label.name == _NODES and _has_normal_nodes(observations):
                normal.append((row, column))
            if coded or stated:
                counts[row, column, 0 if coded and stated else 2 if coded else 1] = 1
            if coded != stated:
                errors.append(f"{report.number}\t{label.name}\t{'missed' if coded else 'wrong'}")
    without = counts.copy()
    for row, column in normal:
        without[row, column] = 0
    return CtAgreement(counts=without, all_counts=counts, normal_nodes=len(normal), errors=tuple(errors))


def is_current(observation: ReportObservation, findings: frozenset[str]) -> bool:
    """Whether an observation is of one of these findings, and not of one that is gone."""
    return observation.finding in findings and observation.temporality not in _GONE


def _has_normal_nodes(observations: Sequence[ReportObservation]) -> bool:
    return any(observation.rules.get("finding") == _NORMAL_NODES for observation in observations)


_CALCIFIED = r"(?:calcif\w+|atheroma\w*|atheroscl\w+)"
# What a plain keyword list knows of the same labels: the floor to beat.
_KEYWORDS: Mapping[str, str] = {
    "Medical material": r"catheter|stent|sternotomy|cerclage|pacemaker|prosthe\w+|suture|port|clips?|tube",
    "Arterial wall calcification": rf"{_CALCIFIED}[^.]*aort\w*|aort\w*[^.]*{_CALCIFIED}",
    "Cardiomegaly": r"cardiomegaly|heart (?:size|dimensions?)[^.]*increased|enlarged heart",
    "Pericardial effusion": r"pericardial (?:effusion|fluid)",
    "Coronary artery wall calcification": rf"{_CALCIFIED}[^.]*coronar\w+|coronar\w+[^.]*{_CALCIFIED}",
    "Hiatal hernia": r"hernia",
    "Lymphadenopathy": r"lymphadenopath\w+|lymph nodes?",
    "Emphysema": r"emphysem\w+|bulla\w*",
    "Atelectasis": r"atelecta\w+|collaps\w+",
    "Lung nodule": r"nodules?",
    "Lung opacity": r"ground[- ]glass|opacit\w+|infiltrat\w+",
    "Pulmonary fibrotic sequela": r"fibro\w+|sequel\w*|scar\w*",
    "Pleural effusion": r"pleural effusions?|effusions?",
    "Mosaic attenuation pattern": r"mosaic",
    "Peribronchial thickening": r"peribronchial thick\w+|bronchial wall thick\w+|peribronchial wall thick\w+",
    "Consolidation": r"consolidat\w+",
    "Bronchiectasis": r"bronchiecta\w+",
    "Interlobular septal thickening": r"interlobular sept\w+|septal thick\w+",
}
_NOT = re.compile(r"\b(?:no|not|without|normal|natural)\b")


def ct_keyword_counts(reports: Sequence[LabelledReport]) -> Counts:
    """Return the counts of a keyword list that drops a sentence with a negation in it."""
    patterns = [re.compile(rf"\b(?:{_KEYWORDS[label.name]})") for label in CT_LABELS]
    counts = np.zeros((len(reports), len(CT_LABELS), 3), dtype=np.int64)
    for row, report in enumerate(reports):
        sentences = [s for s in re.split(r"[.;]", report.text.lower()) if not _NOT.search(s)]
        for column, (label, pattern) in enumerate(zip(CT_LABELS, patterns, strict=True)):
            coded = any(label.coded(code) for code in report.codes)
            stated = any(pattern.search(sentence) for sentence in sentences)
            if coded or stated:
                counts[row, column, 0 if coded and stated else 2 if coded else 1] = 1
    return counts
