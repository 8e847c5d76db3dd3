"""`overread audit replay`: a past period with another policy, threshold or detector."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_OK, requested_output
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from evaluation.audit.replay import Way
    from evaluation.audit.result_folder import Table

DESCRIPTION = """\
Flags the cases of a past period as before and in another way: under another policy, another share of the
list, or by another detector whose outputs the cohort holds too, such as one in shadow. Says what each
way flags, the hours that reading it takes, and, from the second reads, how many discrepancies are flagged
and how many reads find one. What nobody read is not guessed: the table says so.

  overread export --out past.jsonl
  overread audit replay past.jsonl --period 2026-01 2026-06 --policy site.toml --flagged 0.05 --out replay

The folder then holds tables/replay.csv, replay_months.csv, replay_cases.csv, and result.json.
"""


def configure_replay(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments."""
    replay_ = parts.add_parser(
        "replay",
        help="flags, workload and cost of a past period under another policy, threshold or detector",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay_.add_argument("cohort", type=Path, help="cohort file")
    replay_.add_argument("--period", nargs=2, metavar=("FROM", "TO"), help="months, such as 2026-01 2026-06")
    for ending, words in (("", "of the other way"), ("-before", "of the way as before")):
        replay_.add_argument(f"--policy{ending}", type=Path, metavar="TOML", help=words)
        replay_.add_argument(f"--flagged{ending}", type=float, metavar="SHARE", help=f"of the list, {words}")
        replay_.add_argument(f"--detector{ending}", metavar="NAME", help=words)
    replay_.add_argument(
        "--minutes-per-read", type=float, default=3.0, help="that a second read takes (default 3)"
    )
    replay_.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the tables")


def replay(arguments: argparse.Namespace) -> int:
    """Flag both ways, and say what is different."""
    from evaluation.audit.replay import replay as flagged_both_ways
    from evaluation.audit.replay_table import replay_tables

    if not arguments.minutes_per_read > 0:
        raise ConfigurationError("a second read takes more than 0 minutes")
    progress = TerminalProgress()
    ways = (
        _way(arguments.policy_before, arguments.flagged_before, arguments.detector_before),
        _way(
            arguments.policy or arguments.policy_before,
            arguments.flagged,
            arguments.detector or arguments.detector_before,
        ),
    )
    period = tuple(arguments.period) if arguments.period else None
    found = flagged_both_ways(arguments.cohort, period, ways, progress)
    tables = replay_tables(found, arguments.minutes_per_read)
    progress.end()
    _write(arguments, ways, tables)
    _print(tables[0])
    print(arguments.out / "tables" / "replay.csv")
    return EXIT_OK


def _way(path: Path | None, share: float | None, detector: str | None) -> "Way":
    from evaluation.audit.replay import Way
    from overread.priority import default_policy, read_policy

    policy = read_policy(path) if path else default_policy()
    flagged = policy.tables.line.share if share is None else share
    if not 0 < flagged <= 1:
        raise ConfigurationError(
            f"the share of the list that is read is above 0 and at most 1, not {flagged}"
        )
    return Way(policy=policy, flagged_share=flagged, detector=detector)


def _write(arguments: argparse.Namespace, ways: "tuple[Way, Way]", tables: "list[Table]") -> None:
    from evaluation.audit.result_folder import record_of_command, write_result, write_tables

    with requested_output(arguments):
        record = {
            **record_of_command(arguments.cohort),
            "period": arguments.period,
            "ways": [
                {"policy": way.policy.version, "flagged": way.flagged_share, "detector": way.detector}
                for way in ways
            ],
            "minutes_per_read": arguments.minutes_per_read,
            "tables": write_tables(arguments.out, tables),
        }
        write_result(arguments.out, record)


def _print(table: "Table") -> None:
    print(f"{'':24} {'before':>28} {'after':>28}  difference")
    for row in table.records():
        cells = [
            _words(row[name], row.get(f"{low}"), row.get(f"{high}"))
            for name, low, high in (
                ("before", "before_low", "before_high"),
                ("after", "after_low", "after_high"),
                ("difference", "low", "high"),
            )
        ]
        print(f"{str(row['figure']).replace('_', ' '):24} {cells[0]:>28} {cells[1]:>28}  {cells[2]}")
        if row["remark"]:
            print(f"  {row['remark']}")


def _words(value: object, low: object, high: object) -> str:
    if value is None:
        return "unknown"
    if low is None and high is None:
        return f"{value:g}"
    ends = " to ".join("?" if end is None else f"{end:.4g}" for end in (low, high))
    return f"{value:.4g} [{ends}]"
