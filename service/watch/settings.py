"""The settings of the watched folder."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from overread.errors import ConfigurationError
from service.network_settings import AbsolutePath, Charset
from service.settings_sources import SettingsModel, setting

NAME_GROUPS = frozenset({"accession_number", "study_instance_uid", "patient_id", "status"})


def _named_groups(pattern: re.Pattern[str]) -> re.Pattern[str]:
    if not pattern.groupindex or not pattern.groupindex.keys() <= NAME_GROUPS:
        raise ValueError(
            "it must have groups such as (?P<accession_number>...); "
            f"there are {', '.join(sorted(NAME_GROUPS))}"
        )
    return pattern


class WatchSettings(SettingsModel):
    """Settings of the watched folder; HL7 files follow the settings of HL7."""

    table: ClassVar[str] = "watch"
    prefix: ClassVar[str] = "OVERREAD_WATCH_"

    folder: AbsolutePath | None = setting(
        meaning="folder that `overread serve` takes images and reports from"
    )
    settled_seconds: float = setting(
        5.0, meaning="a file that has not changed for so long is complete", unit="s", gt=0
    )
    poll_seconds: float = setting(2.0, meaning="pause between two looks", unit="s", gt=0)
    charset: Charset = setting("utf-8", meaning="character set of .txt files")
    report_name: Annotated[re.Pattern[str], AfterValidator(_named_groups)] = setting(
        re.compile("(?P<accession_number>.+)"),
        meaning="regular expression of what the name of a .txt file says, without its ending; groups may be "
        "accession_number, study_instance_uid, patient_id and status",
    )


def check_watch(environ: Mapping[str, str]) -> WatchSettings:
    """Return the settings, if `overread serve` can be started with them.

    Raises:
        ConfigurationError: a value is wrong, or the folder is not there.
    """
    settings = WatchSettings.read(environ)
    if settings.folder is not None and not settings.folder.is_dir():
        raise ConfigurationError(f"{WatchSettings.prefix}FOLDER: {settings.folder} is no folder")
    return settings
