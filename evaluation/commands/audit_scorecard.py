"""`overread audit scorecard`: detectors, readers and the report reader as tables and a page."""

import argparse
import shlex
import sys
from pathlib import Path

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, requested_output
from overread.errors import ConfigurationError

DESCRIPTION = """\
How well do detectors, readers and the report reader tell findings apart, how sure is that, and do their
probabilities hold? From a cohort file (what second readers judged; reports beside the observations that
people say they state), or from a table of ratings: case, patient, finding, truth (yes or no), probability or
score, where known test and reader, and any circumstances. --marks adds free response: case, patient,
finding, score, lesion; a row without a score names a lesion, one without either a case.

  overread audit scorecard ratings.csv --out scorecard
  overread audit scorecard golden.jsonl --out scorecard

The folder then holds scorecard.html, the tables behind it, and result.json.
"""
_SEED = 2026


def configure_scorecard(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments."""
    card = parts.add_parser(
        "scorecard",
        help="ROC, precision, calibration, free response and several readers, as tables and a page",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    card.add_argument("ratings", type=Path, nargs="?", help="table of ratings (.csv) or cohort file")
    card.add_argument("--marks", type=Path, metavar="CSV", help="marks with the lesions that they hit")
    card.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the result")
    card.add_argument("--detector", help="which detector's outputs, where a cohort holds several")
    card.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    card.add_argument("--resamples", type=int, default=1000, help="of the patients (default 1000)")
    card.add_argument("--seed", type=int, default=_SEED, help=f"of what is drawn (default {_SEED})")


def scorecard(arguments: argparse.Namespace) -> int:
    """Score, and say where the result lies."""
    from evaluation.audit.scorecard import Scorecard, score
    from evaluation.audit.scorecard_page import write_scorecard
    from evaluation.audit.scorecard_tables import Drawing
    from overread.priority import default_policy, read_policy

    if arguments.resamples < 1:
        raise ConfigurationError("--resamples must be 1 or more")
    progress = TerminalProgress()
    asked = Scorecard(
        ratings=arguments.ratings,
        marks=arguments.marks,
        detector=arguments.detector,
        policy=read_policy(arguments.policy) if arguments.policy else default_policy(),
        drawing=Drawing(resamples=arguments.resamples, seed=arguments.seed),
        command=shlex.join(["overread", *sys.argv[1:]]),
    )
    with requested_output(arguments):
        record = score(asked, arguments.out, progress)
        page = write_scorecard(arguments.out)
    progress.end()
    print(f"{record['cases']} cases of {record['patients']} patients")
    print(f"{page}; the tables behind it in {page.with_name('tables')}")
    return EXIT_OK
