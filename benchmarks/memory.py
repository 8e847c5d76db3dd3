"""Whether the memory of a detector stays flat over very many studies.

    python -m benchmarks.memory [--studies 10000]

Runs `detect()`, each with a hint for the next study, on small radiographs of 256 x 256 pixels, and, every
twentieth time, on a real object of the pydicom-data package: large, compressed, refused or broken. Prints the
resident memory after each tenth, always between small radiographs, and its slope from the first tenth on.
"""

import argparse
import itertools
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import cast

import numpy as np
from pydicom.data import get_testdata_file

from benchmarks.radiographs import write_radiographs
from models.releases import load_onnx_detector
from overread.errors import InputError

REAL = ("RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG3_UNCR.dcm", "CT_small.dcm", "reportsi.dcm", "MR_truncated.dcm")
EVERY = 20
SMALL = 16
OUTCOMES = ("seen", "not applicable", "unreadable")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=10_000, help="default: 10000")
    studies = parser.parse_args().studies
    warnings.simplefilter("ignore")  # pydicom finds fault with the odd objects, every time
    marks = {tenth * studies // 10 // EVERY * EVERY - EVERY // 2 for tenth in range(1, 11)}
    counts, start = dict.fromkeys(OUTCOMES, 0), time.monotonic()
    found: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        detector = load_onnx_detector()
        paths = _paths(Path(folder))
        for number, (path, following) in enumerate(itertools.pairwise(paths), start=1):
            try:
                detector.prefetch([following])
                counts[OUTCOMES[detector.detect([path]).not_applicable is not None]] += 1
            except InputError:
                counts[OUTCOMES[2]] += 1
            if number in marks:
                found[number] = _resident_megabytes()
                print(
                    f"{number:6} studies, {time.monotonic() - start:5.0f} s: {found[number]:.1f} MB",
                    flush=True,
                )
            if number == max(marks):
                break
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    slope = np.polyfit(list(found), list(found.values()), 1)[0]
    print(f"slope {1000 * slope:+.2f} MB per 1000 studies from study {min(found)} to {max(found)}")
    return 0


def _paths(folder: Path) -> "itertools.chain[Path]":
    """Return small radiographs over and over, a real object after every nineteen."""
    small = itertools.cycle(write_radiographs(folder, SMALL, side=256))
    real = itertools.cycle(Path(cast("str", get_testdata_file(name, download=False))) for name in REAL)
    return itertools.chain.from_iterable(
        [*itertools.islice(small, EVERY - 1), next(real)] for _ in itertools.count()
    )


def _resident_megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
