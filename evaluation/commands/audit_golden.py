"""`overread audit golden-rate` and `golden-gate`: is a release worse on the golden set?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_FAILED, EXIT_OK, requested_output
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from evaluation.audit.golden import PairedFigure

RATE = """\
Rates the cases of a golden set, a cohort file, with what is installed now: the outputs of a detector against
what second readers judged, the report reader with its vocabulary against the observations that people say
each text states, and the order of the list under a policy against the cases with a confirmed discrepancy.
Keep the table with the release, and compare the next one with it by `golden-gate`.

  overread audit golden-rate golden.jsonl --out release-1.csv
"""
GATE = """\
Compares the ratings of two releases on one golden set in pairs; a release may differ in model, vocabulary,
report reader or policy. Ends with status 1 where the later one is shown to be worse and may be so by more
than the margin, where it no longer rates something, and where the set is too small to exclude a loss of more
than the margin. `overread gate` does the same for two detectors that look at images.

  overread audit golden-gate release-1.csv release-2.csv --margin 0.02
"""
_SEED = 2026


def configure_golden(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments of both."""
    rate = parts.add_parser(
        "golden-rate",
        help="rate a golden set with what is installed now",
        description=RATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rate.add_argument("golden", type=Path, help="cohort file, .jsonl or .parquet")
    rate.add_argument("--out", type=Path, required=True, metavar="CSV", help="table of ratings")
    rate.add_argument("--detector", help="which detector's outputs, where the cohort holds several")
    rate.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    gate = parts.add_parser(
        "golden-gate",
        help="end with status 1 where a release is worse on the golden set",
        description=GATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    gate.add_argument("before", type=Path, help="ratings by the release in use")
    gate.add_argument("after", type=Path, help="ratings by the one that may take its place")
    gate.add_argument("--margin", type=float, default=0.02, help="loss that is borne (default 0.02)")
    gate.add_argument("--resamples", type=int, default=2000, help="of the patients (default 2000)")
    gate.add_argument("--seed", type=int, default=_SEED, help=f"of what is drawn (default {_SEED})")


def golden_rate(arguments: argparse.Namespace) -> int:
    """Rate the golden set."""
    from evaluation.audit.cohort_ratings import golden_ratings
    from evaluation.audit.ratings import write_ratings
    from overread.priority import default_policy, read_policy

    policy = read_policy(arguments.policy) if arguments.policy else default_policy()
    progress = TerminalProgress()
    sets = golden_ratings(arguments.golden, policy, arguments.detector, progress)
    with requested_output(arguments):
        write_ratings(arguments.out, sets)
    progress.end()
    for item in sets:
        observer = item.observer
        print(f"{observer.name}: {observer.finding}, {len(item)} cases, {int(item.positive.sum())} with it")
    return EXIT_OK


def golden_gate(arguments: argparse.Namespace) -> int:
    """Compare, and end with status 1 unless it is shown that the later release is not worse."""
    from evaluation.audit.golden import Outcome, compare_ratings
    from evaluation.audit.ratings import read_ratings
    from evaluation.audit.scorecard_tables import Drawing

    if not arguments.margin > 0 or arguments.resamples < 1:
        raise ConfigurationError("the margin must be above 0, and --resamples 1 or more")
    result = compare_ratings(
        read_ratings(arguments.before),
        read_ratings(arguments.after),
        arguments.margin,
        Drawing(resamples=arguments.resamples, seed=arguments.seed),
    )
    print(f"{'':58} {'cases':>6} {'with':>6} {'before':>7} {'after':>7}  difference")
    for figure in (*result.means, *result.singles):
        print(_line(figure))
    print(f"margin {arguments.margin:g}: {result.outcome.upper()}")
    for reason in result.reasons:
        print(f"  {reason}")
    return EXIT_OK if result.outcome is Outcome.NOT_WORSE else EXIT_FAILED


def _line(figure: "PairedFigure") -> str:
    lead = figure.after - figure.before
    return (
        f"{figure.name:58} {figure.cases:6} {figure.positives:6} {figure.before:7.3f} {figure.after:7.3f}  "
        f"{lead:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}] n={figure.patients}"
    )
