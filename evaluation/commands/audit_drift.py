"""`overread audit drift`: does a window of cases differ from a reference window?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_FAILED, EXIT_OK, requested_output
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from overread.cohort import CohortCase
    from overread.drift import Change
    from overread.drift_watch import Watch

DESCRIPTION = """\
Compares the cases of some months with those of reference months in five channels: the input (view, modality,
body part, scanner, site, sex, age, size and encoding of the image, exposure), the pixels (brightness,
contrast, detail, border; what had to be turned, inverted or cut), their embedding (the coarse picture as a
whole), the scores of the detector, and the language of the reports (what the report reader finds stated,
hedged, denied, and their length). Pixels and embedding need a cohort of `overread export`. Each channel gives
a false alarm in the share --false-alarms of the windows in which nothing changed. Ends with status 1 where a
channel gives an alarm.

  overread export --out past.jsonl
  overread audit drift past.jsonl --reference 2026-01 2026-06 --window 2026-07 2026-07 --out drift

The folder then holds tables/drift.csv and result.json.
"""
_SEED = 2026


def configure_drift(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments."""
    drift_ = parts.add_parser(
        "drift",
        help="compare the cases of some months with those of reference months",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    drift_.add_argument("cohort", type=Path, help="cohort file whose cases say their `month`")
    for name, words in (("--reference", "that count as usual"), ("--window", "that are looked at")):
        drift_.add_argument(
            name, nargs=2, required=True, metavar=("FROM", "TO"), help=f"months {words}, such as 2026-01"
        )
    drift_.add_argument("--out", type=Path, metavar="FOLDER", help="of the table")
    drift_.add_argument("--detector", help="which detector's scores, where the cohort holds several")
    drift_.add_argument(
        "--false-alarms", type=float, default=0.01, metavar="SHARE", help="of each channel (default 0.01)"
    )
    drift_.add_argument(
        "--exchanges", type=int, default=4999, help="of patients between the windows (default 4999)"
    )
    drift_.add_argument("--seed", type=int, default=_SEED, help=f"of the exchanges (default {_SEED})")


def drift(arguments: argparse.Namespace) -> int:
    """Compare, and end with status 1 where a channel gives an alarm."""
    from evaluation.audit.drift_table import lines
    from evaluation.cohortfile import open_cohort
    from overread.drift_columns import windows_of
    from overread.drift_watch import Watch, alarms, changes_by_channel
    from overread.report import load_reader

    _check(arguments)
    progress = TerminalProgress()
    windows = windows_of(
        open_cohort(arguments.cohort), lambda case: _side(case, arguments), load_reader(), arguments.detector
    )
    progress("compare", len(windows.patients))
    watch = Watch(false_alarms=arguments.false_alarms, permutations=arguments.exchanges, seed=arguments.seed)
    found = changes_by_channel(windows, watch)
    progress.end()
    count = int(windows.in_window.sum())
    print(f"{count} cases of the window, {len(windows.in_window) - count} of the reference")
    print("\n".join(lines(found)))
    if arguments.out is not None:
        _write(arguments, watch, found)
    return EXIT_FAILED if alarms(found) else EXIT_OK


def _side(case: "CohortCase", arguments: argparse.Namespace) -> bool | None:
    """Return whether the case is of the window; None where it is of neither."""
    if case.month is None:
        return None
    for months, side in ((arguments.window, True), (arguments.reference, False)):
        if months[0] <= case.month <= months[1]:
            return side
    return None


def _check(arguments: argparse.Namespace) -> None:
    first, second = sorted((arguments.reference, arguments.window))
    if any(months[0] > months[1] for months in (first, second)) or second[0] <= first[1]:
        raise ConfigurationError(
            "each window goes from a month to one no earlier, and the two do not overlap"
        )
    if not 0 < arguments.false_alarms < 1 or arguments.exchanges * arguments.false_alarms < 1:
        raise ConfigurationError("--false-alarms lies in (0, 1), and needs as many --exchanges as 1 over it")


def _write(arguments: argparse.Namespace, watch: "Watch", found: "dict[str, list[Change]]") -> None:
    from evaluation.audit.drift_table import drift_table
    from evaluation.audit.result_folder import record_of_command, write_result, write_tables
    from overread.drift_watch import alarms

    with requested_output(arguments):
        record = {
            **record_of_command(arguments.cohort),
            "reference": arguments.reference,
            "window": arguments.window,
            "false_alarms": watch.false_alarms,
            "exchanges": watch.permutations,
            "seed": watch.seed,
            "alarms": alarms(found),
            "tables": write_tables(arguments.out, [drift_table(found)]),
        }
        write_result(arguments.out, record)
    print(f"{arguments.out / 'tables' / 'drift.csv'}")
