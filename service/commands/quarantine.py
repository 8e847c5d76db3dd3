"""`overread quarantine`: look through what was refused, correct it, send it through the intake again."""

import argparse
import getpass
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overread.actor import Actor
from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output
from overread.errors import InputError, InvalidFileError, NotFoundError, TransitionError

if TYPE_CHECKING:
    from service.quarantine.contents import Content
    from service.store.database import Store
    from service.store.quarantine import ActionRecord, Correction, QuarantineFilter
    from service.store.records import QuarantineEntry

DESCRIPTION = """\
What arrived and could not be used waits here for a person, with its reason. Nothing is deleted: an entry is
resolved when its content is in the store, or discarded with a reason, and who did what stands in the record.

  overread quarantine list --reason CONTRADICTION --since 2026-03-01
  overread quarantine show 12                             its header; --identify also says whose it is
  overread quarantine save 12 image.dcm                   its bytes as they came, to correct and send again
  overread quarantine replay --reason INVALID_REPORT      all of them again, after the cause was removed
  overread quarantine correct 12 --accession A-1001       with the right accession number
  overread quarantine correct 13 --accept                 the image belongs to its study all the same
  overread quarantine discard 14 --because "test image of the vendor"
"""
_STATES = ("waiting", "resolved", "discarded", "all")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    listing = parts.add_parser("list", help="what was refused, the latest first")
    _add_filters(listing)
    listing.add_argument("--state", choices=_STATES, default="waiting", help="default: waiting")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default 100)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    show = parts.add_parser("show", help="one entry: reason, header, what was done with it")
    show.add_argument("number", type=int, metavar="NUMBER")
    show.add_argument("--identify", action="store_true", help="say who the patient is")
    show.add_argument("--text", action="store_true", help="print the text of a report")
    show.add_argument("--json", action="store_true", help="as JSON")
    save = parts.add_parser("save", help="write the bytes of one entry to a file, as they came")
    save.add_argument("number", type=int, metavar="NUMBER")
    save.add_argument("file", type=Path, metavar="FILE", help="a new file")
    replay = parts.add_parser("replay", help="send entries through the intake again, as they are")
    replay.add_argument("numbers", nargs="*", type=int, metavar="NUMBER")
    _add_filters(replay)
    replay.add_argument("--all", action="store_true", help="everything that waits")
    correct = parts.add_parser("correct", help="send one entry through the intake again, put right")
    correct.add_argument("number", type=int, metavar="NUMBER")
    _add_correction(correct)
    discard = parts.add_parser("discard", help="mark entries as of no use; their bytes stay")
    discard.add_argument("numbers", nargs="+", type=int, metavar="NUMBER")
    discard.add_argument("--because", required=True, metavar="WORDS", help="why")
    for part in (replay, correct, discard):
        part.add_argument("--by", metavar="NAME", help="who does it (default: your user name)")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", choices=("instance", "report"), help="only images, or only reports")
    parser.add_argument("--reason", help="only with this reason, such as CONTRADICTION")
    parser.add_argument(
        "--since", type=date, metavar="DATE", help="only what arrived since, such as 2026-03-01"
    )


def _add_correction(parser: argparse.ArgumentParser) -> None:
    for option, word in (
        ("--accession", "accession number"),
        ("--study", "Study Instance UID"),
        ("--patient", "patient id"),
    ):
        parser.add_argument(option, metavar="VALUE", help=f"the right {word} of a report; '' leaves it out")
    parser.add_argument("--charset", help="character set that a report is in, such as cp1252")
    parser.add_argument("--status", choices=("PRELIMINARY", "FINAL", "CORRECTED", "ADDENDUM"))
    parser.add_argument(
        "--accept",
        action="store_true",
        help="an image belongs to its study although patient or accession number differ, or is what it says "
        "it is; a report counts although a later version has come",
    )


def date(text: str) -> datetime:
    """Return the moment that a word names, in UTC where it does not say."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def run(arguments: argparse.Namespace) -> int:
    """Show or change the quarantine."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    parts = {
        "list": _list,
        "show": _show,
        "save": _save,
        "replay": _replay,
        "correct": _correct,
        "discard": _discard,
    }
    with opened_store(arguments) as store:
        return parts[arguments.part](store, arguments)


def _list(store: "Store", arguments: argparse.Namespace) -> int:
    from service.store.quarantine import count_quarantine, list_quarantine

    wanted = _filter(arguments, arguments.state)
    entries = list_quarantine(store, wanted, limit=max(arguments.limit, 0))
    if arguments.json:
        for entry in entries:
            print(json.dumps(_values(entry)))
        return EXIT_OK
    for entry in entries:
        print(_line(entry))
    total = count_quarantine(store, wanted)
    print(f"{total} in all" if len(entries) == total else f"{len(entries)} of {total}; --limit shows more")
    return EXIT_OK


def _show(store: "Store", arguments: argparse.Namespace) -> int:
    from service.quarantine.contents import read_content
    from service.store.quarantine import case_of, list_actions, load_entry

    entry = load_entry(store, arguments.number)
    content = read_content(entry, identified=arguments.identify, with_text=arguments.text)
    actions, case_id = list_actions(store, entry.quarantine_id), case_of(store, entry)
    if arguments.json:
        values = _values(entry) | {"case_id": case_id, "form": content.form, "broken": content.broken}
        values["header"] = {line.name: line.value for line in content.lines}
        values["actions"] = [_action_values(action, identified=arguments.identify) for action in actions]
        if arguments.identify:
            values["patient_id"] = entry.patient_id
        if arguments.text:
            values["text"] = content.text
        print(json.dumps(values, indent=2))
        return EXIT_OK
    print("\n".join(_described(entry, content, case_id, identified=arguments.identify)))
    for action in actions:
        print(_action_line(action, identified=arguments.identify))
    if arguments.text and content.text is not None:
        print(f"\n{content.text}")
    return EXIT_OK


def _save(store: "Store", arguments: argparse.Namespace) -> int:
    from service.quarantine.contents import quarantined_bytes
    from service.store.quarantine import load_entry

    entry = load_entry(store, arguments.number)
    try:
        with (
            quarantined_bytes(entry) as content,
            requested_output(arguments),
            arguments.file.open("xb") as file,
        ):
            shutil.copyfileobj(content, file)
    except OSError as error:
        raise InvalidFileError(f"cannot write {arguments.file}: {error.strerror}") from error
    print(f"{arguments.number}: {entry.size_bytes} bytes in {arguments.file}")
    return EXIT_OK


def _replay(store: "Store", arguments: argparse.Namespace) -> int:
    from service.store.quarantine import numbers_of

    filters = (arguments.kind, arguments.reason, arguments.since)
    chosen = bool(arguments.numbers), any(filters), arguments.all
    if sum(chosen) != 1:
        raise InputError("give the numbers of entries, or --kind, --reason or --since, or --all")
    numbers = arguments.numbers or numbers_of(store, _filter(arguments, "waiting"))
    return _try(store, numbers, None, arguments)


def _correct(store: "Store", arguments: argparse.Namespace) -> int:
    return _try(store, [arguments.number], _correction(arguments), arguments)


def _discard(store: "Store", arguments: argparse.Namespace) -> int:
    from service.store.quarantine import discard

    for number in arguments.numbers:
        discard(
            store,
            number,
            actor=Actor.account(getpass.getuser(), arguments.by),
            because=arguments.because,
            now=datetime.now(UTC),
        )
        print(f"{number}: discarded")
    return EXIT_OK


def _try(
    store: "Store", numbers: Iterable[int], correction: "Correction | None", arguments: argparse.Namespace
) -> int:
    """Send entries through the intake again, a line for each; 0 only if all of them are stored now."""
    from service.commands.installation import environment_of
    from service.hl7.settings import Hl7Settings
    from service.quarantine.replay import replay_entry

    hl7, actor = Hl7Settings.read(environment_of(arguments)), Actor.account(getpass.getuser(), arguments.by)
    stored = tried = 0
    for number in numbers:
        tried += 1
        try:
            result = replay_entry(
                store, number, actor=actor, now=datetime.now(UTC), hl7=hl7, correction=correction
            )
        except (NotFoundError, TransitionError) as error:  # of this one; the others may do
            print(f"{number}: {error}")
            continue
        stored += result.detail is None
        words = result.outcome.value.lower().replace("_", " ")
        case = f", case {result.case_id}" if result.case_id is not None else ""
        print(f"{number}: {words}{case}{f': {result.detail}' if result.detail else ''}")
    print(f"{stored} of {tried} resolved")
    return EXIT_OK if stored == tried else EXIT_FAILED


def _correction(arguments: argparse.Namespace) -> "Correction":
    from service.store.quarantine import Correction
    from service.store.records import ReportStatus

    return Correction(
        accession_number=arguments.accession,
        study_instance_uid=arguments.study,
        patient_id=arguments.patient,
        charset=arguments.charset,
        status=ReportStatus(arguments.status) if arguments.status else None,
        accepts=arguments.accept,
    )


def _filter(arguments: argparse.Namespace, state: str) -> "QuarantineFilter":
    from service.store.quarantine import QuarantineFilter
    from service.store.records import QuarantineKind, QuarantineState

    return QuarantineFilter(
        kind=QuarantineKind(arguments.kind.upper()) if arguments.kind else None,
        reason=arguments.reason,
        since=arguments.since,
        state=None if state == "all" else QuarantineState(state.upper()),
    )


def _line(entry: "QuarantineEntry") -> str:
    names = entry.accession_number or entry.study_instance_uid or "-"
    return (
        f"{entry.quarantine_id:6}  {entry.received_at:%Y-%m-%d %H:%M}  {entry.state.value.lower():9}  "
        f"{entry.kind.value.lower():8}  {entry.reason:18}  {names}  {entry.detail}"
    )


def _described(
    entry: "QuarantineEntry", content: "Content", case_id: int | None, *, identified: bool
) -> Iterator[str]:
    yield f"entry      {entry.quarantine_id}, {entry.state.value.lower()}"
    yield f"arrived    {entry.received_at:%Y-%m-%d %H:%M:%S} UTC, {entry.source}"
    yield f"refused    {entry.reason}: {entry.detail}"
    yield f"content    {content.form}, {entry.size_bytes} bytes, sha256 {entry.sha256}"
    for name, value in (
        ("study", entry.study_instance_uid),
        ("instance", entry.sop_instance_uid),
        ("accession", entry.accession_number),
        ("patient", entry.patient_id if identified else None),
        ("status", entry.report_status),
        ("issued", entry.report_issued_at and f"{entry.report_issued_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("charset", entry.report_charset),
        ("case", case_id),
    ):
        if value is not None:
            yield f"{name:10} {value}"
    yield from (f"  {line.name:32} {line.value}" for line in content.lines)
    if content.broken:
        yield f"  no more can be read: {content.broken}"


def _action_line(action: "ActionRecord", *, identified: bool) -> str:
    correction = f" ({action.correction.words(identified=identified)})" if action.correction else ""
    words = f"{action.action.value.lower()}{correction}, {action.outcome.value.lower().replace('_', ' ')}"
    detail = f": {action.detail}" if action.detail else ""
    return f"{action.happened_at:%Y-%m-%d %H:%M:%S} UTC  {words} by {action.actor.display_name}{detail}"


def _values(entry: "QuarantineEntry") -> dict[str, object]:
    names = (
        "quarantine_id",
        "state",
        "kind",
        "reason",
        "detail",
        "source",
        "sha256",
        "size_bytes",
        "study_instance_uid",
        "sop_instance_uid",
        "accession_number",
        "report_status",
        "report_charset",
        "case_id",
    )
    issued_at = entry.report_issued_at
    times = {
        "received_at": entry.received_at.isoformat(),
        "report_issued_at": issued_at.isoformat() if issued_at else None,
    }
    return {name: getattr(entry, name) for name in names} | times


def _action_values(action: "ActionRecord", *, identified: bool) -> dict[str, object]:
    values: dict[str, object] = {
        "happened_at": action.happened_at.isoformat(),
        "action": action.action.value,
        "outcome": action.outcome.value,
        "actor": action.actor.display_name,
        "actor_identifier": action.actor.identifier,
        "detail": action.detail,
    }
    if action.correction is not None:
        values["correction"] = action.correction.words(identified=identified)
    return values


command = Command(
    summary="look through what was refused, correct it and send it again",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
