"""What the commands of results and of notices share: the list of the outbox, and sending again."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from overread.command import EXIT_OK

if TYPE_CHECKING:
    from service.store.outbox import Content, Delivery

_LISTED_MAX = 1000


def configure_outbox(actions: Any, *, again: str) -> None:
    """Declare the arguments of `list` and `replay`.

    Args:
        actions: the subcommands, as argparse makes them.
        again: what `replay` does, in words.
    """
    listing = actions.add_parser("list", help="what waits, was sent, or was given up")
    listing.add_argument("--all", action="store_true", help="what was sent or replaced too")
    listing.add_argument("--destination", help="to this destination alone")
    listing.add_argument("--case", type=int, help="of this case alone")
    listing.add_argument("--json", action="store_true", help="one object a line")
    replay = actions.add_parser("replay", help=again)
    replay.add_argument("deliveries", nargs="*", type=int, metavar="DELIVERY", help="numbers of the list")
    replay.add_argument("--given-up", action="store_true", help="all that was given up")
    replay.add_argument("--destination", help="to this destination alone")
    replay.add_argument("--case", type=int, help="of this case alone")


def print_deliveries(arguments: argparse.Namespace, content: "Content") -> int:
    """Print what waits or was given up, or everything."""
    from service.commands.installation import opened_store
    from service.store.outbox import DeliveryState, Query, list_deliveries

    states = () if arguments.all else (DeliveryState.DUE, DeliveryState.GIVEN_UP)
    query = Query(states=states, destination=arguments.destination, case_id=arguments.case, content=content)
    with opened_store(arguments) as store:
        found = list_deliveries(store, query, limit=_LISTED_MAX)
    if arguments.json:
        for delivery in found:
            print(json.dumps(_as_json(delivery)))
    else:
        print("\n".join(map(_line, found)) if found else "nothing waits, and nothing was given up")
    return EXIT_OK


def replay_deliveries(arguments: argparse.Namespace, content: "Content") -> int:
    """Send again what is meant.

    Raises:
        InputError: nothing is meant.
    """
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
        content=content,
    )
    with opened_store(arguments) as store:
        actor = Actor.account(getpass.getuser())
        count = send_again(store, query, now=datetime.now(UTC), actor=actor)
    print(f"{count} deliveries are due again")
    return EXIT_OK


def _line(delivery: "Delivery") -> str:
    words = [
        str(delivery.delivery_id),
        f"case {delivery.case_id}" if delivery.case_id is not None else "",
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
        "message_id": delivery.message_id,
    }
