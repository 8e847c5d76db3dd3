"""`overread deidentify`: copies of cases without who the patients are."""

import argparse
import sys
from pathlib import Path

from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output

DESCRIPTION = """\
Copies cases for a demonstration, or for others to work with, without who the patients are. Images after DICOM
PS3.15 annex E: the Basic Application Level Confidentiality Profile, days set back by as much for all of one
patient, UIDs mapped. Report texts only with --with-reports.

  overread deidentify 12 13 14 --out demonstration
  overread deidentify --listed 50 --with-reports --key study.key --out copies
  overread import --data-folder elsewhere --images copies/images --reports copies/reports.csv

The same key gives the same pseudonyms again; without --key the key is thrown away, and nobody can.

What it cannot do: text that is burnt into pixels is not looked for. Objects that say that they have some,
secondary captures and documents are left out, and left-out.csv says so; look at the others. A report may name
somebody whom nothing else names: read the texts before you hand them on.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("cases", type=int, nargs="*", metavar="CASE", help="numbers of cases")
    parser.add_argument("--listed", type=int, metavar="N", help="the first N cases of the list")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new, or empty")
    parser.add_argument("--with-reports", action="store_true", help="report texts too; read them afterwards")
    parser.add_argument("--key", type=Path, metavar="FILE", help="made where it is not there; keep it secret")


def run(arguments: argparse.Namespace) -> int:
    """Copy."""
    from datetime import UTC, datetime  # keeps `overread --help` fast

    from overread.errors import ConfigurationError
    from service.commands.acting import acting
    from service.commands.installation import opened_store
    from service.deidentification.export import copy_cases
    from service.deidentification.pseudonyms import Pseudonyms
    from service.log import configure_logging
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import record_acts
    from service.store.order import Selection
    from service.store.worklist import list_numbers

    configure_logging()
    if bool(arguments.cases) == bool(arguments.listed):
        raise ConfigurationError("name cases by their numbers, or --listed N")
    pseudonyms = Pseudonyms.of_key_file(arguments.key)
    with opened_store(arguments) as store:
        numbers = arguments.cases or list_numbers(
            store, Selection(), now=datetime.now(UTC), limit=arguments.listed
        )
        command = "overread deidentify"
        record_acts(
            store, [acting(AuditAction.EXPORTED, command, subject=f"case {number}") for number in numbers]
        )
        images = reports = left_out = 0
        with requested_output(arguments):
            for count in copy_cases(
                store, numbers, arguments.out, pseudonyms, with_reports=arguments.with_reports
            ):
                images, reports = images + count.images, reports + count.reports
                left_out += len(count.left_out)
                sys.stderr.write(f"case {count.case_id}: {count.images} images\n")
    print(f"{len(numbers)} cases, {images} images, {reports} reports in {arguments.out}")
    if left_out:
        print(f"{left_out} images left out: {arguments.out / 'left-out.csv'} says why")
    return EXIT_FAILED if left_out else EXIT_OK


command = Command(
    summary="copy cases without who the patients are",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
