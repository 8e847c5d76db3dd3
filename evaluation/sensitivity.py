"""Share of present findings that first readers state: `python -m evaluation.sensitivity --data FOLDER`.

For each finding and each set of second reads at hand: how many reports state it, how many findings a second
reader adds, and the share that is stated of both. The last column is what the policy that comes with
overread takes for a hospital of which nothing is known: the mean log odds of the sets, each with some
imaginary cases at one half, kept by half.
"""

import argparse
import csv
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.chexpert import FINDINGS, chexpert_cases, read_chexpert
from evaluation.nih import COLUMNS, MEMBERS, read_nih
from overread.cohort import CohortCase
from overread.errors import InvalidFileError
from overread.observation import Presence
from overread.statistics import proportion

IMAGINARY = 4  # stated and as many added, in each set
SOURCES_AT_HALF = 0.5  # a set more, of which one half is stated
KEPT = 0.5  # of the log odds: the rest is what hospitals differ by


@dataclass(frozen=True, slots=True)
class Count:
    """Statements of one set of second reads about one finding."""

    stated: int  # reports that state it, rightly or not
    added: int  # findings that the second readers see and the report does not state

    @property
    def log_odds(self) -> float:
        """Of being stated, with the imaginary cases."""
        return math.log((self.stated + IMAGINARY) / (self.added + IMAGINARY))


Counts = Mapping[str, Count]  # by finding


def sources(data: Path) -> Iterator[tuple[str, Counts]]:
    """Yield the name and the counts of each set whose files are there.

    Raises:
        InvalidFileError: a file is not in its published layout.
    """
    if (data / "nih_readers").is_dir():
        yield "NIH, 14 findings", _adjudicated(data / "nih_readers")
    if (data / "chexpert_reads").is_dir():
        cases = chexpert_cases(read_chexpert(data / "chexpert_reads"))
        yield "Stanford", {finding: _count(cases, finding) for finding in FINDINGS.values()}
    chexnet = data / "chexnet_reads"
    if chexnet.is_dir():
        cases = tuple(read_nih(chexnet / "detector_scores.csv.gz", chexnet / "expert_reads.csv"))
        read = tuple(case for case in cases if not case.context_only)
        yield "NIH panel, classes", _of_classes(read)


def pooled(counts: Sequence[Count]) -> float:
    """Return the share that is stated at a hospital of which nothing is known."""
    mean = math.fsum(count.log_odds for count in counts) / (len(counts) + SOURCES_AT_HALF)
    return 1 / (1 + math.exp(-KEPT * mean))


def lines(found: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    """Yield the table."""
    yield f"{'':20}" + "".join(f"{name + ': stated, added, share':46}" for name, _ in found) + "policy"
    for finding in COLUMNS.values():
        known = [counts.get(finding) for _, counts in found]
        cells = "".join(f"{_cell(count):46}" for count in known)
        yield f"{finding:20}{cells}{pooled([count for count in known if count is not None]):.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds nih_readers/, chexpert_reads/, chexnet_reads/ (default: OVERREAD_DATA)",
    )
    given = parser.parse_args(arguments)
    for line in lines(list(sources(Path(given.data)))):
        sys.stdout.write(line + "\n")
    return 0


def _cell(count: Count | None) -> str:
    if count is None:
        return "-"
    share = proportion(count.stated, count.stated + count.added)
    return f"{count.stated:5} {count.added:5}  {share:.2f}"


def _count(cases: Sequence[CohortCase], finding: str) -> Count:
    stated = sum(
        any(item.finding == finding and item.presence is Presence.PRESENT for item in case.observations)
        for case in cases
    )
    added = sum(item.finding == finding and item.confirmed for case in cases for item in case.adjudications)
    return Count(stated, added)


def _of_classes(read: Sequence[CohortCase]) -> Counts:
    """Return the counts of each class for every output that is a kind of it and no other kind's class."""
    counts = {}
    for family, members in MEMBERS.items():
        stated = sum(any(item.finding in members for item in case.observations) for case in read)
        added = sum(
            item.finding == family and item.confirmed and item.kind.value == "POSSIBLE_MISS"
            for case in read
            for item in case.adjudications
        )
        for finding in members if family == "lung_lesion" else (family,):
            counts[finding] = Count(stated, added)
    return counts


def _adjudicated(folder: Path) -> Counts:
    truth, reports = (_rows(folder / name) for name in ("adjudicated.csv", "original_reports.csv"))
    try:
        stated = {row["Image Index"]: set(row["Finding Labels"].split("|")) for row in reports}
        return {
            finding: Count(
                stated=sum(column in stated[row["Image ID"]] for row in truth),
                added=sum(
                    row[column.replace("_", " ")] == "YES" and column not in stated[row["Image ID"]]
                    for row in truth
                ),
            )
            for column, finding in COLUMNS.items()
        }
    except KeyError as error:
        raise InvalidFileError(f"{folder} is not in its published layout: {error} is missing") from error


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
