"""The settings of one installation: store, worker, retention, object storage and language model."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from models.language_model import ChatEndpoint, EndpointSettings
from models.registry import FILE_NAME as DETECTORS_FILE_NAME
from models.registry import FILE_VARIABLE as DETECTORS_VARIABLE
from overread.errors import ConfigurationError
from overread.settings_file import DATA_FOLDER_DEFAULT, FOLDER_VARIABLE
from service.network_settings import AbsolutePath
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, SettingsModel, setting

_MODEL_NAME_MAX = 64  # characters; it stands in the provenance of every conclusion that it had a part in
_KEPT_FOR_EVER: dict[str, Any] = {"table": "retention", "unit": "days", "default_words": "for ever", "ge": 0}


class Settings(SettingsModel):
    """Settings of one installation. Every process of it must be given the same values."""

    data_folder: AbsolutePath = setting(
        DATA_FOLDER_DEFAULT.absolute,
        meaning="folder of received objects, quarantine and, by default, the database",
        variable=FOLDER_VARIABLE,
        table="store",
        default_words=f"./{DATA_FOLDER_DEFAULT}",
    )
    database_url: str = setting(
        lambda values: f"sqlite:///{values['data_folder'] / 'overread.sqlite3'}",
        meaning="database: postgresql://user:password@host/name, or sqlite:///file",
        table="store",
        default_words="SQLite in the data folder",
        secret=True,
    )
    quiet_seconds: float = setting(
        30.0,
        meaning="a study without a new image for so long is closed",
        unit="s",
        table="store",
        ge=0,
    )
    report_bytes_max: int = setting(
        1 << 20, meaning="a longer report is refused", unit="bytes", table="store", ge=1
    )
    report_titles: Annotated[tuple[str, ...], SPLIT_WORDS] = setting(
        (),
        meaning="further titles of DICOM documents that are reports: words, or scheme:value",
        table="store",
        default_words="none",
    )
    site_names: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="what a site is called here, by what images (Institution Name) or messages (MSH-4) write, "
        "such as SMH=st mary; what is not named is called as it is written",
        table="store",
        default_words="none",
    )
    shifts: Annotated[Mapping[str, time], SPLIT_PAIRS] = setting(
        dict,
        meaning="when the shifts begin in which reports are written, by the clock of the machine, such as "
        "day=07:00,night=20:00; `overread export` names the shift of each report",
        table="store",
        default_words="none",
    )
    object_bytes_max: int = setting(
        4 << 30, meaning="a larger object is refused", unit="bytes", table="store", ge=1
    )
    free_bytes_min: int = setting(
        1 << 30,
        meaning="intake answers `out of resources` while the disk of the data folder has less free space",
        unit="bytes",
        table="store",
        ge=0,
    )
    free_bytes_warn: int = setting(
        5 << 30,
        meaning="the page and /health/ready warn while the disk has less free space",
        unit="bytes",
        table="store",
        ge=0,
    )
    quarantine_bytes_max: int = setting(
        50 << 30,
        meaning="refused bytes that are kept; beyond, senders of what is to be refused are told to try again",
        unit="bytes",
        table="store",
        ge=1,
    )
    quarantine_entries_max: int = setting(
        100_000, meaning="refused things whose bytes are kept; beyond, the same", table="store", ge=1
    )
    detectors_file: AbsolutePath = setting(
        lambda values: values["data_folder"] / DETECTORS_FILE_NAME,
        meaning="where an earlier release kept its registry of detectors, which is taken over once",
        variable=DETECTORS_VARIABLE,
        table="worker",
        default_words=f"{DETECTORS_FILE_NAME} in the data folder",
    )
    lease_seconds: float = setting(
        60.0,
        meaning="a worker that has not renewed its lease for so long has lost its case",
        unit="s",
        table="worker",
        ge=1,
    )
    case_seconds_max: float = setting(
        600.0, meaning="a look at one case that takes longer is ended", unit="s", table="worker", ge=1
    )
    case_memory_bytes_max: int = setting(
        8 << 30,
        meaning="a look at one case that takes more memory, beside the loaded detectors, is ended",
        unit="bytes",
        table="worker",
        ge=1 << 28,
    )
    attempts_max: int = setting(
        5, meaning="claims of one revision of a case before it is FAILED", table="worker", ge=1
    )
    retry_seconds: float = setting(
        5.0,
        meaning="wait after the first failed attempt; doubled with each further one",
        unit="s",
        table="worker",
        ge=0,
    )
    stalled_seconds: float = setting(
        900.0,
        meaning="/health/ready is 503 when a case has been due for so long and no triage has ended meanwhile",
        unit="s",
        table="worker",
        ge=1,
    )
    poll_seconds: float = setting(
        0.5, meaning="pause of a worker that found nothing to do", unit="s", table="worker", ge=0.01
    )
    keep_days_concordant: float | None = setting(
        meaning="pixels of concordant cases are kept so long", **_KEPT_FOR_EVER
    )
    keep_days_not_applicable: float | None = setting(
        meaning="pixels of cases to which no detector applies are kept so long", **_KEPT_FOR_EVER
    )
    keep_days_quarantine: float | None = setting(
        meaning="refused bytes are kept so long after a person has discarded or resolved them",
        **_KEPT_FOR_EVER,
    )
    objects_url: str | None = setting(
        meaning="object storage for objects and quarantine, s3://bucket/prefix",
        table="objects",
        default_words="the data folder",
    )
    objects_endpoint: str | None = setting(
        meaning="address of S3-compatible storage, such as https://minio.example:9000",
        table="objects",
        default_words="as boto3 finds it",
    )
    cache_bytes_max: int = setting(
        20 << 30,
        meaning="copies on this machine of what lies in object storage",
        unit="bytes",
        table="objects",
        ge=0,
    )
    language_model_url: str | None = setting(
        meaning="an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1, that re-reads the "
        "sentences behind a flag; report text is sent there",
        table="language_model",
    )
    language_model_name: Annotated[str, Field(max_length=_MODEL_NAME_MAX)] | None = setting(
        meaning="the model at that endpoint; needed with the address", table="language_model"
    )
    language_model_key: str = setting(
        "",
        meaning="sent to that endpoint as a bearer token",
        table="language_model",
        default_words="none",
        secret=True,
    )
    language_model_seconds_max: float = setting(
        20.0, meaning="longest wait for one answer of that endpoint", unit="s", table="language_model", ge=0.1
    )

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: str) -> str:
        """Return the URL with the driver that overread uses; the message must not repeat a password."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in {"sqlite", "postgresql", "postgres", "postgresql+psycopg"}:
            raise ValueError("it must start with sqlite:/// or postgresql://; see docs/store.md")
        if scheme == "sqlite" and not rest.strip("/"):
            raise ValueError("it must name a file: several processes share the database")
        return url if scheme == "sqlite" else f"postgresql+psycopg://{rest}"

    @field_validator("objects_url")
    @classmethod
    def _check_objects(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "s3://none")
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("it must be s3://bucket or s3://bucket/prefix")
        return url

    @field_validator("shifts")
    @classmethod
    def _check_shifts(cls, shifts: Mapping[str, time]) -> Mapping[str, time]:
        if any(start.tzinfo for start in shifts.values()):
            raise ValueError("the clock is that of the machine: a time such as 07:00 has no zone")
        if len(set(shifts.values())) < len(shifts):
            raise ValueError("two shifts begin at the same time")
        return shifts

    @model_validator(mode="after")
    def _check_language_model(self) -> Self:
        if bool(self.language_model_url) != bool(self.language_model_name):
            missing = "NAME" if self.language_model_url else "URL"
            raise ValueError(f"OVERREAD_LANGUAGE_MODEL_{missing} is missing: both URL and NAME are needed")
        if self.language_model is not None:
            try:
                ChatEndpoint(self.language_model)
            except ConfigurationError as error:
                raise ValueError(f"OVERREAD_LANGUAGE_MODEL_URL: {error}") from None
        return self

    @property
    def language_model(self) -> EndpointSettings | None:
        """The language model that re-reads sentences; None: nobody does."""
        if not self.language_model_url or not self.language_model_name:
            return None
        return EndpointSettings(
            url=self.language_model_url,
            model=self.language_model_name,
            api_key=self.language_model_key,
            timeout_seconds=self.language_model_seconds_max,
        )


def load_settings(environ: Mapping[str, str], *, data_folder: Path | None = None) -> Settings:
    """Return the settings that the environment and its settings file give; `data_folder` is above both.

    Raises:
        ConfigurationError: values are wrong; the message names each by its variable or key.
    """
    chosen: dict[str, Any] = {} if data_folder is None else {FOLDER_VARIABLE: str(data_folder)}
    return Settings.read({**environ, **chosen})
