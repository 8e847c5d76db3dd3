"""`overread worker`: triages the cases of one installation."""

import argparse

from overread.command import EXIT_OK, Command

DESCRIPTION = """\
Claims cases that have both their images and their report, compares the two, and stores what was found.
Several workers may run at once, on one machine or many; killing one loses nothing.

  overread worker          until it is told to stop (SIGTERM)
  overread worker --once   until no case is due
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--once", action="store_true", help="end as soon as no case is due")


def run(arguments: argparse.Namespace) -> int:
    """Run one worker."""
    from service.commands.installation import environment_of  # keeps `overread --help` fast
    from service.log import configure_logging
    from service.runtime.worker_process import run_worker
    from service.settings import load_settings
    from service.tracing import configure_tracing

    configure_logging()
    environ = environment_of(arguments)
    configure_tracing(environ)
    run_worker(load_settings(environ), drain=arguments.once)
    return EXIT_OK


command = Command(
    summary="triage the cases that are ready",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
