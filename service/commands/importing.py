"""`overread import`: an archive of reports and images into the store."""

import argparse
import csv
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Command, requested_output
from overread.errors import InvalidFileError
from overread.spreadsheet import as_cell

if TYPE_CHECKING:
    from service.importing.reports import ImportOptions, Problem
    from service.importing.tally import Progress, Tally
    from service.store.database import Store

DESCRIPTION = """\
Brings an archive into the store, through the same intake that every report and image takes: what is there
already changes nothing, and what cannot be used goes to quarantine with its reason. Interrupted, it goes on
where it was when it is run again.

  overread import --images /archive/dicom --reports reports.csv --dry-run
  overread import --images /archive/dicom --reports reports.csv
  overread import --reports ris.csv --encoding cp1252 --delimiter ';' --status Approved=FINAL \\
      --column accession=AccNo --column text=Findings --column text=Impression

Reports: CSV, JSON Lines or Parquet, a row each, with accession number or study UID, text, and where there are
any, status and patient id. Images: folders, DICOMDIR, zip and tar archives. Ends with 0 if everything is
stored, 1 if something is in quarantine or could not be read.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--images", nargs="+", type=Path, default=[], metavar="PATH", help="archives of images"
    )
    parser.add_argument(
        "--reports", nargs="+", type=Path, default=[], metavar="FILE", help="tables of reports"
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help="which column holds accession, study, patient, status, issued or text; text may repeat",
    )
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        metavar="WORD=STATUS",
        help="what a status of this archive means, such as Approved=FINAL",
    )
    parser.add_argument("--encoding", default="utf-8", help="character set of the tables (default utf-8)")
    parser.add_argument("--delimiter", help="of CSV: a character, or 'tab' (default: as line 1 shows)")
    parser.add_argument("--threads", type=int, default=4, help="images at once (default 4)")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, store nothing")
    parser.add_argument("--again", action="store_true", help="look again at what an earlier import has taken")
    parser.add_argument(
        "--problems",
        type=Path,
        metavar="FILE",
        help="CSV of all that was not stored, and why (default: stderr)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import what was named."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    if not (arguments.images or arguments.reports):
        sys.stderr.write("overread import: give --images, --reports, or both\n")
        return EXIT_USAGE
    configure_logging(level=logging.ERROR)  # a line for each image would hide the progress
    with opened_store(arguments, creates=True) as store, _problems(arguments) as problem:
        tallies = list(_tallies(store, arguments, problem))
    return EXIT_OK if all(tally.is_clean for tally in tallies) else EXIT_FAILED


def _tallies(store: "Store", arguments: argparse.Namespace, problem: "Problem") -> Iterator["Tally"]:
    from service.importing.columns import parse_columns
    from service.importing.images import import_images
    from service.importing.reports import import_reports
    from service.importing.tables import TableOptions

    table = TableOptions(
        encoding=arguments.encoding,
        delimiter=arguments.delimiter,
        columns=parse_columns(arguments.column),
    )
    options = _options(arguments)
    for path in arguments.images:
        progress = _progress(path, options)
        yield import_images(
            store, path, options, threads=arguments.threads, progress=progress, problem=problem
        )
    for path in arguments.reports:
        progress = _progress(path, options)
        yield import_reports(store, path, table, options, progress=progress, problem=problem)


def _options(arguments: argparse.Namespace) -> "ImportOptions":
    from service.importing.reports import ImportOptions, parse_statuses

    return ImportOptions(
        dry_run=arguments.dry_run,
        again=arguments.again,
        statuses=parse_statuses(arguments.status),
        pause=time.sleep,
        clock=lambda: datetime.now(UTC),
    )


def _progress(path: Path, options: "ImportOptions") -> "Progress":
    from service.importing.tally import Progress

    return Progress(
        path.name, lambda words: print(words, flush=True), time.monotonic, dry_run=options.dry_run
    )


@contextmanager
def _problems(arguments: argparse.Namespace) -> Iterator["Problem"]:
    """Give what takes the problems: a file of two columns, or standard error."""
    path: Path | None = arguments.problems
    if path is None:
        yield lambda place, why: print(f"{place}: {why}", file=sys.stderr)
        return
    try:
        with requested_output(arguments):
            opened = path.open("w", encoding="utf-8", newline="")
        with opened as file:
            rows = csv.writer(file)
            rows.writerow(("place", "why"))
            yield lambda place, why: rows.writerow((as_cell(place), as_cell(why)))
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error


command = Command(
    summary="bring an archive of reports and images into the store",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
