"""`overread drift`: compares the studies of late with those that are usual."""

import argparse
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.store.drift import DriftLook

DESCRIPTION = """\
Compares the studies that were triaged in the latest window that is over with those of the reference that
OVERREAD_DRIFT_REFERENCE names: input, pixels, embedding, scores, and language of the reports, as `overread
audit drift` does with an export. Each window (OVERREAD_DRIFT_WINDOW_DAYS) is looked at once. Of the months in
which nothing changed, the share OVERREAD_DRIFT_FALSE_ALARMS_PER_MONTH at most has a look with an alarm. An
alarm stands in the audit trail and in the metrics, and is told to whom a rule of the notices names.

  overread drift           look at the latest window, unless that was done; status 1 on an alarm
  overread drift --list    what was found so far, the latest first
  overread drift --daily   go on until told to stop; `overread serve` runs this by itself
"""
_SHOWN = 20  # looks


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--list", action="store_true", help=f"show the latest {_SHOWN} looks, and look at none")
    how.add_argument("--daily", action="store_true", help="go on until told to stop")


def run(arguments: argparse.Namespace) -> int:
    """Compare, or show what was found."""
    import signal  # keeps `overread --help` fast
    import threading
    from datetime import UTC, datetime

    from service.commands.installation import environment_of, opened_store
    from service.log import configure_logging
    from service.maintenance.drift import look_for_drift, watch_for_drift
    from service.maintenance.drift_settings import DriftSettings
    from service.store.drift import list_looks
    from service.store.release_watch import ends_when_outdated

    configure_logging()
    settings = DriftSettings.read(environment_of(arguments))
    with opened_store(arguments, creates=arguments.daily) as store:
        if arguments.daily:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            with ends_when_outdated(store.require_release):
                watch_for_drift(store, settings, clock=lambda: datetime.now(UTC), stop=stop)
            return EXIT_OK
        if arguments.list:
            for look in list_looks(store, limit=_SHOWN):
                print("\n".join(_lines(look)))
            return EXIT_OK
        found = look_for_drift(store, settings, now=datetime.now(UTC))
    if found is None:
        print("no window is due: the latest was looked at, none is over yet, or none is compared")
        return EXIT_OK
    print("\n".join(_lines(found)))
    return EXIT_FAILED if found.alarms else EXIT_OK


def _lines(look: "DriftLook") -> "Iterator[str]":
    yield (
        f"{look.window}: {look.window_cases} studies, {look.reference_cases} of {look.reference}, looked at "
        f"{look.looked_at:%Y-%m-%d %H:%M} UTC"
    )
    if not look.channels:
        yield "  nothing to compare: one of the two holds no study"
    for channel in look.channels:
        if not channel.changes:
            yield f"  {channel.channel}: nothing to compare"
            continue
        first = channel.changes[0]
        yield (
            f"  {channel.channel}: {'ALARM' if channel.is_alarm else 'no alarm'}, most in {first.column!r}: "
            f"{first.reference:.3g} -> {first.window:.3g}, p={first.p:.4f}"
        )


command = Command(
    summary="compare the studies of late with those that are usual",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
