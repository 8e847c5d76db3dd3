"""`overread config`: the settings of an installation: a file to start from, what is in effect and wrong."""

import argparse
import os
import sys
from pathlib import Path

from overread.command import EXIT_FAILED, EXIT_OK, Command, installation_environment
from overread.errors import InvalidFileError

DESCRIPTION = """\
Settings are environment variables OVERREAD_..., and keys of a settings file in TOML, which are weaker. The
file is named by --config or OVERREAD_CONFIG; else it is overread.toml in the data folder, if there is one.

  overread config init                     write that file with every key, its default and meaning
  overread config init /etc/overread.toml  the same elsewhere; - prints it
  overread config show                     what is in effect, and where it comes from; secrets are masked
  overread config check                    status 1 and a line for each fault, if there is any

A secret may lie in a file of its own: OVERREAD_API_TOKEN_FILE=/run/secrets/token, not OVERREAD_API_TOKEN.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    init = parts.add_parser("init", help="write a settings file with every key, commented out")
    init.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a new file; default: the settings file"
    )
    parts.add_parser("show", help="print what is in effect, with the source of each value")
    parts.add_parser("check", help="say what is wrong; status 1 if anything is")


def run(arguments: argparse.Namespace) -> int:
    """Write, print or check."""
    return {"init": _init, "show": _show, "check": _check}[arguments.part](arguments)


def _init(arguments: argparse.Namespace) -> int:
    from overread.settings_file import settings_path  # keeps `overread --help` fast
    from service.configuration import template

    path = arguments.file or settings_path(installation_environment(arguments))
    if str(path) == "-":
        sys.stdout.write(template())
        return EXIT_OK
    try:
        # Secrets may be written into it: nobody else may read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(template())
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}; name a new file") from error
    print(f"{path}: every key is commented out; take the # away from those that you change")
    return EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    from service.commands.installation import environment_of
    from service.configuration import effective_settings

    table = ""
    for setting in effective_settings(environment_of(arguments)):
        if setting.key.table != table:
            table = setting.key.table
            print(f"\n[{table}]")
        print(f"{setting.key.name} = {setting.value}  # {setting.source}")
    return EXIT_OK


def _check(arguments: argparse.Namespace) -> int:
    from overread.settings_file import read_settings_file
    from service.configuration import faults

    environ = installation_environment(arguments)
    found = faults(environ)
    for fault in found:
        print(fault)
    if not found:
        print(f"nothing is wrong; settings file: {read_settings_file(environ).path or 'none'}")
    return EXIT_FAILED if found else EXIT_OK


command = Command(
    summary="write, show or check the settings",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
