"""`overread results`: what other systems are told, and what became of it."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from overread.command import EXIT_OK, Command
from service.commands.outbox import configure_outbox, print_deliveries, replay_deliveries

DESCRIPTION = """\
Sends results to other systems: DICOM SR (TID 1500), secondary captures, key objects, segmentations and
presentation states to a PACS by C-STORE or STOW-RS, HL7 ORU messages to a record system, FHIR notifications
to systems that read results here. Where they go is said by OVERREAD_RESULTS_DESTINATIONS and
OVERREAD_RESULTS_RULES; `overread serve` runs `overread results send` as soon as a destination is named.

  overread results list               what waits, or was given up
  overread results list --all         everything, the latest first
  overread results replay --given-up  what was given up is sent again
  overread results replay 17 18       these deliveries are sent again, under the same UIDs
  overread results write 12 out.dcm   makes the SR of case 12, and sends it nowhere
  overread results write 12 out.dcm --form SEG  its segmentation: the pixels of each disagreement
  overread results send               makes and sends what is due until told to stop
  overread results send --once        the same once
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    configure_outbox(actions, again="send again, under the same UIDs")
    write = actions.add_parser("write", help="make one object, and write it to a file")
    write.add_argument("case_", type=int, metavar="CASE", help="number of a triaged case")
    write.add_argument("file", type=Path, help="where to write it")
    write.add_argument(
        "--form", default="SR", choices=("SR", "SC", "KO", "SEG", "GSPS"), help="of the result (default SR)"
    )
    send = actions.add_parser("send", help="make and send what is due")
    send.add_argument("--once", action="store_true", help="once; else until told to stop")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    return _ACTIONS[arguments.what](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from service.store.outbox import Content

    return print_deliveries(arguments, Content.RESULT)


def _replay(arguments: argparse.Namespace) -> int:
    from service.store.outbox import Content

    return replay_deliveries(arguments, Content.RESULT)


def _write(arguments: argparse.Namespace) -> int:
    from service.commands.installation import opened_store
    from service.results.making import result_of_case
    from service.store.results import Form

    with opened_store(arguments) as store:
        made = result_of_case(store, arguments.case_, Form(arguments.form))
    made.save_as(arguments.file, enforce_file_format=True)
    print(f"{arguments.form} {made.SOPInstanceUID} written to {arguments.file}")
    return EXIT_OK


def _send(arguments: argparse.Namespace) -> int:
    from service.commands.installation import environment_of, opened_store
    from service.log import configure_logging
    from service.results.process import send_once, send_until_stopped
    from service.tracing import configure_tracing

    configure_logging()
    environ = environment_of(arguments)
    configure_tracing(environ)
    with opened_store(arguments) as store:
        if arguments.once:
            print(f"{send_once(store, environ)} results answered for")
        else:
            send_until_stopped(store, environ)
    return EXIT_OK


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "replay": _replay,
    "write": _write,
    "send": _send,
}


command = Command(
    summary="send results to PACS and record systems, and see what became of them",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
