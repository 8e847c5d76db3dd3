"""`overread tokens`: what programs show to be let in."""

import argparse
import getpass
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from overread.actor import Actor
from overread.command import EXIT_OK, Command

if TYPE_CHECKING:
    from service.store.access_tokens import TokenRecord
    from service.store.database import Store
    from service.store.people import Act

DESCRIPTION = """\
Tokens of programs. A program sends its own as `Authorization: Bearer TOKEN` and may do what its scopes
allow, until it expires or is revoked. The token is printed once, alone on standard output.

  overread tokens add ris --scope reports:write --days 365
  overread tokens add viewer --scope images:read --scope cases:read
  overread tokens list
  overread tokens revoke ris
  overread tokens resume ris     after a restored backup, once you know that it was not revoked since

Scopes: cases:read, cases:write, reports:write, images:read, images:write, quarantine, triage, monitoring.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    add = parts.add_parser("add", help="make a token and print it")
    add.add_argument("token_name", metavar="NAME", help="of the program; what it does is recorded under it")
    add.add_argument(
        "--scope", action="append", required=True, metavar="SCOPE", help="may be given several times"
    )
    add.add_argument(
        "--site",
        action="append",
        metavar="SITE",
        help="shows cases of these sites alone",
    )
    add.add_argument("--days", type=float, default=90.0, help="it expires after so long (default 90)")
    parts.add_parser("list", help="list all tokens, without what is secret")
    for name, words in (
        ("revoke", "let nobody in by a token any more"),
        ("resume", "let a token that a restore suspended let its program in again"),
    ):
        parts.add_parser(name, help=words).add_argument("token_name", metavar="NAME")


def run(arguments: argparse.Namespace) -> int:
    """Change or show the tokens."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    parts = {"add": _add, "list": _list, "revoke": _revoke, "resume": _resume}
    with opened_store(arguments, sweep=False) as store:
        print(parts[arguments.part](store, arguments))
    return EXIT_OK


def _add(store: "Store", arguments: argparse.Namespace) -> str:
    from service.intake.sites import sites_named
    from service.security.roles import scopes_named
    from service.security.tokens import make_token

    scopes = scopes_named(arguments.scope)
    sites = None if arguments.site is None else sites_named(arguments.site)
    token = make_token(store, arguments.token_name, scopes, days=arguments.days, by=_act("add"), sites=sites)
    sys.stderr.write(
        f"The token of {arguments.token_name}, for {arguments.days:g} days; it is not shown again:\n"
    )
    return token


def _list(store: "Store", _: argparse.Namespace) -> str:
    from service.store.access_tokens import list_tokens
    from service.store.people import site_words

    now = datetime.now(UTC)
    lines = [
        f"{token.name:20}  {', '.join(token.scopes):40}  {_state(token, now)}, "
        f"made by {token.created_by.display_name}, "
        f"{'' if token.sites is None else f'{site_words(token.sites)}, '}"
        f"{'not used' if token.used_at is None else f'last used {token.used_at:%Y-%m-%d %H:%M} UTC'}"
        for token in list_tokens(store)
    ]
    return "\n".join(lines) or "there is no token"


def _revoke(store: "Store", arguments: argparse.Namespace) -> str:
    from service.store.access_tokens import revoke_token

    revoke_token(store, arguments.token_name, by=_act("revoke"))
    return f"The token {arguments.token_name} lets nobody in any more."


def _resume(store: "Store", arguments: argparse.Namespace) -> str:
    from service.store.access_tokens import resume_token

    resume_token(store, arguments.token_name, by=_act("resume"))
    return f"The token {arguments.token_name} lets its program in again."


def _act(part: str) -> "Act":
    from service.store.people import Act

    actor = Actor.account(getpass.getuser())
    return Act(actor=actor, at=datetime.now(UTC), what=f"overread tokens {part}")


def _state(token: "TokenRecord", now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.suspended_at is not None and token.expires_at > now:
        return f"suspended by the restore of {token.suspended_at:%Y-%m-%d}"
    return f"{'expired' if token.expires_at <= now else 'until'} {token.expires_at:%Y-%m-%d}"


command = Command(
    summary="what programs show to be let in: add, list, revoke, resume",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
