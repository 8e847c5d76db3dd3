"""Share of reports flagged without an image: `python -m evaluation.reportcheck --data FOLDER`.

Each kind of discrepancy that rests on the report alone, on the coded Open-I reports: flags per 1,000 reports
with their interval, and where in the list they would stand. Whether a flag is right is for a reader to say:
`--list` names the reports of the development part.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.reading.intervals import estimate, share
from evaluation.reading.material import coded_reports
from evaluation.reading.part import Part
from overread.comparison import ComparedCase, compare
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.errors import OverreadError
from overread.finding import load_vocabulary
from overread.priority import default_policy
from overread.report import load_reader

KINDS = (
    DiscrepancyKind.FINDINGS_IMPRESSION_CONFLICT,
    DiscrepancyKind.MISSING_FOLLOW_UP,
    DiscrepancyKind.MISSING_COMMUNICATION,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReport:
    """One report with what it gets wrong by itself."""

    number: str
    part: Part
    found: tuple[Discrepancy, ...]


def check_reports(data: Path) -> tuple[CheckedReport, ...]:
    """Return every coded report with its flags, by the same comparison that the worker makes.

    Raises:
        NotFoundError: the reports are not there.
    """
    reader, policy, vocabulary = load_reader(), default_policy(), load_vocabulary()
    return tuple(
        CheckedReport(
            number=report.number,
            part=report.part,
            found=compare(
                ComparedCase(reading=reader.read(report.text), detections=()), policy, vocabulary
            ).result.discrepancies,
        )
        for report in coded_reports(data)
    )


def lines_of(reports: Sequence[CheckedReport]) -> Iterator[str]:
    """Yield what is measured on some reports."""
    yield f"{len(reports)} reports, policy {default_policy().version}"
    for kind in (None, *KINDS):
        flags = [[item for item in report.found if kind in (None, item.kind)] for report in reports]
        rate = estimate(np.array([[bool(items), not items] for items in flags], dtype=np.int64), share)
        places = [item.priority for items in flags for item in items]
        place = f"   priority {min(places):.0f} to {max(places):.0f} of 100" if places else ""
        yield (
            f"  {kind or 'any of them':30} {1000 * rate.value:5.1f} per 1,000 "
            f"[{1000 * rate.low:.1f}, {1000 * rate.high:.1f}]{place}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds openi/ (default: OVERREAD_DATA)",
    )
    parser.add_argument("--list", action="store_true", help="name each flag of the development part")
    chosen = parser.parse_args(arguments)
    try:
        reports = check_reports(Path(chosen.data))
    except OverreadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for part in Part:
        sys.stdout.write(f"{part}: ")
        of_part = [report for report in reports if report.part is part]
        sys.stdout.writelines(line + "\n" for line in lines_of(of_part))
        if chosen.list and part is Part.DEVELOPMENT:
            sys.stdout.writelines(
                f"  {report.number:6} {item.kind} {item.finding}\n"
                for report in of_part
                for item in report.found
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
