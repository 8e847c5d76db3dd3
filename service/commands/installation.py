"""Settings and store of the installation that the options of a command name."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from overread.command import installation_environment
from overread.errors import ConfigurationError
from service.configuration import require_known_names
from service.settings import Settings, load_settings
from service.store.database import Store, open_store


def environment_of(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Return the environment that the options give, every name in it known.

    Raises:
        ConfigurationError: a variable, or a key of the settings file, means nothing.
    """
    environ = installation_environment(arguments)
    require_known_names(environ)
    return environ


def existing_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of an installation that is there already.

    Raises:
        ConfigurationError: a setting is wrong, or the data folder is none.
    """
    settings = load_settings(environment_of(arguments))
    keeps_nothing = settings.objects_url is not None and not settings.database_url.startswith("sqlite")
    if not keeps_nothing and not (settings.data_folder / "incoming").is_dir():
        raise ConfigurationError(
            f"{settings.data_folder} is no data folder of overread: check --data-folder, OVERREAD_FOLDER and "
            "the settings file; `overread serve` and `overread import` make a new one"
        )
    return settings


@contextmanager
def opened_store(
    arguments: argparse.Namespace, *, creates: bool = False, sweep: bool = True
) -> Iterator[Store]:
    """Give the store of the installation, closed in the end.

    Args:
        arguments: with --data-folder and --config.
        creates: whether a data folder that is not there is made.
        sweep: whether to remove what receivers that died left behind.

    Raises:
        ConfigurationError: a setting is wrong, or the data folder is none.
        OutOfResourcesError: the database or the object storage cannot be reached.
    """
    settings = load_settings(environment_of(arguments)) if creates else existing_settings(arguments)
    store = open_store(settings, sweep=sweep)
    try:
        yield store
    finally:
        store.close()
