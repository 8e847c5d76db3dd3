"""`overread audit`: how often reports and images disagree, and how well findings are told apart."""

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.audit_drift import configure_drift
from evaluation.commands.audit_golden import configure_golden
from evaluation.commands.audit_replay import configure_replay
from evaluation.commands.audit_run import configure_run
from evaluation.commands.audit_scorecard import configure_scorecard
from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, Command
from overread.errors import ConfigurationError, InvalidFileError, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evaluation.audit.findings import Findings, PartOfList
    from overread.statistics import Estimate

DESCRIPTION = """\
Flagged cases are read, others are not: a rate among those that happen to be read says little of the whole.
`sample` draws cases of the whole list for people to read, most where least is known; `rates` says from what
they found how often reports and images disagree, and how much of it the head of the list holds.

  overread export --out past.jsonl
  overread rank past.jsonl --cases order.csv
  overread audit sample order.csv --reads 300 --seed 7 --out sample.csv
  ... people fill the column `discrepancy` of sample.csv with yes or no ...
  overread audit rates sample.csv --out rates.csv

sample.plan.csv lies beside the sample and says from where each case was drawn: keep it from the readers, so
that nothing tells them what is expected. A part of the reads may come first; the rest makes the same sample.

`run` says it of a whole archive as a page. `scorecard` says how well detectors, readers and the report
reader tell findings apart, `golden-rate` and `golden-gate` whether a release is worse, `drift` whether a
month differs from the usual ones, `replay` what another policy or threshold would have flagged.
"""
_SEED = 2026


def _configure(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    configure_run(parts)
    configure_scorecard(parts)
    configure_golden(parts)
    configure_drift(parts)
    configure_replay(parts)
    sample = parts.add_parser("sample", help="draw cases for people to read")
    sample.add_argument("order", type=Path, help="case,probability,... in the order of the list")
    size = sample.add_mutually_exclusive_group(required=True)
    size.add_argument("--reads", type=int, metavar="N", help="how many cases people can read")
    size.add_argument(
        "--half-width",
        type=float,
        metavar="SHARE",
        help="as many as are expected to bring the rate's interval to plus or minus this, such as 0.005",
    )
    sample.add_argument("--seed", type=int, default=_SEED, help=f"of the draw (default {_SEED})")
    sample.add_argument(
        "--strata", type=float, nargs="+", metavar="SHARE", help="ends of the parts of the list, the last 1"
    )
    sample.add_argument("--out", type=Path, required=True, metavar="CSV", help="what the readers fill in")
    rates = parts.add_parser("rates", help="say what the reads show")
    rates.add_argument("sample", type=Path, help="the sample, filled in; its plan lies beside it")
    rates.add_argument("--out", type=Path, metavar="CSV", help="every figure with its interval")


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.commands import audit_drift, audit_golden, audit_replay, audit_run, audit_scorecard

    parts = {
        "drift": audit_drift.drift,
        "golden-gate": audit_golden.golden_gate,
        "golden-rate": audit_golden.golden_rate,
        "rates": _rates,
        "replay": audit_replay.replay,
        "replay-verify": audit_replay.replay_verify,
        "report": audit_run.report,
        "run": audit_run.run,
        "sample": _sample,
        "scorecard": audit_scorecard.scorecard,
    }
    return parts[arguments.part](arguments)


def _sample(arguments: argparse.Namespace) -> int:
    from evaluation.audit.design import SHARES, allocate, draw, expected_half_width, reads_for, strata_of
    from evaluation.audit.samplefile import plan_path, write_sample

    progress = TerminalProgress()
    cases, probabilities = _order(arguments.order, progress)
    strata = strata_of(probabilities, tuple(arguments.strata or SHARES))
    reads = arguments.reads or reads_for(strata, arguments.half_width)
    planned = allocate(strata, reads)
    write_sample(arguments.out, cases, planned, draw(planned, seed=arguments.seed), arguments.seed)
    progress.end()
    print(f"{'part of the list':18} {'cases':>9} {'expected':>9} {'to read':>8}")
    for stratum in planned:
        print(f"{stratum.name:18} {len(stratum.rows):9} {stratum.expected:9.2%} {stratum.reads:8}")
    print(
        f"{reads} of {len(cases)} cases in {arguments.out}, seed {arguments.seed}; if the list is right, the "
        f"rate will be known to about plus or minus {expected_half_width(planned):.2%}"
    )
    print(f"keep {plan_path(arguments.out)} from the readers; `overread audit rates` needs it")
    return EXIT_OK


def _rates(arguments: argparse.Namespace) -> int:
    from evaluation.audit.findings import findings_of
    from evaluation.audit.samplefile import plan_path, read_plan, read_verdicts, strata_read

    plan = read_plan(plan_path(arguments.sample))
    verdicts = read_verdicts(arguments.sample)
    if not verdicts:
        raise InvalidFileError(f"no case of {arguments.sample} is read yet: fill its column `discrepancy`")
    findings = findings_of(strata_read(plan, verdicts))
    _print(findings, unread=len(plan) - len(verdicts))
    if arguments.out is not None:
        _write(arguments.out, findings)
    return EXIT_OK


def _print(findings: "Findings", *, unread: int) -> None:
    print(f"{findings.read} of {findings.cases} cases read, {findings.found} with a discrepancy")
    if unread:
        print(f"{unread} drawn cases are not read yet: the intervals are those of the reads so far")
    print(f"discrepancies in the archive  {findings.discrepancy_rate:.2%}  (95 % interval)")
    print(
        f"  among those read            {findings.naive_rate:.2%}  not of the archive: reads favour the head"
    )
    for part in findings.parts:
        print(f"{part.name} of the list: {part.cases} cases")
        print(f"  with a discrepancy          {part.discrepancy_rate:.1%}")
        print(f"  share of all discrepancies  {_share_words(part)}")
        if part.rest_rate is not None:
            print(f"  missed by reading no more   {part.rest_rate:.2%} of the other cases")
        if part.doubt is not None:
            print(f"  little is known: {part.doubt}")
    print("The figures are of these cases. They take the reads for the truth; a second reader errs too.")


def _share_words(part: "PartOfList") -> str:
    if part.sensitivity is None:
        return "unknown: the reads found no discrepancy"
    naive = f"; among those read {part.naive_sensitivity.value:.0%}" if part.naive_sensitivity else ""
    return f"{part.sensitivity:.0%}{naive}"


def _write(path: Path, findings: "Findings") -> None:
    rows: list[tuple[str, str, Estimate | None]] = [
        ("archive", "discrepancy_rate", findings.discrepancy_rate),
        ("archive", "naive_rate", findings.naive_rate),
    ]
    for part in findings.parts:
        rows += [
            (part.name, "discrepancy_rate", part.discrepancy_rate),
            (part.name, "sensitivity", part.sensitivity),
            (part.name, "naive_sensitivity", part.naive_sensitivity),
            (part.name, "rest_rate", part.rest_rate),
        ]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("part", "figure", "value", "low", "high", "reads"))
            writer.writerows(
                (part, name, e.value, e.low, e.high, e.n) for part, name, e in rows if e is not None
            )
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def _order(path: Path, progress: TerminalProgress) -> "tuple[list[str], NDArray[np.float64]]":
    """Return names and probabilities of a list, in its order."""
    import numpy as np

    cases: list[str] = []
    probabilities: list[float] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                probabilities.append(float(row["probability"]))
                cases.append(row["case"])
                progress("read", number)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path.name}, line {len(cases) + 2}: needs `case` and a number as `probability`, as "
            "`overread rank --cases` writes them"
        ) from error
    if len(set(cases)) < len(cases):
        raise ConfigurationError(f"{path.name} names a case twice")
    return cases, np.array(probabilities)


command = Command(
    summary="rates of discrepancy, scorecards, golden-set gate, drift and replay",
    description=DESCRIPTION,
    configure=_configure,
    run=_run,
    uses_installation=True,
)
