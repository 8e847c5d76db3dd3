"""The `overread` command: collects the subcommands that the installed rooms declare as entry points."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from overread import __version__
from overread.errors import OverreadError

GROUP = "overread.commands"

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 failed with a message, 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    available = {
        entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    }
    parser = _parser(available, only=given[0] if given and given[0] in available else None)
    namespace = parser.parse_args(given)
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


def _parser(available: dict[str, EntryPoint], *, only: str | None) -> argparse.ArgumentParser:
    """Return the parser; with `only`, load just that subcommand, to pay for its imports alone."""
    parser = argparse.ArgumentParser(
        prog="overread",
        description="Finds reported imaging studies where image and report most likely disagree, "
        "and orders them for a second reader.",
    )
    parser.add_argument("--version", action="version", version=f"overread {__version__}")
    subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for name in [only] if only else available:
        command: Command = available[name].load()
        subparser = subparsers.add_parser(
            name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(subparser)
        subparser.set_defaults(run=command.run)
    return parser
