"""The settings of one installation: read once from the environment, then passed down."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from models.language_model import ChatEndpoint, EndpointSettings
from models.registry import registry_file
from overread.errors import ConfigurationError

DATA_FOLDER_DEFAULT = Path("overread-data")
_MODEL_NAME_MAX = 64  # characters; it stands in the provenance of every conclusion that it had a part in
_MODEL_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an installation may choose. Every process of one installation must be given the same values."""

    data_folder: Path  # instances, quarantine and, by default, the database
    database_url: str  # SQLAlchemy URL: sqlite:///... or postgresql+psycopg://...
    detectors_file: Path  # where an earlier release kept its registry of detectors; taken over once
    quiet_seconds: float = 30.0  # a study without a new image for so long is closed
    lease_seconds: float = 60.0  # a worker that has not renewed its lease for so long has lost its case
    case_seconds_max: float = 600.0  # a look at one case that takes longer is given up
    attempts_max: int = 5  # claims of one revision of a case before it is FAILED
    retry_seconds: float = 5.0  # wait after the first failed attempt; doubled with each further one
    poll_seconds: float = 0.5  # pause of a worker that found nothing to do
    report_bytes_max: int = 1 << 20
    report_titles: tuple[str, ...] = ()  # further titles of reports in DICOM objects: words, or scheme:value
    object_bytes_max: int = 4 << 30
    free_bytes_min: int = 1 << 30  # intake refuses while the disk of the data folder has less than this
    free_bytes_warn: int = 5 << 30  # with less than this the page and the readiness warn
    objects_url: str | None = None  # s3://bucket/prefix; None: objects and quarantine are in the data folder
    objects_endpoint: str | None = None  # of S3-compatible storage; None: as boto3 finds it, else Amazon's
    cache_bytes_max: int = 20 << 30  # of copies of what lies in object storage
    keep_days_concordant: float | None = None  # pixels of such cases are kept so long; None: for ever
    keep_days_not_applicable: float | None = None
    keep_days_quarantine: float | None = None  # the same for refused bytes that a person has dealt with
    language_model: EndpointSettings | None = None  # re-reads the sentences behind a flag; None: nobody does


# Environment variable -> (field, conversion, smallest value)
_NUMBERS: dict[str, tuple[str, type[int] | type[float], float]] = {
    "OVERREAD_QUIET_SECONDS": ("quiet_seconds", float, 0),
    "OVERREAD_LEASE_SECONDS": ("lease_seconds", float, 1),
    "OVERREAD_CASE_SECONDS_MAX": ("case_seconds_max", float, 1),
    "OVERREAD_ATTEMPTS_MAX": ("attempts_max", int, 1),
    "OVERREAD_RETRY_SECONDS": ("retry_seconds", float, 0),
    "OVERREAD_POLL_SECONDS": ("poll_seconds", float, 0.01),
    "OVERREAD_REPORT_BYTES_MAX": ("report_bytes_max", int, 1),
    "OVERREAD_OBJECT_BYTES_MAX": ("object_bytes_max", int, 1),
    "OVERREAD_FREE_BYTES_MIN": ("free_bytes_min", int, 0),
    "OVERREAD_FREE_BYTES_WARN": ("free_bytes_warn", int, 0),
    "OVERREAD_CACHE_BYTES_MAX": ("cache_bytes_max", int, 0),
    "OVERREAD_KEEP_DAYS_CONCORDANT": ("keep_days_concordant", float, 0),
    "OVERREAD_KEEP_DAYS_NOT_APPLICABLE": ("keep_days_not_applicable", float, 0),
    "OVERREAD_KEEP_DAYS_QUARANTINE": ("keep_days_quarantine", float, 0),
}


def load_settings(environ: Mapping[str, str], *, data_folder: Path | None = None) -> Settings:
    """Return the settings that the environment gives; `data_folder`, where given, is stronger.

    `OVERREAD_FOLDER` names the data folder (default ./overread-data), `OVERREAD_DATABASE_URL` the database
    (default: SQLite in the data folder), `OVERREAD_DETECTORS` a registry of an earlier release (default:
    `detectors.json` in the data folder), `OVERREAD_OBJECTS_URL` and `OVERREAD_OBJECTS_ENDPOINT` the object
    storage (default: the data folder), `OVERREAD_LANGUAGE_MODEL_URL` and `_NAME`, `_KEY`, `_SECONDS_MAX`
    beside it the language model that re-reads sentences (default: none), and the other fields of `Settings`
    have a variable each, such as `OVERREAD_QUIET_SECONDS`.

    Raises:
        ConfigurationError: a value is not a number, too small, or not a URL of SQLite or PostgreSQL or of
            object storage; the language model lacks its name or an http(s) URL.
    """
    folder = data_folder or Path(environ.get("OVERREAD_FOLDER") or DATA_FOLDER_DEFAULT)
    folder = folder.expanduser().absolute()
    url = environ.get("OVERREAD_DATABASE_URL") or f"sqlite:///{folder / 'overread.sqlite3'}"
    numbers = {
        field: _number(name, environ[name], kind, smallest)
        for name, (field, kind, smallest) in _NUMBERS.items()
        if environ.get(name)
    }
    return Settings(
        data_folder=folder,
        database_url=_checked_url(url),
        detectors_file=registry_file(environ, folder),
        language_model=_language_model(environ),
        objects_url=_objects_url(environ.get("OVERREAD_OBJECTS_URL") or None),
        objects_endpoint=environ.get("OVERREAD_OBJECTS_ENDPOINT") or None,
        report_titles=tuple(
            title for part in environ.get("OVERREAD_REPORT_TITLES", "").split(",") if (title := part.strip())
        ),
        **numbers,  # type: ignore[arg-type]
    )


def _objects_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError("OVERREAD_OBJECTS_URL must be s3://bucket or s3://bucket/prefix")
    return url


def _language_model(environ: Mapping[str, str]) -> EndpointSettings | None:
    url = environ.get("OVERREAD_LANGUAGE_MODEL_URL", "")
    name = environ.get("OVERREAD_LANGUAGE_MODEL_NAME", "")
    if not url and not name:
        return None
    if not 0 < len(name) <= _MODEL_NAME_MAX:
        raise ConfigurationError(
            f"OVERREAD_LANGUAGE_MODEL_NAME must name the model in at most {_MODEL_NAME_MAX} characters"
        )
    limit = "OVERREAD_LANGUAGE_MODEL_SECONDS_MAX"
    endpoint = EndpointSettings(
        url=url,
        model=name,
        api_key=environ.get("OVERREAD_LANGUAGE_MODEL_KEY", ""),
        timeout_seconds=_number(limit, environ[limit], float, 0.1) if environ.get(limit) else _MODEL_SECONDS,
    )
    try:
        ChatEndpoint(endpoint)
    except ConfigurationError as error:
        raise ConfigurationError(f"OVERREAD_LANGUAGE_MODEL_URL: {error}") from None
    return endpoint


def _number(name: str, text: str, kind: type[int] | type[float], smallest: float) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise ConfigurationError(f"{name} must be a number, not {text!r}") from None
    if not math.isfinite(value) or value < smallest:
        raise ConfigurationError(f"{name} must be at least {smallest:g}, not {text!r}")
    return value


def _checked_url(url: str) -> str:
    """Return the URL with the driver that overread uses; the message must not repeat a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"sqlite", "postgresql", "postgres", "postgresql+psycopg"}:
        raise ConfigurationError(
            "OVERREAD_DATABASE_URL must start with sqlite:/// or postgresql://; see docs/store.md"
        )
    if scheme == "sqlite" and not rest.strip("/"):
        raise ConfigurationError(
            "OVERREAD_DATABASE_URL must name a file: several processes share the database"
        )
    return url if scheme == "sqlite" else f"postgresql+psycopg://{rest}"
