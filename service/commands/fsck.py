"""`overread fsck`: compares the rows of the store with the bytes that are kept."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from service.maintenance.inventory import Irregularity, Tally
    from service.store.object_rows import Place

DESCRIPTION = """\
Looks for rows whose bytes are missing, bytes that no row mentions, bytes that are not what their hash says,
the same in quarantine, and what receivers that died left behind. It may run beside a running service, and
reads every byte unless --quick is given. Ends with status 0 if nothing is wrong or all was repaired, else 1.

  overread fsck                look
  overread fsck --repair       take in what no row mentions, move what is damaged to quarantine
  overread fsck --from 3a      go on at a prefix of the hashes, where another run was stopped
  overread fsck --json         one JSON object a line for each thing, the last one with the counts
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--repair", action="store_true", help="repair what can be repaired")
    parser.add_argument("--quick", action="store_true", help="compare names and lengths, read no bytes")
    parser.add_argument("--from", dest="first", default="00", metavar="PREFIX", help="two hexadecimal digits")
    parser.add_argument("--to", dest="last", default="ff", metavar="PREFIX", help="the last one, included")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Check, and say what was found."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging
    from service.maintenance.inventory import Check, Irregularity, Tally, check_all, stale_incoming
    from service.maintenance.repair import repair

    configure_logging()
    check, tally = Check(now=datetime.now(UTC), reads_bytes=not arguments.quick), Tally()
    with opened_store(arguments, sweep=False) as store:

        def repaired(found: Irregularity) -> Irregularity:
            return repair(store, found, now=check.now)

        tally.stale_incoming = stale_incoming(store, check)
        if arguments.repair:
            tally.repaired += min(store.files.sweep(), tally.stale_incoming)
        steps = _told(_prefixes(arguments.first, arguments.last), tally)
        for found in check_all(store, steps, check, tally, repaired if arguments.repair else None):
            print(_line(found, as_json=arguments.json), flush=True)
    print(_summary(tally, as_json=arguments.json))
    return EXIT_OK if tally.is_clean else EXIT_FAILED


def _prefixes(first: str, last: str) -> list[tuple["Place", str]]:
    from service.store.object_rows import Place
    from service.store.object_store import PREFIXES

    if first not in PREFIXES or last not in PREFIXES:
        raise ConfigurationError("--from and --to take two hexadecimal digits, such as 3a")
    chosen = PREFIXES[PREFIXES.index(first) : PREFIXES.index(last) + 1]
    return [(place, prefix) for prefix in chosen for place in Place]


def _told(steps: list[tuple["Place", str]], tally: "Tally") -> Iterator[tuple["Place", str]]:
    """Yield the steps, and say on standard error where the check is."""
    for place, prefix in steps:
        if sys.stderr.isatty():
            megabytes = tally.object_bytes // 10**6
            sys.stderr.write(f"\rat {prefix} of ff: {tally.objects} objects, {megabytes} MB ")
            sys.stderr.flush()
        try:
            yield place, prefix
        except GeneratorExit:
            sys.stderr.write(f"\nstopped; go on with --from {prefix}\n")
            raise
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def _line(found: "Irregularity", *, as_json: bool) -> str:
    if as_json:
        return json.dumps(asdict(found))
    study = f", study {found.study_instance_uid}" if found.study_instance_uid else ""
    repair = f": {found.repair}" if found.repair else ""
    return f"{found.place} {found.fault} {found.sha256}{study}{repair}"


def _summary(tally: "Tally", *, as_json: bool) -> str:
    if as_json:
        return json.dumps({**asdict(tally), "clean": tally.is_clean})
    lines = [
        f"{tally.objects} objects of {tally.object_bytes} bytes, {tally.rows} rows",
        *(f"{name}: {count}" for name, count in sorted(tally.found.items())),
        *([f"left by receivers that died: {tally.stale_incoming}"] if tally.stale_incoming else []),
        f"repaired: {tally.repaired}" if tally.repaired else "",
        "nothing is wrong" if tally.is_clean else "something is wrong; see docs/store.md",
    ]
    return "\n".join(line for line in lines if line)


command = Command(
    summary="compare the rows of the store with the bytes that are kept",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
