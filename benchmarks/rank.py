"""Time and memory to order a large cohort: `python -m benchmarks.rank [--cases 1000000]`.

Writes a cohort of made-up cases with 14 scores and the findings of a report each, three studies a patient,
and runs `overread rank` on it as a person would, with a fit that comes with overread. The limits are 60
seconds on two cores and 1 GB for a million cases.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.nih import COLUMNS, DETECTOR

SECONDS_MAX, MEGABYTES_MAX = 60, 1_000
_BLOCK = 10_000


def made_up_cases(cases: int, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield made-up cases as a cohort file has them, three of each patient."""
    generator = np.random.default_rng(seed)
    findings = list(COLUMNS.values())
    for start in range(0, cases, _BLOCK):
        scores = np.round(generator.random((_BLOCK, len(findings))) ** 4, 5).tolist()
        stated = generator.integers(0, len(findings), _BLOCK)
        for row in range(min(_BLOCK, cases - start)):
            number = start + row
            yield {
                "case": f"{number:08d}",
                "patient": f"{number // 3:08d}",
                "order": number % 3,
                "age_years": 20 + number % 70,
                "sex": "MF"[number % 2],
                "view": ("PA", "AP")[number % 2],
                "observations": [{"finding": findings[stated[row]], "presence": "PRESENT"}],
                "detections": [
                    {"detector": DETECTOR, "scores": dict(zip(findings, scores[row], strict=True))}
                ],
            }


def write_cohort(path: Path, cases: Iterable[dict[str, Any]]) -> None:
    """Write cases as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for case in cases:
            file.write(json.dumps(case, separators=(",", ":")) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print time and memory, with and without the file of pairs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cohort = folder / "cohort.jsonl"
        write_cohort(cohort, made_up_cases(given.cases, seed=given.seed))
        print(f"{given.cases} cases, {cohort.stat().st_size / 1e6:.0f} MB", flush=True)
        for label, outputs in (
            ("cases.csv", ["--cases", str(folder / "cases.csv")]),
            ("cases.csv and rows.csv", ["--cases", str(folder / "c.csv"), "--out", str(folder / "r.csv")]),
        ):
            before, began = _cpu_seconds(), time.monotonic()
            command = [sys.executable, "-m", "overread", "rank", str(cohort), *outputs]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds = time.monotonic() - began
            # of the largest process; readers of lines hold a few blocks besides
            megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            print(
                f"{label:24} {seconds:6.1f} s ({seconds / SECONDS_MAX:.2f} of the limit), "
                f"CPU {_cpu_seconds() - before:6.1f} s, "
                f"{megabytes:5.0f} MB ({megabytes / MEGABYTES_MAX:.2f} of the limit)",
                flush=True,
            )
    return 0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
