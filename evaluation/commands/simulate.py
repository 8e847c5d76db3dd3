"""`overread simulate`: what an order of the list does to waiting."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command

if TYPE_CHECKING:  # what `run` needs is imported there
    from evaluation.simulation.outcome import Run

_PROGRESS_SECONDS = 0.5


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario",
        nargs="?",
        type=Path,
        help="TOML file with arrivals, classes, triage, shifts and caps (default: the example)",
    )
    parser.add_argument(
        "--print-example", action="store_true", help="print the example scenario, to start from, and stop"
    )
    parser.add_argument(
        "--arrivals",
        type=Path,
        metavar="CSV",
        help="real arrivals in place of the scenario's: column `arrived` (local time, 2026-11-23T08:15:00); "
        "`class` and `reading_minutes` where known",
    )
    parser.add_argument(
        "--runs", type=_at_least(5), default=40, metavar="N", help="independent runs (default 40)"
    )
    parser.add_argument("--seed", type=_at_least(0), default=1, help="of the random numbers (default 1)")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="write a picture of who waits how long (.svg, .png, .pdf)"
    )


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.simulation.outcome import run_scenario
    from evaluation.simulation.plot import plot_waits
    from evaluation.simulation.scenario_file import (
        example_text,
        load_arrivals,
        load_scenario,
    )
    from evaluation.simulation.table import lines_of

    if arguments.print_example:
        sys.stdout.write(example_text())
        return EXIT_OK
    scenario = load_scenario(arguments.scenario)
    recorded = load_arrivals(arguments.arrivals, scenario) if arguments.arrivals else None
    endless = run_scenario(scenario, seed=arguments.seed, recorded=recorded)
    runs = list(_with_progress(islice(endless, arguments.runs), arguments.runs))
    for line in lines_of(runs, scenario):
        print(line)
    if arguments.plot:
        plot_waits(runs, scenario, arguments.plot)
    return EXIT_OK


def _with_progress(runs: "Iterator[Run]", total: int) -> "Iterator[Run]":
    """Yield the runs, and show how many there are while standard error is a terminal."""
    if not sys.stderr.isatty():
        yield from runs
        return
    shown = time.monotonic()
    for number, run in enumerate(runs, start=1):
        yield run
        if time.monotonic() - shown >= _PROGRESS_SECONDS:
            shown = time.monotonic()
            sys.stderr.write(f"\rrun {number} of {total} ")
    sys.stderr.write("\r\033[K")


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}")
        return value

    return number


command = Command(
    summary="simulate the reading queue: who waits how long in which order",
    description=(
        "Simulate a reading queue case by case, and compare three orders on the same cases: first in,\n"
        "first out; by the class in which an AI triage lists a case; and by class with a wait cap, at\n"
        "which a case goes to the front so that nothing starves (Baltruschat et al., Eur Radiol 2021).\n\n"
        "  overread simulate                              the example, 40 runs\n"
        "  overread simulate --print-example > mine.toml  a scenario to change\n"
        "  overread simulate mine.toml --runs 100 --plot waits.svg\n"
        "  overread simulate mine.toml --arrivals last_month.csv\n\n"
        "Printed per true class: waiting and turnaround (mean, 95th percentile, longest), with 95 %\n"
        "intervals over runs, and the difference from first in, first out in pairs. Every reader on duty\n"
        "reads while a case waits; a reader whose shift ends finishes the case in hand."
    ),
    configure=_configure,
    run=_run,
)
