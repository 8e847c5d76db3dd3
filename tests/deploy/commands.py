"""Whether `overread` takes a command that a file in deploy/ gives, without running it."""

import argparse
from collections.abc import Sequence
from importlib.metadata import entry_points

from overread.command import GROUP, add_installation_options


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of `overread WORDS` as the subcommand takes them; exits where it does not."""
    (entry,) = entry_points(group=GROUP, name=words[0])
    command = entry.load()
    parser = argparse.ArgumentParser(prog=f"overread {words[0]}")
    command.configure(parser)
    if command.uses_installation:
        add_installation_options(parser, default=None)
    return parser.parse_args(words[1:])
