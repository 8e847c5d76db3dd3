"""`overread rank`: a cohort in the order in which a second reader would see it."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command

if TYPE_CHECKING:  # what `run` needs is imported there
    from overread.expectation import Expectation
    from overread.priority import Policy
    from overread.studies import Floats

_PROGRESS_SECONDS = 0.5
_SHOWN = 5  # cases named on standard output


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cohort", type=Path, help="cohort file, .jsonl or .parquet (docs/cohort.md)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="CSV",
        help="case,finding,kind,probability,priority of every eligible pair",
    )
    parser.add_argument("--cases", type=Path, metavar="CSV", help="case,priority in the order of the list")
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="COHORT",
        help="past cases of the site: learn from them what its reports state, and from those that are "
        "adjudicated how often a miss was confirmed",
    )
    parser.add_argument(
        "--expectation", type=Path, metavar="JSON", help="what --save-fit wrote, in place of --fit"
    )
    parser.add_argument("--save-fit", type=Path, metavar="JSON", help="write what --fit learned")
    parser.add_argument(
        "--calibrated",
        action="store_true",
        help="use the detector's own calibration, even where a fit for it comes with overread",
    )
    parser.add_argument("--detector", help="which detector's outputs, where the cohort holds several")
    parser.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="that read; 0 is one per core")


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.rank import list_order, load_table, source_of, write_cases, write_rows  # noqa: PLC0415
    from overread.finding import load_vocabulary  # noqa: PLC0415
    from overread.ordering import corrected_order, order_cases  # noqa: PLC0415
    from overread.priority import default_policy, parse_policy  # noqa: PLC0415

    vocabulary = load_vocabulary()
    policy = parse_policy(_text(arguments.policy)) if arguments.policy else default_policy()
    processes = arguments.processes or len(os.sched_getaffinity(0))
    progress = _Progress()
    expectation, corrections = _learned(arguments, policy, processes, progress)
    source = source_of(arguments.cohort, vocabulary, arguments.detector, expectation)
    table = load_table(source, policy, processes=processes, progress=progress)
    order = order_cases(table, policy, vocabulary, expectation)
    if corrections is not None:
        order = corrected_order(order, table, corrections, policy)
    if arguments.out:
        write_rows(arguments.out, table, order, vocabulary, progress)
    if arguments.cases:
        write_cases(arguments.cases, table, order, progress)
    progress.end()
    first = [table.cases[row] for row in list_order(table, order)[:_SHOWN]]
    basis = "its own calibration" if expectation is None else f"{expectation.studies} past reports"
    print(
        f"{int(table.ordered.sum())} cases ordered by {source.detector} and {basis}, policy {policy.version}"
    )
    print(f"first: {', '.join(first)}")
    return EXIT_OK


def _learned(
    arguments: argparse.Namespace, policy: "Policy", processes: int, progress: "_Progress"
) -> "tuple[Expectation | None, Floats | None]":
    """Return what reports let one expect, and what adjudications correct; None where nothing was learned."""
    import numpy as np  # noqa: PLC0415

    from evaluation.rank import load_table, source_of  # noqa: PLC0415
    from overread.adjudicated import fit_corrections  # noqa: PLC0415
    from overread.expectation import (  # noqa: PLC0415
        default_expectation,
        encode_expectation,
        fit_expectation,
        parse_expectation,
    )
    from overread.finding import load_vocabulary  # noqa: PLC0415
    from overread.ordering import order_cases  # noqa: PLC0415

    if arguments.calibrated:
        return None, None
    if arguments.expectation:
        return parse_expectation(_text(arguments.expectation)), None
    vocabulary = load_vocabulary()
    if arguments.fit is None:
        detector = source_of(arguments.cohort, vocabulary, arguments.detector).detector
        return default_expectation(detector), None
    source = source_of(arguments.fit, vocabulary, arguments.detector)
    past = load_table(source, policy, processes=processes, progress=progress)
    progress("fit on past cases", len(past))
    expectation = fit_expectation(source.detector, past.studies)
    if arguments.save_fit:
        arguments.save_fit.write_text(encode_expectation(expectation) + "\n", encoding="utf-8")
    if np.isnan(past.confirmed).all():
        return expectation, None
    order = order_cases(past, policy, vocabulary, expectation)
    return expectation, fit_corrections(order.miss_odds, past.reports.beside, past.confirmed)


def _text(path: Path) -> str:
    from overread.errors import InvalidFileError  # noqa: PLC0415

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read {path}: {error}") from error


class _Progress:
    """Shows on a terminal what is being done."""

    def __init__(self) -> None:
        self._shown = time.monotonic()
        self._on = sys.stderr.isatty()

    def __call__(self, what: str, count: int) -> None:
        if self._on and time.monotonic() - self._shown >= _PROGRESS_SECONDS:
            self._shown = time.monotonic()
            sys.stderr.write(f"\r{what}: {count}   ")

    def end(self) -> None:
        if self._on:
            sys.stderr.write("\r")


command = Command(
    summary="order a cohort as the second reader would see it",
    description=(
        "Order the cases of a cohort file by expected benefit of a second look.\n\n"
        "What the site's own past reports let one expect of a study is learned with --fit from past\n"
        "cases, which need no adjudication; a fit for some published detectors comes with overread.\n"
        "Without one the detector's own calibration counts.\n\n"
        "  overread rank cohort.jsonl --out rows.csv --cases cases.csv --fit past.jsonl"
    ),
    configure=_configure,
    run=_run,
)
