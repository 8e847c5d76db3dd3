"""The settings file of an installation: where it lies, and the tables that it holds.

The file is TOML. `OVERREAD_CONFIG` names it; else it is `overread.toml` in the data folder, if there is one.
Environment variables are stronger than the file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from overread.errors import ConfigurationError

CONFIG_VARIABLE = "OVERREAD_CONFIG"
FOLDER_VARIABLE = "OVERREAD_FOLDER"
FILE_NAME = "overread.toml"
DATA_FOLDER_DEFAULT = Path("overread-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """Content of a settings file."""

    path: Path | None = None  # None: there is no file
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # name of a table -> its keys

    def value(self, table: str, key: str) -> object | None:
        """Return what the file gives for a key; None where it gives nothing, or an empty text."""
        value = self.tables.get(table, {}).get(key)
        return None if value == "" else value


def settings_path(environ: Mapping[str, str]) -> Path:
    """Return where the settings file is looked for; absolute."""
    named = environ.get(CONFIG_VARIABLE, "").strip()
    return Path(named).expanduser().absolute() if named else _given_folder(environ) / FILE_NAME


def read_settings_file(environ: Mapping[str, str]) -> SettingsFile:
    """Return the settings file that the environment names, else that of its data folder, else an empty one.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or holds a key outside a table; or the file
            of a data folder names another data folder.
    """
    named, path = environ.get(CONFIG_VARIABLE, "").strip(), settings_path(environ)
    if not named and not path.is_file():
        return SettingsFile()
    file = SettingsFile(path=path, tables=_tables_of(path))
    folder = file.value("store", "data_folder")
    if not named and folder is not None and Path(str(folder)).expanduser().absolute() != path.parent:
        raise ConfigurationError(
            f"{path}: [store] data_folder names another folder than the one that the file lies in: "
            f"remove the key, or give the file by --config or {CONFIG_VARIABLE}"
        )
    return file


def data_folder_of(environ: Mapping[str, str], file: SettingsFile) -> Path:
    """Return the data folder: of the environment, else of the file, else ./overread-data; absolute."""
    if environ.get(FOLDER_VARIABLE, "").strip():
        return _given_folder(environ)
    return Path(str(file.value("store", "data_folder") or DATA_FOLDER_DEFAULT)).expanduser().absolute()


def _given_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get(FOLDER_VARIABLE, "").strip() or DATA_FOLDER_DEFAULT).expanduser().absolute()


def _tables_of(path: Path) -> Mapping[str, Mapping[str, object]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the settings file {path} is not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"the settings file {path} is not TOML: {error}") from error
    for name, table in content.items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path}: {name} stands outside a table, such as [store] or [dicom]")
    return content
