"""The settings of the watched folder: read once from the environment, then passed down."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from overread.errors import ConfigurationError
from service.listener_settings import (
    Hl7ListenerSettings,
    charset_setting,
    load_hl7_settings,
    seconds_setting,
)

_PREFIX = "OVERREAD_WATCH_"
FOLDER_VARIABLE = f"{_PREFIX}FOLDER"
NAME_GROUPS = frozenset({"accession_number", "study_instance_uid", "patient_id", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How a folder is watched."""

    settled_seconds: float = 5.0  # a file that has not changed for so long is complete
    poll_seconds: float = 2.0  # between two looks
    charset: str = "utf-8"  # of .txt files
    # What the name of a .txt file says, without its ending; the groups are names of NAME_GROUPS.
    report_name: re.Pattern[str] = re.compile("(?P<accession_number>.+)")
    hl7: Hl7ListenerSettings = field(default_factory=Hl7ListenerSettings)


def load_watch_settings(environ: Mapping[str, str]) -> WatchSettings:
    """Return the settings, variables `OVERREAD_WATCH_...`; HL7 files follow `OVERREAD_HL7_...`.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable.
    """
    default = WatchSettings()
    return WatchSettings(
        settled_seconds=seconds_setting(environ, f"{_PREFIX}SETTLED_SECONDS", default.settled_seconds),
        poll_seconds=seconds_setting(environ, f"{_PREFIX}POLL_SECONDS", default.poll_seconds),
        charset=charset_setting(environ, f"{_PREFIX}CHARSET", default.charset),
        report_name=_pattern(environ, f"{_PREFIX}REPORT_NAME", default.report_name),
        hl7=load_hl7_settings(environ),
    )


def check_watch(environ: Mapping[str, str]) -> None:
    """Return if `overread serve` can be started with these settings.

    Raises:
        ConfigurationError: a value is wrong, or the folder is not there.
    """
    load_watch_settings(environ)
    folder = watched_folder(environ)
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"{FOLDER_VARIABLE}: {folder} is no folder")


def watched_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder that `overread serve` watches; None: none."""
    text = environ.get(FOLDER_VARIABLE, "").strip()
    return Path(text).expanduser().absolute() if text else None


def _pattern(environ: Mapping[str, str], name: str, default: re.Pattern[str]) -> re.Pattern[str]:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigurationError(f"{name} is not a regular expression: {error}") from None
    if not pattern.groupindex or not pattern.groupindex.keys() <= NAME_GROUPS:
        raise ConfigurationError(
            f"{name} must have groups such as (?P<accession_number>...); "
            f"there are {', '.join(sorted(NAME_GROUPS))}"
        )
    return pattern
