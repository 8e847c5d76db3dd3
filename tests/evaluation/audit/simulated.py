"""Made-up cohorts whose shares are known, for tests of an audit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FINDINGS = ("effusion", "mass", "pneumothorax")
_POINT = 0.5


def write_simulated(
    path: Path,
    cases: int = 600,
    *,
    seed: int = 3,
    change: Callable[[dict[str, Any], int], None] | None = None,
) -> list[dict[str, Any]]:
    """Write cases, two of a patient, and return them as they stand in the file."""
    random = np.random.default_rng(seed)
    records = []
    for number in range(cases):
        scores = {finding: round(float(random.beta(0.5, 1.5)), 3) for finding in FINDINGS}
        record: dict[str, Any] = {
            "case": f"c{number}",
            "patient": f"p{number // 2}",
            "sex": "MF"[number % 2],
            "modality": "DX",
            "site": ("north", "south", "tiny")[0 if number % 3 else 1] if number >= 6 else "tiny",
            "month": f"2025-{1 + number * 12 // cases:02d}",
            "first_reader": f"Dr {number % 8}",
            "observations": [
                {"finding": finding, "presence": "PRESENT" if random.random() < score else "ABSENT"}
                for finding, score in scores.items()
                if random.random() < 0.8
            ],
            "detections": [
                {
                    "detector": "some",
                    "version": "1",
                    "scores": scores,
                    "present": [finding for finding, score in scores.items() if score >= _POINT],
                }
            ],
        }
        if change is not None:
            change(record, number)
        records.append(record)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return records
