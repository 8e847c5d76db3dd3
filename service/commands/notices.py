"""`overread notices`: who was told of which cases, and what became of the messages."""

import argparse
from collections.abc import Callable, Mapping

from overread.command import EXIT_FAILED, EXIT_OK, Command
from service.commands.outbox import configure_outbox, print_deliveries, replay_deliveries

DESCRIPTION = """\
Tells people by e-mail, and programs by webhook, of cases that wait. Who is told of what is said by
OVERREAD_NOTICES_DESTINATIONS and OVERREAD_NOTICES_RULES; `overread serve` runs `overread notices send` as
soon as somebody is named. A message holds numbers of cases and addresses of pages, nothing of a patient.

  overread notices list               what waits, or was given up
  overread notices list --all         everything, the latest first
  overread notices replay --given-up  what was given up is sent again, under the same message ids
  overread notices test pager         a message about nothing, to see whether it arrives
  overread notices send               makes and sends what is due until told to stop
  overread notices send --once        the same once
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    configure_outbox(actions, again="send again, under the same message ids")
    test = actions.add_parser("test", help="send a message about nothing")
    test.add_argument("name", metavar="DESTINATION", help="name in OVERREAD_NOTICES_DESTINATIONS")
    send = actions.add_parser("send", help="make and send what is due")
    send.add_argument("--once", action="store_true", help="once; else until told to stop")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    return _ACTIONS[arguments.what](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from service.store.outbox import Content

    return print_deliveries(arguments, Content.NOTICE)


def _replay(arguments: argparse.Namespace) -> int:
    from service.store.outbox import Content

    return replay_deliveries(arguments, Content.NOTICE)


def _test(arguments: argparse.Namespace) -> int:
    import getpass

    from overread.actor import Actor
    from service.commands.installation import environment_of, opened_store
    from service.log import configure_logging
    from service.notices.process import send_test
    from service.store.outbox import DeliveryState

    configure_logging()
    environ = environment_of(arguments)
    with opened_store(arguments) as store:
        delivery = send_test(store, environ, arguments.name, actor=Actor.account(getpass.getuser()))
    why = delivery.detail or "another process sends to this destination: see `overread notices list`"
    print(f"{delivery.delivery_id}\t{delivery.message_id}\t{delivery.state.value}\t{why}")
    return EXIT_OK if delivery.state is DeliveryState.SENT else EXIT_FAILED


def _send(arguments: argparse.Namespace) -> int:
    from service.commands.installation import environment_of, opened_store
    from service.log import configure_logging
    from service.notices.process import send_once, send_until_stopped

    configure_logging()
    environ = environment_of(arguments)
    with opened_store(arguments) as store:
        if arguments.once:
            print(f"{send_once(store, environ)} messages answered for")
        else:
            send_until_stopped(store, environ)
    return EXIT_OK


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "replay": _replay,
    "test": _test,
    "send": _send,
}

command = Command(
    summary="tell people and programs of cases that wait, and see what became of it",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
