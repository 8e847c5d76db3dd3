"""`overread audit replay`: a past period with another policy, threshold or detector."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.commands.progress import TerminalProgress
from overread.command import EXIT_FAILED, EXIT_OK, requested_output
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from evaluation.audit.replay import ReplayInput, Way
    from evaluation.audit.result_folder import Table
    from overread.cohort import CohortCase

DESCRIPTION = """\
Flags the cases of a past period as before and in another way: under another policy, another share of the
list, or by another detector whose outputs the cohort holds too, such as one in shadow. Says what each
way flags, the hours that reading it takes, and, from the second reads, how many discrepancies are flagged
and how many reads find one. What nobody read is not guessed: the table says so.

  overread export --out past.jsonl
  overread audit replay past.jsonl --period 2026-01 2026-06 --policy site.toml --flagged 0.05 --out replay

The folder then holds tables/replay.csv, replay_months.csv, replay_cases.csv, and result.json. With --sign it
also holds bundle.zip: policies, versions, hashes of networks and rules, what each way was given of the cases,
and the result, signed with the key of a file (made where it is not there, with its public half beside it).
The texts of reports stay here, unless --with-cases is given.
"""
VERIFY = """\
Checks that a bundle of `overread audit replay --sign` is as the owner of a key signed it, file by file, and
with --repeat that what is installed here gives the same tables again. Ends with status 1 where it does not.
The public key has to come from its owner, not from whoever brought the bundle.

  overread audit replay past.jsonl --flagged 0.05 --out replay --sign site.key
  overread audit replay-verify replay/bundle.zip --public-key site.key.pub --repeat
"""


def configure_replay(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the arguments of `replay` and `replay-verify`."""
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
    replay_.add_argument(
        "--sign",
        type=Path,
        metavar="KEY",
        help="write a bundle too, signed with the Ed25519 key of this file",
    )
    replay_.add_argument(
        "--with-cases",
        action="store_true",
        help="put the cases into it as they are, texts of reports included",
    )
    verify_ = parts.add_parser(
        "replay-verify",
        help="check the signature of a replay's bundle, and repeat it",
        description=VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify_.add_argument("bundle", type=Path, help="that `overread audit replay --sign` wrote")
    verify_.add_argument("--public-key", type=Path, required=True, metavar="PEM", help="of who signed it")
    verify_.add_argument("--repeat", action="store_true", help="replay it again, and compare")


def replay(arguments: argparse.Namespace) -> int:
    """Flag both ways, and say what is different."""
    from evaluation.audit.replay import cases_of_period, replay_input
    from evaluation.audit.replay import replay as flagged_both_ways
    from evaluation.audit.replay_table import replay_tables

    _check(arguments)
    progress = TerminalProgress()
    ways = (
        _way(arguments.policy_before, arguments.flagged_before, arguments.detector_before),
        _way(
            arguments.policy or arguments.policy_before,
            arguments.flagged,
            arguments.detector or arguments.detector_before,
        ),
    )
    cases = cases_of_period(arguments.cohort, tuple(arguments.period) if arguments.period else None)
    given = replay_input(arguments.cohort, cases, ways)
    tables = replay_tables(flagged_both_ways(given, ways, progress), arguments.minutes_per_read)
    with requested_output(arguments):
        _write(arguments, ways, tables)
        bundle = _signed(arguments, ways, given, cases) if arguments.sign else None
    progress.end()
    _print(tables[0])
    print(arguments.out / "tables" / "replay.csv")
    if bundle is not None:
        print(bundle)
    return EXIT_OK


def replay_verify(arguments: argparse.Namespace) -> int:
    """Check a bundle, and end with status 1 where it is not as it was signed or repeats otherwise."""
    from evaluation.audit.replay_bundle import DESCRIPTION, read_bundle, repeat
    from evaluation.audit.signing import fingerprint, public_key
    from overread import __version__

    key = public_key(arguments.public_key)
    members = read_bundle(arguments.bundle, key)
    told = json.loads(members[DESCRIPTION])
    print(f"signed {told['signed_at']} by the key with SHA-256 {fingerprint(key)}")
    print(
        f"{len(told['files'])} files, as they were signed, by overread {told['overread']}: {told['command']}"
    )
    if not arguments.repeat:
        return EXIT_OK
    progress = TerminalProgress()
    others = repeat(members, progress)
    progress.end()
    print(
        f"repeated by overread {__version__}: {'other ' + ', '.join(others) if others else 'the same tables'}"
    )
    return EXIT_FAILED if others else EXIT_OK


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.minutes_per_read > 0:
        raise ConfigurationError("a second read takes more than 0 minutes")
    if arguments.with_cases and not arguments.sign:
        raise ConfigurationError("--with-cases says what goes into a bundle, which --sign KEY writes")


def _way(path: Path | None, share: float | None, detector: str | None) -> "Way":
    from evaluation.audit.replay import Way
    from overread.priority import parse_policy, policy_text, shipped_policy_text

    text = policy_text(path) if path else shipped_policy_text()
    policy = parse_policy(text)
    flagged = policy.tables.line.share if share is None else share
    if not 0 < flagged <= 1:
        raise ConfigurationError(
            f"the share of the list that is read is above 0 and at most 1, not {flagged}"
        )
    return Way(policy=policy, policy_text=text, flagged_share=flagged, detector=detector)


def _write(arguments: argparse.Namespace, ways: "tuple[Way, Way]", tables: "list[Table]") -> None:
    from evaluation.audit.result_folder import record_of_command, write_result, write_tables

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


def _signed(
    arguments: argparse.Namespace, ways: "tuple[Way, Way]", given: "ReplayInput", cases: "list[CohortCase]"
) -> Path:
    from evaluation.audit.replay_bundle import ReplayRecord, write_bundle
    from evaluation.audit.signing import signing_key

    record = ReplayRecord(
        ways=ways,
        given=given,
        minutes_per_read=arguments.minutes_per_read,
        cases=cases if arguments.with_cases else None,
        signed_at=datetime.now(UTC),
    )
    return write_bundle(arguments.out, record, signing_key(arguments.sign))


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
