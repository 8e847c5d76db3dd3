"""`overread results`: what other systems are told, and what became of it."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command

if TYPE_CHECKING:
    from service.store.outbox import Delivery

DESCRIPTION = """\
Sends results to other systems: DICOM SR (TID 1500), secondary captures and key objects to a PACS by C-STORE
or STOW-RS, HL7 ORU messages to a record system. Where they go is said by OVERREAD_RESULTS_DESTINATIONS and
OVERREAD_RESULTS_RULES; `overread serve` runs `overread results send` as soon as a destination is named.

  overread results list               what waits, or was given up
  overread results list --all         everything, the latest first
  overread results replay --given-up  what was given up is sent again
  overread results replay 17 18       these deliveries are sent again, under the same UIDs
  overread results write 12 out.dcm   makes the SR of case 12, and sends it nowhere
  overread results send               makes and sends what is due until told to stop
  overread results send --once        the same once
"""
_LISTED_MAX = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listing = actions.add_parser("list", help="what waits, was sent, or was given up")
    listing.add_argument("--all", action="store_true", help="what was sent or replaced too")
    listing.add_argument("--destination", help="to this destination alone")
    listing.add_argument("--case", type=int, help="of this case alone")
    listing.add_argument("--json", action="store_true", help="one object a line")
    replay = actions.add_parser("replay", help="send again, under the same UIDs")
    replay.add_argument("deliveries", nargs="*", type=int, metavar="DELIVERY", help="numbers of the list")
    replay.add_argument("--given-up", action="store_true", help="all that was given up")
    replay.add_argument("--destination", help="to this destination alone")
    replay.add_argument("--case", type=int, help="of this case alone")
    write = actions.add_parser("write", help="make one object, and write it to a file")
    write.add_argument("case_", type=int, metavar="CASE", help="number of a triaged case")
    write.add_argument("file", type=Path, help="where to write it")
    write.add_argument("--form", default="SR", choices=("SR", "SC", "KO"), help="of the result (default SR)")
    send = actions.add_parser("send", help="make and send what is due")
    send.add_argument("--once", action="store_true", help="once; else until told to stop")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    return _ACTIONS[arguments.what](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from service.commands.installation import opened_store
    from service.store.outbox import DeliveryState, Query, list_deliveries

    states = () if arguments.all else (DeliveryState.DUE, DeliveryState.GIVEN_UP)
    query = Query(states=states, destination=arguments.destination, case_id=arguments.case)
    with opened_store(arguments) as store:
        found = list_deliveries(store, query, limit=_LISTED_MAX)
    if arguments.json:
        for delivery in found:
            print(json.dumps(_as_json(delivery)))
    else:
        print("\n".join(map(_line, found)) if found else "nothing waits, and nothing was given up")
    return EXIT_OK


def _replay(arguments: argparse.Namespace) -> int:
    import getpass
    from datetime import UTC, datetime

    from overread.actor import Actor
    from overread.errors import InputError
    from service.commands.installation import opened_store
    from service.store.outbox import DeliveryState, Query, send_again

    if not (arguments.deliveries or arguments.given_up or arguments.case or arguments.destination):
        raise InputError("say what to send again: numbers of deliveries, --given-up, --case or --destination")
    states = (DeliveryState.GIVEN_UP,) if arguments.given_up else ()
    query = Query(
        states=states,
        destination=arguments.destination,
        delivery_ids=tuple(arguments.deliveries),
        case_id=arguments.case,
    )
    with opened_store(arguments) as store:
        actor = Actor.account(getpass.getuser())
        count = send_again(store, query, now=datetime.now(UTC), actor=actor)
    print(f"{count} deliveries are due again")
    return EXIT_OK


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


def _line(delivery: "Delivery") -> str:
    words = [
        str(delivery.delivery_id),
        f"case {delivery.case_id}",
        delivery.form.value,
        f"to {delivery.destination}",
        delivery.state.value,
        f"{delivery.attempts} attempts",
        f"due {delivery.due_at:%Y-%m-%d %H:%M} UTC" if delivery.concluded_at is None else "",
        f"commitment {delivery.commitment.value}" if delivery.commitment else "",
        delivery.detail or "",
    ]
    return "\t".join(word for word in words if word)


def _as_json(delivery: "Delivery") -> dict[str, object]:
    return {
        "delivery": delivery.delivery_id,
        "case": delivery.case_id,
        "form": delivery.form.value,
        "destination": delivery.destination,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at.isoformat(),
        "asked_at": delivery.asked_at.isoformat(),
        "concluded_at": delivery.concluded_at.isoformat() if delivery.concluded_at else None,
        "detail": delivery.detail,
        "commitment": delivery.commitment.value if delivery.commitment else None,
        "sop_instance_uid": delivery.sop_instance_uid,
    }


command = Command(
    summary="send results to PACS and record systems, and see what became of them",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
