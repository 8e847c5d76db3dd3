"""The options by which a command finds the roster of an installation, and how a person names a release."""

import argparse
from pathlib import Path

from models.registry import FILE_VARIABLE, roster_file
from overread.command import installation_environment
from overread.settings_file import data_folder_of, read_settings_file


def add_roster_options(parser: argparse.ArgumentParser) -> None:
    """Declare --detectors; --data-folder and --config are those of every command of an installation."""
    parser.add_argument(
        "--detectors",
        type=Path,
        metavar="FILE",
        help=f"the roster; default: ${FILE_VARIABLE}, or in the data folder",
    )


def roster_path(arguments: argparse.Namespace) -> Path:
    """Return the file of the roster that the options name."""
    if arguments.detectors is not None:
        return Path(arguments.detectors).expanduser().absolute()
    environ = installation_environment(arguments)
    file = read_settings_file(environ)
    named = environ.get(FILE_VARIABLE) or str(file.value("worker", "detectors_file") or "")
    return roster_file({FILE_VARIABLE: named}, data_folder_of(environ, file))


def release_name(given: str) -> str:
    """Return how the roster names a release: a path is made absolute, so that it does not depend on where."""
    path = Path(given).expanduser()
    return given if path.name == given else str(path.absolute())
