"""`overread rank`: a cohort in the order in which a second reader would see it."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, Command

if TYPE_CHECKING:  # what `run` needs is imported there
    from evaluation.rank_cohort import Source
    from overread.case_arrays import CaseArrays
    from overread.priority import Policy
    from overread.reporting_model import ReportingModel

_SHOWN = 5  # cases named on standard output


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cohort",
        type=Path,
        help="cohort file, .jsonl or .parquet (docs/cohort.md); unlike triage, rank sets nothing aside that "
        "an earlier report of the patient knows as stable",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="CSV",
        help="case,finding,kind,probability,priority of every eligible pair",
    )
    parser.add_argument(
        "--cases", type=Path, metavar="CSV", help="case,probability,priority in the order of the list"
    )
    basis = parser.add_mutually_exclusive_group()
    basis.add_argument(
        "--fit",
        type=Path,
        metavar="COHORT",
        help="past cases of the site, from the first dozens on: learn from them what its reports state, and "
        "from those that are adjudicated how often a discrepancy was confirmed",
    )
    basis.add_argument("--model", type=Path, metavar="JSON", help="what --save-fit wrote, in place of --fit")
    basis.add_argument(
        "--calibrated",
        action="store_true",
        help="use the detector's own calibration and learn nothing from reports",
    )
    parser.add_argument("--save-fit", type=Path, metavar="JSON", help="write what was learned")
    parser.add_argument("--detector", help="which detector's outputs, where the cohort holds several")
    parser.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="that read; 0 is one per core")


@dataclass(frozen=True, slots=True)
class _Work:
    """Options for reading and weighing the cases."""

    policy: "Policy"
    processes: int
    progress: TerminalProgress


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.rank_cohort import (
        list_rows,
        load_arrays,
        source_of,
        write_cases,
        write_rows,
    )
    from overread.cohort_order import order_cases
    from overread.finding import load_vocabulary
    from overread.priority import default_policy, read_policy

    vocabulary = load_vocabulary()
    policy = read_policy(arguments.policy) if arguments.policy else default_policy()
    work = _Work(policy, arguments.processes or len(os.sched_getaffinity(0)), TerminalProgress())
    model, basis = _known(arguments, work)
    source = source_of(arguments.cohort, vocabulary, arguments.detector, model)
    arrays = load_arrays(source, policy, processes=work.processes, progress=work.progress)
    if model is None and not arguments.calibrated:
        model = _learn_reports(source, arrays, work)  # whose own adjudications would give the answer away
        basis = "the reports of these cases"
    if arguments.save_fit:
        _save(model, arguments.save_fit)
    work.progress("put in order", len(arrays))
    order = order_cases(arrays, policy, vocabulary, model)
    if arguments.out:
        write_rows(arguments.out, arrays, order, vocabulary, work.progress)
    if arguments.cases:
        write_cases(arguments.cases, arrays, order, work.progress)
    work.progress.end()
    first = [arrays.cases[row] for row in list_rows(arrays, order)[:_SHOWN]]
    count = int(arrays.ordered.sum())
    print(f"{count} cases ordered by {source.detector} and {basis}, policy {policy.version}")
    print(f"first: {', '.join(first)}")
    return EXIT_OK


def _known(arguments: argparse.Namespace, work: _Work) -> "tuple[ReportingModel | None, str]":
    """Return what is known of the site's reports before the cohort is read, and where from, in words."""
    from evaluation.rank_cohort import load_arrays, source_of
    from overread.finding import load_vocabulary
    from overread.reporting_model import parse_reporting_model

    vocabulary = load_vocabulary()
    if arguments.calibrated:
        return None, "its own calibration"
    if arguments.model:
        model = parse_reporting_model(_text(arguments.model))
        return model, _basis(model)
    if arguments.fit:
        past = source_of(arguments.fit, vocabulary, arguments.detector)
        arrays = load_arrays(past, work.policy, processes=work.processes, progress=work.progress)
        work.progress("learn from past cases", len(arrays))
        model = _learn_adjudications(arrays, _learn_reports(past, arrays, work), work)
        return model, _basis(model)
    source = source_of(arguments.cohort, vocabulary, arguments.detector)
    known = work.policy.reporting_model(source.detector, source.version)
    return known, "" if known is None else _basis(known)


def _learn_reports(source: "Source", past: "CaseArrays", work: _Work) -> "ReportingModel":
    """Return what the reports of cases teach, held at what is known of the detector before."""
    from overread.cohort_order import past_reports
    from overread.reporting_model import fit_reporting_model

    return fit_reporting_model(
        source.detector,
        source.version or None,
        source.findings,
        past_reports(past),
        prior=work.policy.reporting_model(source.detector, source.version),
    )


def _learn_adjudications(past: "CaseArrays", model: "ReportingModel", work: _Work) -> "ReportingModel":
    """Return the model with what the second reads of past cases teach, where there are any."""
    from overread.cohort_order import fit_adjudications
    from overread.finding import load_vocabulary
    from overread.reporting_model import with_adjudications

    adjudications = fit_adjudications(past, work.policy, load_vocabulary(), model)
    return model if adjudications is None else with_adjudications(model, adjudications)


def _basis(model: "ReportingModel") -> str:
    words = f"{model.studies} past reports"
    if model.adjudications is not None:
        count = sum(item.adjudicated for item in model.adjudications.corrections.values())
        words += f" with {count} adjudications"
    return words


def _save(model: "ReportingModel | None", path: Path) -> None:
    from overread.errors import InvalidFileError
    from overread.reporting_model import encode_reporting_model

    if model is None:
        raise InvalidFileError("--save-fit has nothing to write, since --calibrated learns nothing")
    try:
        path.write_text(encode_reporting_model(model) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error


def _text(path: Path) -> str:
    from overread.errors import InvalidFileError, words_of

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error


command = Command(
    summary="order a cohort as the second reader would see it",
    description=(
        "Order the cases of a cohort file by expected benefit of a second look.\n\n"
        "What a detector's scores are worth is learned with --fit from past cases of the site, which need\n"
        "no adjudication; a model for some detectors comes with overread; without either it is learned from\n"
        "the reports of the cohort itself. Adjudications among the past cases correct the rest.\n\n"
        "  overread rank cohort.jsonl --out rows.csv --cases cases.csv --fit past.jsonl"
    ),
    configure=_configure,
    run=_run,
)
