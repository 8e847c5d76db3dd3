"""`overread users`: the people who may sign in."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from overread.actor import Actor
from overread.command import EXIT_OK, Command
from overread.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from service.store.database import Store
    from service.store.people import Act, PersonRecord

DESCRIPTION = """\
Accounts of people. As soon as there is one, nobody comes in without signing in, and other machines may reach
the service (`overread serve --host`).

  overread users add ada --name "Ada Lovelace" --role administrator --role coordinator
  overread users list
  overread users role ada second-reader quality     these and no others
  overread users bind ada --site "st mary"          sees the cases of these sites alone; `list` shows it
  overread users bind ada --every-site --subspecialty thoracic
  overread users reset ada                          another password; every session ends
  overread users second-factor ada                  codes of an app (TOTP) beside the password
  overread users disable ada                        the account and its sessions; `enable` opens it again

A site is what images name as their institution, or the report where they do not, as OVERREAD_SITE_NAMES calls
it; `overread users sites` lists those of the cases, and with --learn reads those of studies that came before
sites were recorded. A subspecialty hides nothing: its second looks come first in the list.

Roles: second-reader, coordinator, quality, administrator. A password is asked for at the terminal, or read
as one line from standard input; it has 15 characters or more, 8 with a second factor.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    add = parts.add_parser("add", help="make an account")
    add.add_argument("account", metavar="NAME", help="to sign in with")
    add.add_argument("--name", default="", metavar="WORDS", help="as others are shown it (default: NAME)")
    add.add_argument(
        "--role", action="append", required=True, metavar="ROLE", help="may be given several times"
    )
    parts.add_parser("list", help="list all accounts")
    role = parts.add_parser("role", help="give an account other roles")
    role.add_argument("account", metavar="NAME")
    role.add_argument("role", nargs="+", metavar="ROLE")
    bind = parts.add_parser("bind", help="bind an account to sites and subspecialties, and to no others")
    bind.add_argument("account", metavar="NAME")
    where = bind.add_mutually_exclusive_group(required=True)
    where.add_argument("--site", action="append", metavar="SITE", help="may be given several times")
    where.add_argument("--every-site", action="store_true", help="the account sees every case")
    bind.add_argument("--subspecialty", action="append", default=[], metavar="NAME", help="the same")
    sites = parts.add_parser("sites", help="list the sites that cases name")
    sites.add_argument("--learn", action="store_true", help="read those of studies without one first")
    for name, words in (
        ("reset", "give an account another password, and end its sessions"),
        ("disable", "close an account, and end its sessions"),
        ("enable", "open an account again"),
    ):
        parts.add_parser(name, help=words).add_argument("account", metavar="NAME")
    second = parts.add_parser("second-factor", help="ask an account for codes of an app too")
    second.add_argument("account", metavar="NAME")
    second.add_argument("--remove", action="store_true", help="ask no more; a longer password is asked for")


def run(arguments: argparse.Namespace) -> int:
    """Change or show the accounts."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.log import configure_logging

    configure_logging()
    parts = {
        "add": _add,
        "list": _list,
        "role": _change_roles,
        "bind": _bind,
        "sites": _sites,
        "reset": _reset,
        "disable": _disable,
        "enable": _enable,
        "second-factor": _second_factor,
    }
    with opened_store(arguments, creates=arguments.part == "add", sweep=False) as store:
        print(parts[arguments.part](store, arguments))
    return EXIT_OK


def _add(store: "Store", arguments: argparse.Namespace) -> str:
    from service.security.passwords import check_password, hash_password
    from service.security.roles import roles_named
    from service.store.people import NewPerson, add_person, find_person, folded

    name, roles = folded(arguments.account), roles_named(arguments.role)
    if find_person(store, name) is not None:
        raise InputError(f"there is an account {name} already")
    password = _typed_password()
    check_password(password, names=(name, arguments.name))
    new = NewPerson(
        name=name, display_name=arguments.name, roles=tuple(roles), password_hash=hash_password(password)
    )

    person = add_person(store, new, by=_act(arguments))
    return f"{person.name} may sign in as {_roles_of(person)}."


def _list(store: "Store", _: argparse.Namespace) -> str:
    from service.store.people import list_people

    lines = [
        f"{person.name:20}  {person.display_name:24}  {_roles_of(person):30}  {_how(person)}{_where(person)}"
        for person in list_people(store)
    ]
    return "\n".join(lines) or "nobody has an account"


def _change_roles(store: "Store", arguments: argparse.Namespace) -> str:
    from service.security.roles import roles_named
    from service.store.people import change_roles

    person, roles = _named(store, arguments), roles_named(arguments.role)
    change_roles(store, person.person_id, tuple(roles), by=_act(arguments))
    return f"{person.name} is now {_roles_of(_named(store, arguments))}."


def _bind(store: "Store", arguments: argparse.Namespace) -> str:
    from overread.finding import subspecialties_named
    from service.intake.sites import sites_named
    from service.store.people import bind_person, site_words

    person, by = _named(store, arguments), _act(arguments)
    sites = None if arguments.every_site else sites_named(arguments.site)
    subspecialties = subspecialties_named(arguments.subspecialty)
    bind_person(store, person.person_id, sites, subspecialties, by=by)
    first = f"; {', '.join(subspecialties)} comes first" if subspecialties else ""
    return f"{person.name} sees {site_words(sites)}{first}."


def _sites(store: "Store", arguments: argparse.Namespace) -> str:
    from service.intake.sites import learn_sites
    from service.store.sites import count_sites

    if arguments.learn:
        learned, silent = learn_sites(store, now=datetime.now(UTC))
        print(f"{learned} studies have a site now; the images of {silent} name none or are not kept.")
    lines = [f"{site or 'none that is known':64}  {count} cases" for site, count in count_sites(store)]
    return "\n".join(lines) or "there is no case"


def _reset(store: "Store", arguments: argparse.Namespace) -> str:
    from service.security.passwords import check_password, hash_password
    from service.store.people import PersonSource, change_password

    person = _named(store, arguments)
    if person.source is not PersonSource.LOCAL:
        raise InputError(f"{person.name} signs in elsewhere ({person.source}) and has no password here")
    password = _typed_password()
    names = (person.name, person.display_name)
    check_password(password, names=names, has_second_factor=person.totp_secret is not None)
    change_password(store, person.person_id, hash_password(password), by=_act(arguments))
    return f"{person.name} has another password; every session has ended."


def _disable(store: "Store", arguments: argparse.Namespace) -> str:
    from service.store.people import disable_person

    person = _named(store, arguments)
    disable_person(store, person.person_id, by=_act(arguments))
    return f"{person.name} can no longer sign in; every session has ended."


def _enable(store: "Store", arguments: argparse.Namespace) -> str:
    from service.store.people import enable_person

    person = _named(store, arguments)
    enable_person(store, person.person_id, by=_act(arguments))
    return f"{person.name} may sign in again."


def _second_factor(store: "Store", arguments: argparse.Namespace) -> str:
    import pyotp

    from service.security.passwords import check_password, hash_password
    from service.store.people import PersonSource, change_password, change_second_factor

    person = _named(store, arguments)
    if person.source is not PersonSource.LOCAL:
        raise InputError(f"{person.name} signs in elsewhere ({person.source}); set the second factor there")
    if arguments.remove:
        password = _typed_password()
        check_password(password, names=(person.name, person.display_name))
        change_password(store, person.person_id, hash_password(password), by=_act(arguments))
        change_second_factor(store, person.person_id, None, by=_act(arguments))
        return f"{person.name} signs in by the new password alone."
    secret = pyotp.random_base32()
    change_second_factor(store, person.person_id, secret, by=_act(arguments))
    address = pyotp.TOTP(secret).provisioning_uri(name=person.name, issuer_name="overread")
    print(f"Give {person.name} this for the app, by a way that nobody else reads; it is not shown again:")
    return address


def _named(store: "Store", arguments: argparse.Namespace) -> "PersonRecord":
    from service.store.people import find_person

    person = find_person(store, arguments.account)
    if person is None:
        raise NotFoundError(f"there is no account {arguments.account}; `overread users list` shows them")
    return person


def _act(arguments: argparse.Namespace) -> "Act":
    from getpass import getuser

    from service.store.people import Act

    actor = Actor.account(getuser())
    return Act(actor=actor, at=datetime.now(UTC), what=f"overread users {arguments.part}")


def _typed_password() -> str:
    """Return a password from the terminal, typed twice, or one line of standard input."""
    from getpass import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise InputError("the two are not the same; nothing was changed")
    return password


def _roles_of(person: "PersonRecord") -> str:
    from service.security.roles import Role, kept_roles

    kept = kept_roles(person.roles)
    return ", ".join(role.words for role in Role if role in kept) or "nothing"


def _how(person: "PersonRecord") -> str:
    state = "" if person.is_active else "  disabled"
    factor = "  second factor" if person.totp_secret is not None else ""
    return f"{person.source.lower()}{factor}{state}"


def _where(person: "PersonRecord") -> str:
    from service.store.people import site_words

    seen = "" if person.sites is None else f"  {site_words(person.sites)}"
    return f"{seen}  {', '.join(person.subspecialties)} first" if person.subspecialties else seen


command = Command(
    summary="the people who may sign in: add, list, role, bind, reset, second-factor, disable, enable",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
