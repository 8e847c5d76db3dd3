# PYTHON_ARGCOMPLETE_OK
"""The `overread` command: collects the subcommands that the installed rooms declare as entry points."""

import argparse
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from overread import __version__
from overread.errors import OverreadError
from overread.library_warnings import withhold_warning_text
from overread.settings_file import CONFIG_VARIABLE, DATA_FOLDER_DEFAULT, FILE_NAME, FOLDER_VARIABLE

GROUP = "overread.commands"

PRIVATE_UMASK = 0o077
"""The umask of every process of an installation: what it keeps, its own user alone may read."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One subcommand. Its module stays cheap to import: `run` imports what the work needs."""

    summary: str  # one line for `overread --help`
    description: str  # what it does, and an example; for `overread NAME --help`
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]  # returns the exit status
    uses_installation: bool = False  # whether it takes --data-folder and --config; its files are private


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 failed with a message, 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    available = {
        entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    }
    if "_ARGCOMPLETE" in os.environ:
        _complete(available)
    parser = _parser(available, only=_subcommand(given, available))
    namespace = parser.parse_args(given)
    with _umask(PRIVATE_UMASK if namespace.uses_installation else None) as namespace.umask:
        return _run(namespace)


def _tell_warning(kind: str, place: str) -> None:
    sys.stderr.write(
        f"overread: {kind} of a library at {place}; its text is withheld, it may quote a value\n"
    )


def _run(namespace: argparse.Namespace) -> int:
    """Run the subcommand, and return its exit status."""
    withhold_warning_text(_tell_warning)
    try:
        status: int = namespace.run(namespace)
    except OverreadError as error:
        sys.stderr.write(f"overread {namespace.subcommand}: {error}\n")
        return EXIT_FAILED
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        return EXIT_OK
    except KeyboardInterrupt:
        sys.stderr.write(f"overread {namespace.subcommand}: interrupted\n")
        return EXIT_FAILED
    return status


def every_parser() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each subcommand by its name, as `overread NAME --help` shows it."""
    available = {
        entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    }
    (subcommands,) = (
        action
        for action in _parser(available, only=None)._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subcommands.choices)


def _complete(available: dict[str, EntryPoint]) -> None:
    """Tell the shell what may follow, and end the process; only the subcommand that is named is loaded."""
    import argcomplete  # for the shell alone

    named = _subcommand(os.environ.get("COMP_LINE", "").split()[1:], available)
    argcomplete.autocomplete(_parser(available if named else dict.fromkeys(available), only=named))


@contextmanager
def requested_output(arguments: argparse.Namespace) -> Iterator[None]:
    """Give files that a person asks for the modes of that person's umask, while the block runs.

    Args:
        arguments: of a command with `uses_installation`, whose other files nobody else may read.
    """
    with _umask(arguments.umask):
        yield


@contextmanager
def _umask(mask: int | None) -> Iterator[int | None]:
    """Set the umask while the block runs, and give the one before; None changes nothing."""
    if mask is None:
        yield None
        return
    before = os.umask(mask)
    try:
        yield before
    finally:
        os.umask(before)


def installation_environment(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the environment with what --data-folder and --config say in the place of its variables."""
    chosen = {FOLDER_VARIABLE: arguments.data_folder, CONFIG_VARIABLE: arguments.config}
    given = {name: str(path.expanduser().absolute()) for name, path in chosen.items() if path is not None}
    return {**os.environ, **given}


def _subcommand(given: Iterable[str], available: Container[str]) -> str | None:
    """Return the subcommand that the arguments name; None where it cannot be told without the parser."""
    words = iter(given)
    for word in words:
        if word in ("--data-folder", "--config"):
            next(words, None)  # its value
        elif not word.startswith("-"):
            return word if word in available else None
    return None


def add_installation_options(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """Declare --data-folder and --config, here and in every subparser."""
    options = parser.add_argument_group("installation")
    options.add_argument(
        "--data-folder",
        type=Path,
        metavar="FOLDER",
        help=f"default: ${FOLDER_VARIABLE}, or ./{DATA_FOLDER_DEFAULT}",
        default=default,
    )
    options.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"settings file; default: ${CONFIG_VARIABLE}, or {FILE_NAME} in the data folder",
        default=default,
    )
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                add_installation_options(subparser, default=argparse.SUPPRESS)


def _parser(available: Mapping[str, EntryPoint | None], *, only: str | None) -> argparse.ArgumentParser:
    """Return the parser.

    Args:
        available: the subcommands by name; of those that are None only the name is declared.
        only: the one that is declared and loaded, to pay for its imports alone; None: all.
    """
    parser = argparse.ArgumentParser(
        prog="overread",
        description="Finds reported imaging studies where image and report most likely disagree, "
        "and orders them for a second reader.",
    )
    parser.add_argument("--version", action="version", version=f"overread {__version__}")
    add_installation_options(parser, default=None)
    subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for name in [only] if only else available:
        entry = available[name]
        if entry is None:
            subparsers.add_parser(name)
            continue
        command: Command = entry.load()
        subparser = subparsers.add_parser(
            name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(subparser)
        if command.uses_installation:
            add_installation_options(subparser, default=argparse.SUPPRESS)
        subparser.set_defaults(run=command.run, uses_installation=command.uses_installation)
    return parser
