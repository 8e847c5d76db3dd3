"""A tiny data set in the layout of NIH ChestX-ray14: noise, with a bright square where there is a mass."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
SIDE = 128


def write_nih(folder: Path, *, patients: int = 60) -> Path:
    """Write two radiographs per patient; every odd patient has every finding, shown as a bright square."""
    nih = folder / "nih"
    (nih / "images").mkdir(parents=True)
    random = np.random.default_rng(3)
    rows, boxes, reads = [], [], []
    for patient in range(1, patients + 1):
        for follow_up in range(2):
            name = f"{patient:08d}_{follow_up:03d}"
            pixels = random.integers(0, 90, size=(SIDE, SIDE), dtype=np.uint8)
            sick = patient % 2 == 1
            if sick:
                row, column = random.integers(16, 80, size=2)
                pixels[row : row + 32, column : column + 32] = 230
                corners = [int(at) * 1024 // SIDE for at in (column, row, column + 32, row + 32)]
                boxes.append(
                    {"file_name": f"{name}.png", "syms": ["Mass", "Fracture"], "boxes": [corners, corners]}
                )
            Image.fromarray(pixels).save(nih / "images" / f"{name}.jpg", quality=95)
            rows.append(
                [f"{name}.png", "|".join(LABELS) if sick else "No Finding", follow_up, patient, 50, "F", "PA"]
            )
            if follow_up == 0:
                reads.append([f"{name}.png", *([0.2 if sick else 0.01] * len(LABELS))])
    _write_labels(nih, rows)
    (nih / "ChestX_Det.json").write_text(json.dumps(boxes))
    (folder / "chexnet_reads").mkdir()
    with gzip.open(folder / "chexnet_reads" / "detector_scores.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([["image", *LABELS], *reads])
    return nih


def _write_labels(nih: Path, rows: list[list[object]]) -> None:
    columns = [
        "Image Index",
        "Finding Labels",
        "Follow-up #",
        "Patient ID",
        "Patient Age",
        "Patient Gender",
        "View Position",
    ]
    with (nih / "Data_Entry_2017.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    with (nih / "BBox_List_2017.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"],
                ["00000002_000.png", "Infiltrate", 512, 256, 128, 64],
            ]
        )
