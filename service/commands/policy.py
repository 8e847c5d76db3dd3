"""`overread policy`: which policy is in force, and bringing another into force."""

import argparse
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overread.actor import Actor
from overread.command import EXIT_OK, Command
from overread.errors import InvalidFileError, words_of

if TYPE_CHECKING:
    from service.store.database import Store

DESCRIPTION = """\
The policy weighs the evidence, orders the list and says how much of it a second reader is asked to look at.
Each one that is brought into force is recorded with its text, its time and who did it, and the open list is
put in its order at once, from what was seen before: no image is looked at again.

  overread policy show > policy.toml      the one in force, to start from
  overread policy activate policy.toml    after changing a number, and the version with it
  overread policy activate --shipped      back to the one that comes with overread
  overread policy history

Without a policy of your own the shipped one is followed, also when a new release brings another.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    parts.add_parser("show", help="print the policy in force")
    parts.add_parser("history", help="list every policy that has been in force, the latest first")
    activate = parts.add_parser("activate", help="bring a policy into force, and the open list in its order")
    which = activate.add_mutually_exclusive_group(required=True)
    which.add_argument("file", nargs="?", type=Path, metavar="FILE", help="TOML, with a version of its own")
    which.add_argument("--shipped", action="store_true", help="the policy that comes with overread")
    activate.add_argument("--by", metavar="NAME", help="who decided it (default: your user name)")


def run(arguments: argparse.Namespace) -> int:
    """Show or change the policy."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    parts = {"show": _show, "history": _history, "activate": _activate}
    with opened_store(arguments, creates=arguments.part == "activate") as store:
        words = parts[arguments.part](store, arguments)
    print(words)
    return EXIT_OK


def _show(store: "Store", _: argparse.Namespace) -> str:
    from overread.priority import shipped_policy_text
    from service.store.policies import list_policies

    records = list_policies(store)
    return (records[0].text if records else shipped_policy_text()).rstrip("\n")


def _history(store: "Store", _: argparse.Namespace) -> str:
    from service.store.policies import list_policies

    lines = [
        f"{item.in_force_from:%Y-%m-%d %H:%M:%S} UTC  version {item.version}  {item.origin.lower()}  "
        f"{item.sha256[:16]}  by {item.actor.display_name}"
        for item in list_policies(store)
    ]
    return "\n".join(lines) or "no policy has been recorded yet; the shipped one is in force"


def _activate(store: "Store", arguments: argparse.Namespace) -> str:
    from overread.priority import parse_policy, shipped_policy_text
    from service.store.policies import activate_policy
    from service.store.records import PolicyOrigin
    from service.triage.reconsideration import reorder_list

    text = shipped_policy_text() if arguments.shipped else _text_of(arguments.file)
    origin = PolicyOrigin.SHIPPED if arguments.shipped else PolicyOrigin.SITE
    actor, now = Actor.account(getpass.getuser(), arguments.by), datetime.now(UTC)
    changed = activate_policy(store, text, actor=actor, now=now, origin=origin)
    count = reorder_list(store, now=now, actor=actor)
    state = "is now in force" if changed else "was in force already"
    return f"Policy version {parse_policy(text).version} {state}; {count} open cases were weighed again."


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read the policy {path} as UTF-8 text: {words_of(error)}") from error


command = Command(
    summary="show the policy in force, or bring another into force",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
