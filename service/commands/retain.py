"""`overread retain`: removes pixels whose time is over."""

import argparse

from overread.command import EXIT_OK, Command

DESCRIPTION = """\
Removes the pixels of settled cases, and refused bytes, that are over the time that the settings give
(OVERREAD_KEEP_DAYS_CONCORDANT, ..._NOT_APPLICABLE, ..._QUARANTINE). Reports, results, events and the rows of
the objects stay, and say when and why. Without such a setting everything is kept.

  overread retain --dry-run   say what would go
  overread retain             remove it now
  overread retain --daily     now and once a day, until told to stop; `overread serve` runs this by itself
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="remove nothing, say what would go")
    how.add_argument("--daily", action="store_true", help="go on until told to stop")


def run(arguments: argparse.Namespace) -> int:
    """Remove, or say what would go."""
    import signal  # keeps `overread --help` fast
    import threading
    from datetime import UTC, datetime

    from service.commands.installation import opened_store
    from service.log import configure_logging
    from service.maintenance.retention import RetentionCount, retain, retain_daily
    from service.store.release_watch import ends_when_outdated

    configure_logging()
    with opened_store(arguments, creates=True) as store:
        if arguments.daily:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            with ends_when_outdated(store.require_release):
                retain_daily(store, clock=lambda: datetime.now(UTC), stop=stop)
            return EXIT_OK
        counts = retain(store, now=datetime.now(UTC), dry_run=arguments.dry_run)
        total = sum(counts, start=RetentionCount())
    verb = "would go" if arguments.dry_run else "removed"
    print(f"objects of settled cases {verb}: {total.instances} ({total.instance_bytes} bytes)")
    print(f"refused things {verb}: {total.refused} ({total.refused_bytes} bytes)")
    return EXIT_OK


command = Command(
    summary="remove pixels whose time is over; what was decided stays",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
