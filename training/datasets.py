"""NIH ChestX-ray14 as it is published, with boxes, expert boxes and another detector's reads beside it.

Layout of the folder (Wang et al., CVPR 2017): `Data_Entry_2017.csv`, `BBox_List_2017.csv` and `images/`.
Optional: `ChestX_Det.json` in the same folder (Lian et al. 2021, boxes by radiologists), and
`../chexnet_reads/detector_scores.csv.gz` (probabilities of github.com/jrzech/reproduce-chexnet).
"""

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from overread.errors import InvalidFileError, NotFoundError

BOX_SPACE = 1024.0  # pixels per side of the published images, to which every box refers

LABELS: Mapping[str, str] = {  # the 14 labels of the data set -> finding vocabulary
    "Effusion": "effusion",
    "Pneumothorax": "pneumothorax",
    "Cardiomegaly": "cardiomegaly",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Nodule": "nodule",
    "Mass": "mass",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Pleural_Thickening": "pleural_thickening",
    "Hernia": "hernia",
    "Infiltration": "opacity",
}
ANY = "any_abnormality"
FINDINGS = (*LABELS.values(), ANY)

_BOX_LABELS = {
    **LABELS,
    "Infiltrate": "opacity",
    "Pleural Thickening": "pleural_thickening",
    "Diffuse Nodule": "nodule",
}

EXPERT_FINDINGS = frozenset(  # of this vocabulary, those that the radiologists of ChestX-Det looked for
    {
        "atelectasis",
        "cardiomegaly",
        "consolidation",
        "effusion",
        "emphysema",
        "fibrosis",
        "mass",
        "nodule",
        "pleural_thickening",
        "pneumothorax",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Box of a finding drawn by a person; shares of the image side, from its upper left corner."""

    finding: str
    column_min: float
    row_min: float
    column_max: float
    row_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiograph:
    """One frontal chest radiograph of the data set."""

    name: str  # file stem, such as "00000061_012"
    path: Path
    patient: str
    findings: frozenset[str]  # mined from the report by the publishers: weak labels
    view: str  # PA or AP
    sex: str  # M or F
    age_years: int
    follow_up: int = 0  # number among the patient's radiographs, in time
    boxes: tuple[Box, ...] = ()
    expert: frozenset[str] | None = None  # of `EXPERT_FINDINGS`, seen by radiologists; None where none looked
    reads: Mapping[str, float] | None = None  # another detector's probability per finding; None where unread


def read_nih(folder: Path) -> list[Radiograph]:
    """Return every radiograph of the label file whose image is there, ordered by name.

    Raises:
        NotFoundError: the folder lacks the label file or all images.
        InvalidFileError: the label file lacks a column.
    """
    labels = folder / "Data_Entry_2017.csv"
    if not labels.is_file():
        raise NotFoundError(
            f"{folder} has no Data_Entry_2017.csv; give the folder of NIH ChestX-ray14 with --data"
        )
    # Copies of the set come as PNG or JPEG and in one or in several folders, so the stem alone counts.
    images = {
        path.stem: path for path in folder.glob("images*/**/*") if path.suffix.lower() in {".png", ".jpg"}
    }
    drawn = _read_drawn(folder)
    reads = _read_scores(folder.parent / "chexnet_reads" / "detector_scores.csv.gz")
    try:
        with labels.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if Path(row["Image Index"]).stem in images]
            found = [_radiograph(row, images, drawn, reads) for row in rows]
    except (KeyError, ValueError) as error:
        raise InvalidFileError(f"{labels} is not the published label file: {error!r}") from error
    if not found:
        raise NotFoundError(f"{folder}/images holds none of the images that Data_Entry_2017.csv names")
    return sorted(found, key=lambda radiograph: radiograph.name)


def read_kermany(folder: Path) -> list[Radiograph]:
    """Return the radiographs of children in `NORMAL` and `PNEUMONIA` (Kermany et al., Cell 2018), by name.

    Who is one patient is not known of all of them, so each image counts as one.

    Raises:
        NotFoundError: one of the two folders holds no image.
    """
    found = []
    for name, findings in (("NORMAL", frozenset[str]()), ("PNEUMONIA", frozenset({"pneumonia", ANY}))):
        paths = [
            path for path in (folder / name).glob("*") if path.suffix.lower() in {".jpeg", ".jpg", ".png"}
        ]
        if not paths:
            raise NotFoundError(f"{folder} lacks images in {name}; give the folder with test/NORMAL")
        found += [
            Radiograph(
                name=path.stem,
                path=path,
                patient=path.stem,
                findings=findings,
                view="PA",
                sex="",
                age_years=0,
            )
            for path in paths
        ]
    return sorted(found, key=lambda radiograph: radiograph.name)


def _radiograph(
    row: Mapping[str, str],
    images: Mapping[str, Path],
    drawn: "_Drawn",
    reads: Mapping[str, Mapping[str, float]],
) -> Radiograph:
    name = Path(row["Image Index"]).stem
    labels = set(row["Finding Labels"].split("|")) - {"No Finding"}
    findings = {LABELS[label] for label in labels} | ({ANY} if labels else set())
    return Radiograph(
        name=name,
        path=images[name],
        patient=row["Patient ID"],
        findings=frozenset(findings),
        view=row["View Position"],
        sex=row["Patient Gender"],
        age_years=int(row["Patient Age"].rstrip("YMD")),
        follow_up=int(row["Follow-up #"]),
        boxes=drawn.boxes.get(name, ()),
        expert=drawn.expert.get(name),
        reads=reads.get(name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """Marks of people on the images, by name of the image."""

    boxes: Mapping[str, tuple[Box, ...]]
    expert: Mapping[str, frozenset[str]]


def _read_drawn(folder: Path) -> _Drawn:
    """Return the boxes per image; those of the radiologists replace those of the first publication."""
    boxes: dict[str, tuple[Box, ...]] = {}
    first = folder / "BBox_List_2017.csv"
    if first.is_file():
        with first.open(newline="", encoding="utf-8") as lines:
            for row in list(csv.reader(lines))[1:]:
                x, y, width, height = (float(value) for value in row[2:6])
                name = Path(row[0]).stem
                boxes[name] = (*boxes.get(name, ()), *_box(row[1], (x, y, x + width, y + height)))
    second = folder / "ChestX_Det.json"
    expert: dict[str, frozenset[str]] = {}
    if second.is_file():
        for entry in json.loads(second.read_text(encoding="utf-8")):
            name = Path(entry["file_name"]).stem
            pairs = zip(entry["syms"], entry["boxes"], strict=True)
            boxes[name] = tuple(box for label, corners in pairs for box in _box(label, corners))
            expert[name] = frozenset(box.finding for box in boxes[name])
    return _Drawn(boxes=boxes, expert=expert)


def _box(label: str, corners: Iterable[float]) -> tuple[Box, ...]:
    """Return the box, or nothing for a label that the vocabulary of this data set lacks."""
    if label not in _BOX_LABELS:
        return ()
    left, top, right, bottom = (value / BOX_SPACE for value in corners)
    return (Box(finding=_BOX_LABELS[label], column_min=left, row_min=top, column_max=right, row_max=bottom),)


def _read_scores(path: Path) -> dict[str, dict[str, float]]:
    if not path.is_file():
        return {}
    with gzip.open(path, "rt", newline="", encoding="utf-8") as lines:
        return {
            Path(row["image"]).stem: {finding: float(row[label]) for label, finding in LABELS.items()}
            for row in csv.DictReader(lines)
        }
