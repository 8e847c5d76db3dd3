"""`overread cohort`: make, check and convert cohort files."""

import argparse
import sys
from pathlib import Path

from overread.command import EXIT_OK, Command


def _configure(parser: argparse.ArgumentParser) -> None:
    jobs = parser.add_subparsers(dest="job", metavar="JOB", required=True)
    nih = jobs.add_parser(
        "from-nih",
        help="from published detector scores with mined report labels and, if given, panel reads",
        description="Read a scores file in the layout of the reproduce-chexnet project (a row an image, its\n"
        "14 probabilities and the labels mined from the original report) as a cohort. The number\n"
        "behind the underscore of an image's name is the order of the patient's studies.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    nih.add_argument("--scores", type=Path, required=True, metavar="CSV", help="plain or .gz")
    nih.add_argument(
        "--reads",
        type=Path,
        metavar="CSV",
        help="panel reads: these images become cases with adjudications, all others context only",
    )
    nih.add_argument("--out", type=Path, required=True, help="cohort file, .jsonl or .parquet")
    tables = jobs.add_parser(
        "from-tables",
        help="from a table of reports and a table of a detector's stored results",
        description="REPORTS has the columns case, patient, text and, where known, order, age_years, sex,\n"
        "view, modality, body_part, subspecialty, site, scanner, shift, month, first_reader. SCORES has\n"
        "case, a column of calibrated probabilities for each finding, and `present`: findings at or above\n"
        "the operating point, separated by spaces, where one is in use.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tables.add_argument("--reports", type=Path, required=True, metavar="CSV")
    tables.add_argument("--scores", type=Path, required=True, metavar="CSV")
    tables.add_argument("--detector", required=True, metavar="NAME", help="that made the scores")
    tables.add_argument("--detector-version", default="", metavar="TEXT")
    tables.add_argument("--out", type=Path, required=True, help="cohort file, .jsonl or .parquet")
    convert = jobs.add_parser("convert", help="between JSON Lines and Parquet, by the names of the files")
    convert.add_argument("cohort", type=Path)
    convert.add_argument("--out", type=Path, required=True)
    check = jobs.add_parser("check", help="read every line, say what is there or which line is wrong")
    check.add_argument("cohort", type=Path)


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.cohortfile import check_cohort, open_cohort, write_cohort
    from evaluation.nih import read_nih
    from evaluation.table_cohort import table_cases
    from overread.finding import load_vocabulary

    if arguments.job == "check":
        for line in check_cohort(arguments.cohort):
            print(line)
        return EXIT_OK
    if arguments.job == "from-nih":
        cases = read_nih(arguments.scores, arguments.reads)
    elif arguments.job == "from-tables":
        cases = table_cases(
            arguments.reports,
            arguments.scores,
            detector=arguments.detector,
            version=arguments.detector_version,
            vocabulary=load_vocabulary(),
        )
    else:
        cases = open_cohort(arguments.cohort)
    count = write_cohort(cases, arguments.out)
    sys.stderr.write(f"{count} cases in {arguments.out}\n")
    return EXIT_OK


command = Command(
    summary="make, check and convert cohort files",
    description=(
        "A cohort file holds cases with report, detector outputs and adjudications, one JSON object a line\n"
        "(docs/cohort.md); Parquet files carry the same fields.\n\n"
        "  overread cohort from-nih --scores detector_scores.csv.gz --out cohort.jsonl\n"
        "  overread cohort check cohort.jsonl\n"
        "  overread cohort convert cohort.jsonl --out cohort.parquet"
    ),
    configure=_configure,
    run=_run,
)
