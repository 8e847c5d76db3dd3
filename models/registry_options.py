"""The options by which a command finds a registry of detectors, and how a person names a release."""

import argparse
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from models.registry import RegistryFile, RegistryStore
from overread.command import installation_environment
from overread.errors import ConfigurationError

GROUP = "overread.registries"
"""Entry points of this group open the registry of an installation, given the environment; there is one."""


def add_registry_options(parser: argparse.ArgumentParser) -> None:
    """Declare --detectors; --data-folder and --config are those of every command of an installation."""
    parser.add_argument(
        "--detectors",
        type=Path,
        metavar="FILE",
        help="registry of detectors as a file, in place of the one that the installation keeps in its store",
    )


def open_registry(arguments: argparse.Namespace, *, creates: bool = True) -> RegistryStore:
    """Return the registry that the options name: a file, or that of the installation.

    Args:
        arguments: with --detectors, --data-folder and --config.
        creates: whether the folder that --data-folder names may be one that is not there yet.

    Raises:
        ConfigurationError: the folder that --data-folder names is not there.
    """
    if arguments.detectors is not None:
        return RegistryFile(path=Path(arguments.detectors).expanduser().absolute())
    named = arguments.data_folder
    if named is not None and not creates and not Path(named).expanduser().is_dir():
        raise ConfigurationError(f"{named} is no data folder of overread: check --data-folder")
    return _installed_registry(installation_environment(arguments))


def release_name(given: str) -> str:
    """Return how a registry names a release: a path is made absolute, so that it does not depend on where."""
    path = Path(given).expanduser()
    return given if path.name == given else str(path.absolute())


def _installed_registry(environ: Mapping[str, str]) -> RegistryStore:
    for entry in entry_points(group=GROUP):
        opened: Callable[[Mapping[str, str]], RegistryStore] = entry.load()
        return opened(environ)
    raise ConfigurationError(
        "this installation of overread is not whole, nothing keeps a registry: install it again, or give "
        "--detectors FILE"
    )
