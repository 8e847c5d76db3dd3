"""The options by which a command finds the roster of an installation, and how a person names a release."""

import argparse
import os
from pathlib import Path

from models.registry import FILE_VARIABLE, roster_file

_DATA_FOLDER_VARIABLE = "OVERREAD_FOLDER"
_DATA_FOLDER_DEFAULT = "overread-data"


def add_roster_options(parser: argparse.ArgumentParser) -> None:
    """Declare --data-folder and --detectors."""
    parser.add_argument(
        "--data-folder",
        type=Path,
        metavar="FOLDER",
        help=f"default: ${_DATA_FOLDER_VARIABLE}, or ./{_DATA_FOLDER_DEFAULT}",
    )
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
    folder = arguments.data_folder or Path(os.environ.get(_DATA_FOLDER_VARIABLE) or _DATA_FOLDER_DEFAULT)
    return roster_file(os.environ, folder.expanduser().absolute())


def release_name(given: str) -> str:
    """Return how the roster names a release: a path is made absolute, so that it does not depend on where."""
    path = Path(given).expanduser()
    return given if path.name == given else str(path.absolute())
