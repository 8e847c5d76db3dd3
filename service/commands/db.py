"""`overread db`: the database of an installation: check, upgrade, backup, restore."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command

if TYPE_CHECKING:
    from service.settings import Settings

DESCRIPTION = """\
  overread db check             the revision of the tables, and whether all is in order; changes nothing
  overread db upgrade           bring the tables to this release, as every process does when it starts; says
                                no, as they do, while an earlier release is at work that could not go on
  overread db backup FOLDER     database and objects, as they stand at one moment; the service may go on
  overread db restore FOLDER    into an installation that has no database yet

With PostgreSQL its own pg_dump and pg_restore are called. Objects in a bucket stay where they are.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    parts.add_parser("check", help="whether the tables are of this release and in order; status 1 if not")
    upgrade = parts.add_parser("upgrade", help="bring the tables to this release")
    upgrade.add_argument(
        "--new", action="store_true", help="make a new database even where objects of a lost one are kept"
    )
    upgrade.add_argument(
        "--end-others",
        action="store_true",
        help="go on although processes of an earlier release cannot: they end by themselves (PostgreSQL)",
    )
    backup = parts.add_parser("backup", help="make a backup in a new folder")
    backup.add_argument("folder", type=Path, metavar="FOLDER", help="must not exist, or be empty")
    restore = parts.add_parser("restore", help="bring a backup into an empty installation")
    restore.add_argument("folder", type=Path, metavar="FOLDER", help="what `backup` made")


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    from service.commands.installation import environment_of, existing_settings  # fast --help
    from service.log import configure_logging
    from service.settings import load_settings

    configure_logging()
    if arguments.part == "check":
        return _check(existing_settings(arguments))
    if arguments.part == "backup":
        return _backup(existing_settings(arguments), arguments.folder)
    settings = load_settings(environment_of(arguments))
    if arguments.part == "upgrade":
        return _upgrade(settings, begins_anew=arguments.new, ends_others=arguments.end_others)
    return _restore(settings, arguments.folder)


def _check(settings: "Settings") -> int:
    from service.store.tables import check_tables

    report = check_tables(settings)
    print(f"{report.database}, revision {report.revision or 'none'}, this release has {report.newest}")
    for name, count in report.rows.items():
        print(f"{count:12} {name}")
    for fault in report.faults:
        print(fault)
    if report.is_usable and not report.is_current:
        print("a later release brought it there, and this one may go on working on it")
    elif not report.is_current:
        print("overread db upgrade brings it to this release; make a backup before")
    return EXIT_OK if report.is_usable and not report.faults else EXIT_FAILED


def _upgrade(settings: "Settings", *, begins_anew: bool, ends_others: bool) -> int:
    from service.store.tables import upgrade_tables

    before, after = upgrade_tables(settings, begins_anew=begins_anew, ends_others=ends_others)
    print("nothing to do" if before == after else f"upgraded from {before or 'none'} to {after}")
    return EXIT_OK


def _backup(settings: "Settings", folder: Path) -> int:
    from service.commands.acting import acting
    from service.maintenance.backup import back_up
    from service.store.audit_entries import AuditAction
    from service.store.audit_trail import BACKUP, record_acts
    from service.store.database import open_store

    store = open_store(settings, sweep=False)
    try:
        record_acts(store, [acting(AuditAction.EXPORTED, "overread db backup")])
        manifest = back_up(store, folder, now=datetime.now(UTC))
        if not manifest.missing:
            whole = f"{manifest.objects} objects, revision {manifest.revision}"
            record_acts(
                store, [acting(AuditAction.EXPORTED, "overread db backup", subject=BACKUP, detail=whole)]
            )
    finally:
        store.close()
    print(f"{folder}: database at revision {manifest.revision}, {manifest.objects} objects")
    for name in manifest.missing:
        print(f"missing: {name}; see overread fsck")
    return EXIT_FAILED if manifest.missing else EXIT_OK


def _restore(settings: "Settings", folder: Path) -> int:
    from getpass import getuser

    from overread.actor import Actor
    from service.maintenance.backup import restore
    from service.store.people import Act

    by = Act(actor=Actor.account(getuser()), at=datetime.now(UTC), what="overread db restore")
    manifest, closed = restore(folder, settings, by=by)
    print(f"restored what was backed up at {manifest.made_at}: {manifest.objects} objects; run overread fsck")
    print(
        "Every session has ended. Accounts stand as they did at the backup: look through `overread users "
        "list` for those that were disabled, or given another password, roles or sites, since then."
    )
    if closed.tokens:
        print(
            f"Tokens that may have been revoked since then let nobody in until you say so, with `overread "
            f"tokens resume NAME`: {', '.join(closed.tokens)}"
        )
    return EXIT_OK


command = Command(
    summary="check, upgrade, back up and restore the database",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
