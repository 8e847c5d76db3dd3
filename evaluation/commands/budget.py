"""`overread budget`: thresholds for so many looks a day, previewed on a site's own past cases."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, Command

if TYPE_CHECKING:  # what `run` needs is imported there
    from evaluation.budget.past import Adjudicated, Calendar, Past
    from evaluation.budget.preview import Budget
    from evaluation.budget.solver import Solution


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rows", type=Path, help="past cases, as `overread rank --out` wrote them")
    parser.add_argument(
        "--per-day", type=_positive, required=True, metavar="N", help="cases that can be looked at a day"
    )
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--days", type=_whole, metavar="N", help="on how many days the past cases arose")
    when.add_argument(
        "--dates",
        type=Path,
        metavar="CSV",
        help="columns `case` and `date` (2026-11-23) of the past cases; shows the worst day too",
    )
    parser.add_argument(
        "--share-of-days",
        type=_share,
        metavar="SHARE",
        help="the budget must suffice on this share of the days, such as 0.95 (default: on average); "
        "needs --dates",
    )
    parser.add_argument(
        "--adjudicated", type=Path, metavar="COHORT", help="cohort file with adjudications of past cases"
    )
    parser.add_argument("--out", type=Path, metavar="TOML", help="write the thresholds, for the policy")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="write a picture of benefit and days (.svg, .png, .pdf)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the resamples (default 1)")


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.budget.past import Calendar, load_adjudicated, load_calendar, load_past
    from evaluation.budget.plot import plot_budget
    from evaluation.budget.preview import Budget, solve_budget
    from evaluation.budget.table import lines_of
    from overread.errors import ConfigurationError
    from overread.finding import load_vocabulary
    from overread.priority import default_policy

    if arguments.share_of_days is not None and arguments.dates is None:
        raise ConfigurationError("--share-of-days needs --dates: without, no day can be told from another")
    vocabulary = load_vocabulary()
    progress = TerminalProgress()
    past = load_past(arguments.rows, vocabulary, default_policy(), progress=progress)
    calendar = (
        load_calendar(arguments.dates, past.cases)
        if arguments.dates
        else Calendar(days=arguments.days, day_of=None)
    )
    adjudicated = (
        load_adjudicated(arguments.adjudicated, past.cases, vocabulary) if arguments.adjudicated else None
    )
    budget = Budget(per_day=arguments.per_day, share_of_days=arguments.share_of_days)
    solution = solve_budget(past, calendar, budget, progress=progress)
    progress.end()
    for line in lines_of(past, calendar, budget, solution, adjudicated):
        print(line)
    if adjudicated is not None:
        _print_confirmed(past, solution, calendar, adjudicated, arguments.seed)
    if arguments.out:
        _write_thresholds(past, solution, calendar, budget, arguments.out)
    if arguments.plot:
        plot_budget(past, calendar, budget, solution, arguments.plot)
    return EXIT_OK


def _print_confirmed(
    past: "Past", solution: "Solution", calendar: "Calendar", adjudicated: "Adjudicated", seed: int
) -> None:
    from evaluation.budget.preview import preview_confirmed
    from evaluation.budget.table import confirmed_lines

    print()
    try:
        estimates = preview_confirmed(past, solution, calendar, adjudicated, seed=seed)
    except ValueError as reason:
        print(f"confirmed: nothing can be said; {reason}")
        return
    for line in confirmed_lines(estimates, adjudicated):
        print(line)


def _write_thresholds(
    past: "Past", solution: "Solution", calendar: "Calendar", budget: "Budget", path: Path
) -> None:
    from evaluation.budget.preview import thresholds_of
    from overread.errors import InvalidFileError
    from overread.thresholds import encode_thresholds

    share = "" if budget.share_of_days is None else f" on {budget.share_of_days:.0%} of the days"
    thresholds = thresholds_of(
        past,
        solution,
        f"{len(past.cases)} past cases on {calendar.days} days, {budget.per_day:g} looks a day{share}",
    )
    try:
        path.write_text(encode_thresholds(thresholds), encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error
    sys.stderr.write(f"thresholds {thresholds.version} in {path}\n")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


command = Command(
    summary="thresholds for so many looks a day, previewed on past cases",
    description=(
        "We can look at 40 cases a day: find the threshold of each finding and kind that makes the most of\n"
        "them, and show what that would have meant for the site's own past cases: how many a day, on the\n"
        "worst day, of which findings, and what of it was confirmed where a second reader has looked.\n\n"
        "  overread rank past.jsonl --out rows.csv\n"
        "  overread budget rows.csv --per-day 40 --dates dates.csv --out thresholds.toml\n"
        "  overread budget rows.csv --per-day 40 --days 90 --adjudicated past.jsonl\n\n"
        "Benefit is the priority of `overread rank`, which orders and claims no probability; what is\n"
        "confirmed is counted from adjudications alone."
    ),
    configure=_configure,
    run=_run,
)
