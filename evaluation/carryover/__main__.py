"""Whether the order carries over, set by set: `python -m evaluation.carryover --data FOLDER`.

On every set at hand of which is known what its reports leave out, the order of overread is compared with
the detector's raw score: of pairs of case and finding, and of cases. Intervals are of patients drawn with
replacement, differences in pairs. No set learned from the patients that it is judged on, except that the
first line of Stanford takes what its scores are worth from its own reports, as `overread rank` does where
nothing is known.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.carryover.judged import FIGURES, Floats, JudgedSet
from evaluation.carryover.sets import (
    arrays_of,
    boxed_set,
    chexpert_sets,
    learned,
    left_out_set,
    other_patients,
    out_of_fold_set,
    panel_set,
)
from evaluation.cohortfile import open_cohort
from evaluation.nih import DETECTOR as CHEXNET
from evaluation.nih import read_nih
from overread.errors import InvalidFileError
from overread.reporting_model import encode_reporting_model
from overread.statistics import Estimate, bootstrap, percentile_interval

RESAMPLES = 1_000
SEED = 20261129


def sets_at_hand(data: Path, out_of_fold: Path | None) -> Iterator[JudgedSet]:
    """Yield the sets whose files are there.

    Raises:
        InvalidFileError: a file is not in its published layout.
    """
    chexnet = data / "chexnet_reads"
    if chexnet.is_dir():
        cases = list(read_nih(chexnet / "detector_scores.csv.gz", chexnet / "expert_reads.csv"))
        arrays = arrays_of(cases)
        yield panel_set(cases, arrays)
        yield left_out_set(arrays)
        boxes = data / "nih" / "ChestX_Det.json"
        if boxes.is_file():
            yield boxed_set(arrays, boxes)
    if (data / "chexpert_reads").is_dir():
        yield from chexpert_sets(data / "chexpert_reads")
    if out_of_fold is not None:
        yield out_of_fold_set(out_of_fold)


def compare(judged: JudgedSet, resamples: int) -> Iterator[str]:
    """Yield a line for each figure: raw score, overread, their difference in pairs."""
    patients = judged.patients
    count = len(np.unique(patients))
    yield f"{judged.name}: {len(patients)} cases of {count} patients, {int(judged.missed.sum())} missed"
    yield f"  {'':30} {'raw score':22} {'overread':22} difference"
    everything = np.arange(len(patients))
    for name, figure in FIGURES.items():
        raw, ours = (partial(figure, judged, scores) for scores in (judged.raw, judged.ours))
        drawn = [bootstrap(patients, of, resamples=resamples, seed=SEED) for of in (raw, ours)]
        low, high = percentile_interval(drawn[1] - drawn[0])
        cells = [_cell(of(everything), values, count) for of, values in zip((raw, ours), drawn, strict=True)]
        yield f"  {name:30} {cells[0]:22} {cells[1]:22} [{low:+.3f}, {high:+.3f}]"


def save_chexnet_model(data: Path, path: Path) -> None:
    """Write the model that comes with overread: of the reports of all patients without a panel read."""
    cases = list(
        read_nih(
            data / "chexnet_reads" / "detector_scores.csv.gz", data / "chexnet_reads" / "expert_reads.csv"
        )
    )
    arrays = arrays_of(cases)
    read = arrays.rows(np.flatnonzero(arrays.ordered))
    model = learned(CHEXNET, other_patients(arrays, read))
    path.write_text(encode_reporting_model(model) + "\n", encoding="utf-8")


def save_out_of_fold_model(cohort: Path, path: Path) -> None:
    """Write the model of a detector on patients that it did not learn from, bound to its version."""
    detection = next(item for case in open_cohort(cohort) for item in case.detections)
    arrays = arrays_of(open_cohort(cohort))
    model = replace(learned(detection.detector, arrays), version=detection.version or None)
    path.write_text(encode_reporting_model(model) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds chexnet_reads/, chexpert_reads/, nih/, as far as there are (OVERREAD_DATA)",
    )
    parser.add_argument(
        "--out-of-fold",
        type=Path,
        metavar="COHORT",
        help="outputs of a detector on patients that it did not learn from (`overread train --out-of-fold`)",
    )
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="N")
    parser.add_argument(
        "--save-chexnet", type=Path, metavar="JSON", help="write the reporting model that comes with overread"
    )
    parser.add_argument(
        "--save-out-of-fold",
        type=Path,
        metavar="JSON",
        help="write the reporting model of the detector of --out-of-fold, such as comes with overread",
    )
    given = parser.parse_args(arguments)
    data = Path(given.data)
    if given.save_out_of_fold:
        save_out_of_fold_model(given.out_of_fold, given.save_out_of_fold)
    if given.save_chexnet:
        save_chexnet_model(data, given.save_chexnet)
    found = 0
    for judged in sets_at_hand(data, given.out_of_fold):
        found += 1
        for line in compare(judged, given.resamples):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    if not found:
        raise InvalidFileError(f"{data} holds none of the sets; see --help")
    return 0


def _cell(value: float, drawn: Floats, patients: int) -> str:
    low, high = percentile_interval(drawn)
    return f"{Estimate(value=value, low=low, high=high, n=patients):.3f}"


if __name__ == "__main__":
    sys.exit(main())
