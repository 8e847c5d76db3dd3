"""`overread audit run`: a cohort, or the cases of an installation, as tables and a page."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, main, requested_output
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from evaluation.audit.run import Audit

DESCRIPTION = """\
How often do reports and images of an archive disagree, how sure is that, and what can nobody know? From a
cohort file (docs/cohort.md), or without one from the concluded cases of this installation, which are
exported first. Cases are read in shards by all cores, or by the machines of a Ray cluster; a run that was
stopped goes on where it stood when it is called again, whoever reads then.

  overread audit run --out audit
  overread audit run past.jsonl --out audit
  overread audit run /shared/past.jsonl --out audit --ray auto

A Ray cluster needs the extra `ray` and the same release of overread on every machine, and the cohort under
the same path; the folder of the result only has to be where the command runs. docs/audit.md has more.

The folder then holds report.html, the tables behind it as CSV and Parquet, and result.json.
"""
_SEED = 2026


def configure_run(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments of `run` and `report`."""
    run_ = parts.add_parser(
        "run",
        help="rates of an archive, as tables and a page",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run_.add_argument(
        "cohort", type=Path, nargs="?", help="cohort file; left out: the cases of this installation"
    )
    run_.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the result")
    run_.add_argument("--detector", help="which detector's outputs, where the cohort holds several")
    run_.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    run_.add_argument(
        "--flagged", type=float, metavar="SHARE", help="of the list that is read (default: the policy's line)"
    )
    run_.add_argument(
        "--reader-names", action="store_true", help="keep the names of first readers that the cohort has"
    )
    run_.add_argument("--seed", type=int, default=_SEED, help=f"of what is drawn (default {_SEED})")
    run_.add_argument("--processes", type=int, default=0, metavar="N", help="that read; 0 is one per core")
    run_.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let a Ray cluster read in their place; auto is the one that this machine belongs to",
    )
    page = parts.add_parser("report", help="make the page of a finished audit again")
    page.add_argument("folder", type=Path, help="that `overread audit run` wrote")


def run(arguments: argparse.Namespace) -> int:
    """Audit, and say in a few lines what was found and where it lies."""
    from evaluation.audit.page import write_page
    from evaluation.audit.run import run_audit

    progress = TerminalProgress()
    with requested_output(arguments):
        record = run_audit(_audit(arguments), arguments.out, progress)
        page = write_page(arguments.out)
    progress.end()
    _print(record, page)
    return EXIT_OK


def report(arguments: argparse.Namespace) -> int:
    """Make the page of a finished audit again."""
    from evaluation.audit.page import write_page

    with requested_output(arguments):
        print(write_page(arguments.folder))
    return EXIT_OK


def _audit(arguments: argparse.Namespace) -> "Audit":
    from evaluation.audit.run import Audit
    from overread.priority import default_policy, read_policy

    policy = read_policy(arguments.policy) if arguments.policy else default_policy()
    share = policy.tables.line.share if arguments.flagged is None else arguments.flagged
    if not 0 < share <= 1:
        raise ConfigurationError(f"the share of the list that is read is above 0 and at most 1, not {share}")
    return Audit(
        cohort=arguments.cohort or _exported(arguments),
        detector=arguments.detector,
        policy=policy,
        flagged_share=share,
        seed=arguments.seed,
        reader_names=arguments.reader_names,
        command=shlex.join(["overread", *sys.argv[1:]]),
        processes=arguments.processes or len(os.sched_getaffinity(0)),
        ray=arguments.ray,
    )


def _exported(arguments: argparse.Namespace) -> Path:
    """Return the cohort file of the installation's cases, exported unless a run before did."""
    from evaluation.audit.shard_folder import COHORT

    path: Path = arguments.out / COHORT
    if not path.exists():
        arguments.out.mkdir(parents=True, exist_ok=True)
        options = [
            text
            for name, value in (("--data-folder", arguments.data_folder), ("--config", arguments.config))
            if value is not None
            for text in (name, str(value))
        ]
        if main(["export", "--out", str(path), *options]) and not path.exists():
            raise ConfigurationError("the cases of this installation could not be exported, as said above")
    return path


def _print(record: dict[str, Any], page: Path) -> None:
    cohort = record["cohort"]
    print(f"{cohort['cases']} cases of {cohort['patients']} patients, ordered by {record['order']}")
    for sentence in record["unknown"]:
        print(f"not known: {sentence}")
    print(f"{page}; the tables behind it in {page.with_name('tables')}")
