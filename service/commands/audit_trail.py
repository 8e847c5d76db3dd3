"""`overread audit-trail`: who saw, searched, exported and changed what, and whether the record is whole."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output
from overread.errors import InvalidFileError, words_of

if TYPE_CHECKING:
    from service.store.audit_trail import TrailFilter
    from service.store.database import Store

DESCRIPTION = """\
  overread audit-trail verify --anchors kept.txt   every entry against the chain, and against kept anchors
  overread audit-trail anchor --append kept.txt    the state of the chain, one line, to be kept elsewhere
  overread audit-trail export --patient 4711       who saw what of one patient
  overread audit-trail export --format syslog --since 2026-11-01

An entry that was changed, removed, added or moved is found by `verify`. What was cut off at the end, or a
chain that was made anew from the beginning, is found by an anchor alone: keep one a day on another machine.
`verify` ends with status 1 when anything is found. The export is recorded too.
"""
_FORMATS = ("jsonl", "fhir", "syslog")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    verify = parts.add_parser("verify", help="look at every entry; status 1 if anything was tampered with")
    verify.add_argument(
        "--anchors", type=Path, metavar="FILE", help="anchors that were kept elsewhere, one a line"
    )
    anchor = parts.add_parser("anchor", help="print the state of the chain")
    anchor.add_argument("--append", type=Path, metavar="FILE", help="add it to a file instead")
    export = parts.add_parser("export", help="print entries, the oldest first")
    export.add_argument(
        "--format",
        choices=_FORMATS,
        default="jsonl",
        help="JSON lines, FHIR AuditEvent (R4, a resource a line) or syslog (RFC 5424); default: jsonl",
    )
    export.add_argument("--since", type=_moment, metavar="TIME", help="ISO 8601; without a zone it is UTC")
    export.add_argument("--before", type=_moment, metavar="TIME", help="likewise")
    export.add_argument("--actor", metavar="IDENTIFIER", help="what this person or program did")
    about = export.add_mutually_exclusive_group()
    about.add_argument("--case", type=int, metavar="NUMBER", help="what was done with one case")
    about.add_argument("--patient", metavar="ID", help="with what is kept under this patient id")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """Verify, print the anchor, or export."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    parts = {"verify": _verify, "anchor": _anchor, "export": _export}
    with opened_store(arguments, sweep=False) as store:
        return parts[arguments.part](store, arguments)


def _verify(store: "Store", arguments: argparse.Namespace) -> int:
    from service.audit_trail.verification import parse_anchor, verify_trail

    anchors = [parse_anchor(line) for line in _lines_of(arguments.anchors) if line.strip()]
    report = verify_trail(store, anchors, on_progress=_tell)
    for fault in report.faults:
        print(fault)
    if report.faults_count > len(report.faults):
        print(f"and {report.faults_count - len(report.faults)} more")
    print(f"{report.anchor.position} entries in the chain, anchor {report.anchor}")
    if report.unsealed and report.oldest_unsealed_at is not None:
        print(
            f"{report.unsealed} not sealed yet, the oldest of {report.oldest_unsealed_at:%Y-%m-%d %H:%M:%S} "
            "UTC: a running worker seals them"
        )
    against = f" and {len(anchors)} kept anchors" if anchors else ""
    print(f"the trail agrees with its chain{against}" if report.is_sound else "the trail was tampered with")
    return EXIT_OK if report.is_sound else EXIT_FAILED


def _anchor(store: "Store", arguments: argparse.Namespace) -> int:
    from service.store.audit_trail import read_anchor

    anchor = read_anchor(store)
    if arguments.append is None:
        print(anchor)
        return EXIT_OK
    try:
        with requested_output(arguments), arguments.append.open("a", encoding="ascii") as file:
            file.write(f"{anchor}\n")
    except OSError as error:
        raise InvalidFileError(f"cannot write {arguments.append}: {words_of(error)}") from error
    return EXIT_OK


def _export(store: "Store", arguments: argparse.Namespace) -> int:
    from service.commands.acting import acting
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import record_acts

    wanted = _filter(store, arguments)
    act = acting(
        AuditAction.EXPORTED,
        "overread audit-trail export",
        subject=None if arguments.case is None else f"case {arguments.case}",
        detail="of one patient" if arguments.patient else None,
    )
    record_acts(store, [act])
    if arguments.out is None:
        count = _write(store, wanted, arguments.format, sys.stdout)
    else:
        try:
            with requested_output(arguments), arguments.out.open("w", encoding="utf-8") as file:
                count = _write(store, wanted, arguments.format, file)
        except OSError as error:
            raise InvalidFileError(f"cannot write {arguments.out}: {words_of(error)}") from error
    sys.stderr.write(f"{count} entries\n")
    return EXIT_OK


def _write(store: "Store", wanted: "TrailFilter", form: str, file: TextIO) -> int:
    from service.audit_trail.formats import FORMATS
    from service.store.audit_trail import find_entries

    count = 0
    for sealed in find_entries(store, wanted):
        if sealed.entry is not None:
            file.write(FORMATS[form](sealed, sealed.entry) + "\n")
            count += 1
    return count


def _filter(store: "Store", arguments: argparse.Namespace) -> "TrailFilter":
    from service.store.audit_trail import TrailFilter
    from service.store.patients import holdings_of_case, holdings_of_patient

    subjects = None
    if arguments.case is not None:
        subjects = holdings_of_case(store, arguments.case).subjects
    elif arguments.patient is not None:
        subjects = holdings_of_patient(store, arguments.patient).subjects
    return TrailFilter(
        since=arguments.since, before=arguments.before, actor=arguments.actor, subjects=subjects
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _lines_of(path: Path | None) -> list[str]:
    try:
        return [] if path is None else path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read anchors from {path}: {words_of(error)}") from error


def _tell(count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{count} entries")
        sys.stderr.flush()


command = Command(
    summary="who saw, changed and exported what; verify and export the record",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
