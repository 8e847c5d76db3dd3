"""`overread peer-learning`: judged cases for a learning meeting, without who anybody is."""

import argparse
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output

if TYPE_CHECKING:
    from service.store.database import Store

DESCRIPTION = """\
Makes a learning meeting out of cases that second readers judged: a page with pictures, de-identified DICOM
and a table. Nothing leaves that no person has read: `list` writes the cases of a period as a table, a person
goes through it, and `export` takes what it says.

  overread peer-learning list --since 2026-11-01 --until 2026-12-01 --out november.csv
  ... read november.csv: yes under `take`; correct what still names somebody ...
  overread peer-learning export november.csv --title "November" --out november

The author of a report is told before the meeting (RCR, Standards for radiology events and learning meetings,
2020): `told` says whether they have opened it on the page "Your reports". A case whose author has not been
told stays out, unless you write yes under `told_otherwise`; --with-untold takes such cases too, marked.

november.counts.csv lies beside the list, without a name: cases, readers who take part, learning
opportunities, addenda asked for and arrived, as the peer-learning pathway of the ACR's accreditation asks
for. --target N counts the readers who judged at least N.

What it cannot do: text that is burnt into pixels is neither found nor removed. A case of which an image says
that it has some, or which de-identification refuses for another reason, stays out as a whole. Names of the
patient, and of everybody with an account, are taken out of texts, and so are days and numbers; a nickname, or
a name that nothing else tells, stays: read the table. Scores are left out: a meeting learns, it does not
score.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    listing = parts.add_parser("list", help="write the cases of a period as a table to go through")
    day = date.fromisoformat
    listing.add_argument("--since", type=day, required=True, metavar="DAY", help="judged from (UTC)")
    listing.add_argument("--until", type=day, metavar="DAY", help="judged before; default: until now")
    listing.add_argument("--out", type=Path, required=True, metavar="CSV", help="not there yet")
    listing.add_argument("--with-reports", action="store_true", help="texts of reports too; read them")
    listing.add_argument("--target", type=int, metavar="N", help="cases that each reader is to judge")
    export = parts.add_parser("export", help="make the meeting of what the table says")
    export.add_argument("list", type=Path, metavar="CSV", help="the table, gone through")
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new, or empty")
    export.add_argument("--title", default="Learning meeting", help="of the page")
    export.add_argument("--with-untold", action="store_true", help="cases too whose author has not been told")
    export.add_argument("--key", type=Path, metavar="FILE", help="of the pseudonyms; keep it secret")


def run(arguments: argparse.Namespace) -> int:
    """List or export."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    with opened_store(arguments) as store:
        return _list(store, arguments) if arguments.part == "list" else _export(store, arguments)


def _list(store: "Store", arguments: argparse.Namespace) -> int:
    from service.commands.acting import acting
    from service.peer_learning.candidates import Period, candidates
    from service.peer_learning.counts import counts_of, write_counts
    from service.peer_learning.meeting_list import write_list
    from service.peer_learning.names import names_of_people
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import record_acts

    period = Period(since=_start_of(arguments.since), until=_end_of(arguments.until))
    command = "overread peer-learning list"
    found = list(candidates(store, period))
    record_acts(
        store, [acting(AuditAction.EXPORTED, command, subject=f"case {item.case_id}") for item in found]
    )
    with requested_output(arguments):
        write_list(arguments.out, found, names_of_people(store), with_reports=arguments.with_reports)
        counts = counts_of(store, period, target=arguments.target)
        write_counts(_counts_path(arguments.out), counts)
    told = sum(item.telling.is_told for item in found)
    print(f"{len(found)} cases in {arguments.out}; the authors of {told} have been told")
    for count in counts:
        print(f"{count.number:6}{'' if count.of is None else f' of {count.of}':10}  {count.what}")
    print("Read the table, and write yes under `take` before `overread peer-learning export`.")
    return EXIT_OK


def _export(store: "Store", arguments: argparse.Namespace) -> int:
    from service.commands.acting import acting
    from service.deidentification.pseudonyms import Pseudonyms
    from service.peer_learning.counts import read_counts
    from service.peer_learning.meeting import PAGE, Meeting, export_meeting
    from service.peer_learning.meeting_list import read_list
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import record_acts

    listed = read_list(arguments.list)
    command = "overread peer-learning export"
    record_acts(
        store,
        [
            acting(AuditAction.EXPORTED, command, subject=f"case {item.case_id}")
            for item in listed
            if item.take
        ],
    )
    meeting = Meeting(
        title=arguments.title,
        counts=read_counts(_counts_path(arguments.list)),
        with_untold=arguments.with_untold,
        pseudonyms=Pseudonyms.of_key_file(arguments.key),
    )
    taken = left_out = 0
    with requested_output(arguments):
        for done in export_meeting(store, listed, arguments.out, meeting):
            taken += done.why_not is None
            left_out += done.why_not is not None
            if done.why_not is not None:
                sys.stderr.write(f"case {done.case_id} stays out: {done.why_not}\n")
    print(f"{taken} cases in {arguments.out / PAGE}; {left_out} stay out")
    print("Text that is burnt into pixels was not looked for: look at every picture before you hand it on.")
    return EXIT_FAILED if left_out else EXIT_OK


def _counts_path(table: Path) -> Path:
    return table.with_suffix(".counts.csv")


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _end_of(day: date | None) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1) if day is None else _start_of(day)


command = Command(
    summary="judged cases for a learning meeting, without who anybody is",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
