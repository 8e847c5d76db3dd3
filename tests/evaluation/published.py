"""Small files in the layout of the published scores and panel reads, made by the tests."""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np

from evaluation.nih import COLUMNS, PANEL


def write_scores(path: Path, rows: list[tuple[str, str, dict[str, float]]]) -> Path:
    """Write images with the labels of their reports, separated by bars, and scores; others are low."""
    fields = ["image", "patient_id", "age", "sex", "view", "report_findings", *COLUMNS]
    with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fields)
        table.writeheader()
        for image, findings, scores in rows:
            described = {
                "image": image,
                "patient_id": image.split("_")[0],
                "age": 60,
                "sex": "M",
                "view": "PA",
            }
            probabilities = dict.fromkeys(COLUMNS, 0.01) | scores
            table.writerow(described | {"report_findings": findings} | probabilities)
    return path


def write_reads(path: Path, seen: dict[str, set[str]]) -> Path:
    """Write which columns of the panel say yes, by image."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["image", *PANEL])
        table.writeheader()
        for image, columns in seen.items():
            table.writerow({"image": image} | {name: "YES" if name in columns else "NO" for name in PANEL})
    return path


def simulated_rows(patients: int, seed: int = 4) -> list[tuple[str, str, dict[str, float]]]:
    """Two studies of each patient; reports state masses and infiltrations mostly where scores are high."""
    generator = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        for study in range(2):
            mass, infiltration = generator.random(2)
            stated = [
                name
                for name, score in (("Mass", mass), ("Infiltration", infiltration))
                if generator.random() < 0.6 * score**2
            ]
            scores = {"Mass": float(mass), "Infiltration": float(infiltration)}
            rows.append((f"{patient:08d}_{study:03d}.png", "|".join(stated) or "No Finding", scores))
    return rows


def write_made_up(folder: Path) -> None:
    """Write a site of 800 studies, of which a panel read 160 and saw most where scores are high."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = simulated_rows(400)
    write_scores(folder / "detector_scores.csv.gz", rows)
    generator = np.random.default_rng(7)
    seen = {
        image: {
            column
            for column, score in (
                ("Nodule or mass", scores["Mass"]),
                ("Airspace opacity", scores["Infiltration"]),
            )
            if generator.random() < score**2
        }
        for image, _, scores in rows[:160]
    }
    write_reads(folder / "expert_reads.csv", seen)


if __name__ == "__main__":
    write_made_up(Path(sys.argv[1]))
