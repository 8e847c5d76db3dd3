"""`overread patient`: everything that is kept of one patient: told, copied, removed."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output
from overread.errors import NotFoundError

if TYPE_CHECKING:
    from service.store.audit_entries import AuditAction
    from service.store.database import Store
    from service.store.patients import Holdings

DESCRIPTION = """\
For a patient who asks what is kept, wants a copy, or asks for removal.

  overread patient show 4711                        how much is kept
  overread patient export 4711 --out copy-for-4711  reports, images, results, history, who saw what
  overread patient remove 4711 --because "request of 2026-11-30"

  overread patient erase 4711 --because "request of 2026-11-30, granted"

`remove` takes away the images and what was refused, at once and for good. The text of the reports, what was
concluded and decided, and who saw it stay: they are the record of a medical decision. `erase` takes these
away too, all but the audit trail, where the law asks for it and no law asks to keep them; it asks for the
patient id again, unless --yes is given. Each of the four is recorded in the audit trail.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    show = parts.add_parser("show", help="how much is kept")
    export = parts.add_parser("export", help="a copy of everything")
    remove = parts.add_parser("remove", help="remove images, and what was refused")
    erase = parts.add_parser("erase", help="erase all but the audit trail")
    erase.add_argument("--yes", action="store_true", help="do not ask again")
    for part in (show, export, remove, erase):
        part.add_argument("patient", metavar="ID", help="patient id, as the images or reports give it")
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new, or empty")
    for part in (remove, erase):
        part.add_argument("--because", required=True, metavar="TEXT", help="the reason, which is kept")


def run(arguments: argparse.Namespace) -> int:
    """Tell, copy or remove."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging
    from service.store.patients import holdings_of_patient

    configure_logging()
    parts = {"show": _show, "export": _export, "remove": _remove, "erase": _erase}
    with opened_store(arguments) as store:
        held = holdings_of_patient(store, arguments.patient)
        if held.is_empty:
            raise NotFoundError("nothing is kept under this patient id; sites may write it in another way")
        return parts[arguments.part](store, held, arguments)


def _show(store: "Store", held: "Holdings", _: argparse.Namespace) -> int:
    from service.store.audit_entries import AuditAction

    _record(store, held, AuditAction.SAW, "overread patient show")
    print(
        f"{len(held.case_ids)} cases, {len(held.study_uids)} studies, {len(held.sop_instance_uids)} images, "
        f"{len(held.quarantine_ids)} in quarantine"
    )
    if held.case_ids:
        print("cases: " + ", ".join(map(str, held.case_ids)))
    return EXIT_OK


def _export(store: "Store", held: "Holdings", arguments: argparse.Namespace) -> int:
    from service.maintenance.patient import copy_everything
    from service.store.audit_entries import AuditAction

    _record(store, held, AuditAction.EXPORTED, "overread patient export")
    with requested_output(arguments):
        count = copy_everything(store, held, arguments.out)
    print(f"{count} files in {arguments.out}; missing.txt names what is not kept any more")
    return EXIT_OK


def _remove(store: "Store", held: "Holdings", arguments: argparse.Namespace) -> int:
    import getpass

    from overread.actor import Actor
    from service.maintenance.patient import STAYS, remove_bytes

    actor, now = Actor.account(getpass.getuser()), datetime.now(UTC)
    count = remove_bytes(store, held, actor=actor, because=arguments.because, now=now)
    print(f"removed: {count.objects} images, {count.refused} in quarantine")
    for words in count.kept:
        print(f"not removed: {words}")
    print(STAYS)
    return EXIT_FAILED if count.kept else EXIT_OK


def _erase(store: "Store", held: "Holdings", arguments: argparse.Namespace) -> int:
    import getpass
    import sys

    from overread.actor import Actor
    from overread.errors import InputError
    from service.maintenance.patient import ERASED_STAYS, erase_rows
    from service.store.erasure import Erasure

    if not arguments.yes:
        sys.stderr.write(f"{len(held.case_ids)} cases go for good. Type the patient id again: ")
        if sys.stdin.readline().strip() != arguments.patient:
            raise InputError("it is not the same; nothing was erased")
    actor, now = Actor.account(getpass.getuser()), datetime.now(UTC)
    count = erase_rows(store, held, Erasure(actor=actor, at=now, why=arguments.because))
    print(f"erased: {count.cases} cases, {count.refused} in quarantine")
    for words in count.kept:
        print(f"not erased: {words}")
    print(ERASED_STAYS)
    return EXIT_FAILED if count.kept else EXIT_OK


def _record(store: "Store", held: "Holdings", action: "AuditAction", command: str) -> None:
    from service.commands.acting import acting
    from service.store.audit_trail import record_acts

    named = [f"case {number}" for number in held.case_ids] or held.subjects
    record_acts(store, [acting(action, command, subject=subject) for subject in named])


command = Command(
    summary="what is kept of one patient: show, copy, remove, erase",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
