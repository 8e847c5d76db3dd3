"""`overread export`: the concluded cases of an installation as a cohort file."""

import argparse
import sys
from pathlib import Path

from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="cohort file, .jsonl")
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="of the pseudonyms; made where it is not there; keep it secret",
    )


def _run(arguments: argparse.Namespace) -> int:
    from service.commands.acting import acting  # keeps `overread --help` fast
    from service.commands.installation import opened_store
    from service.deidentification.pseudonyms import Pseudonyms
    from service.export import export_cohort
    from service.log import configure_logging
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import record_acts

    configure_logging()
    pseudonyms = Pseudonyms.of_key_file(arguments.key)
    with opened_store(arguments) as store:
        record_acts(store, [acting(AuditAction.EXPORTED, "overread export")])
        with requested_output(arguments):
            summary = export_cohort(store, arguments.out, pseudonyms)
    for case in summary.left_out:
        sys.stderr.write(f"left out: case {case.case_id}, study {case.study_instance_uid}: {case.why}\n")
    sys.stderr.write(f"{summary.written} cases in {arguments.out}\n")
    return EXIT_FAILED if summary.left_out else EXIT_OK


command = Command(
    summary="write the concluded cases as a cohort file",
    description=(
        "Write every case that triage concluded as a cohort file: what its report states, what the\n"
        "detectors scored, age and sex, site, body part, scanner, month and, with OVERREAD_SHIFTS, shift.\n"
        "Patients are numbered, texts and names stay here; a case is named by its study. First readers get\n"
        "pseudonyms: the same key gives the same again, and without --key it is thrown away, so that nobody\n"
        "can tell who they are, or that two exports name the same one. A case whose stored result this\n"
        "release cannot read is left out and named; the command then ends with status 1.\n\n"
        "  overread export --out past.jsonl\n"
        "  overread rank past.jsonl --fit past.jsonl --save-fit fit.json --cases order.csv"
    ),
    configure=_configure,
    run=_run,
    uses_installation=True,
)
