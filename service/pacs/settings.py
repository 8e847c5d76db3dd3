"""Which PACS is asked, how, and for what by itself; read once from the environment, then passed down."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from overread.errors import ConfigurationError
from service.listener_settings import DicomListenerSettings, Peer, TlsFiles, load_dicom_settings

_PREFIX = "OVERREAD_PACS"
_FETCH = "OVERREAD_FETCH_"


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseAddress:
    """A PACS that speaks DIMSE."""

    ae_title: str
    peer: Peer
    own_ae_title: str  # by which it knows our listener
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomwebAddress:
    """A PACS that speaks DICOMweb."""

    url: str  # to which /studies is added
    authorization: str = field(default="", repr=False)  # the header of this name


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """What is fetched from where; nothing by itself unless the site says so."""

    address: DimseAddress | DicomwebAddress
    missed_minutes: float | None = None  # a report that waits so long has its study fetched; None: never
    priors_max: int = 0  # earlier studies that are fetched of each new one
    priors_years: float = 5.0
    studies_per_minute: float = 20.0

    @property
    def is_automatic(self) -> bool:
        """Whether anything is to be fetched without being asked for."""
        return self.missed_minutes is not None or self.priors_max > 0


def load_fetch_settings(environ: Mapping[str, str]) -> FetchSettings | None:
    """Return the settings, variables `OVERREAD_PACS...` and `OVERREAD_FETCH_...`; None without a PACS.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable.
    """
    name = environ.get(_PREFIX, "").strip()
    given = [key for key in environ if key.startswith((f"{_PREFIX}_", _FETCH)) and environ[key].strip()]
    if not name:
        if given:
            raise ConfigurationError(f"{given[0]} needs {_PREFIX}: an AE title, or an http(s) address")
        return None
    return FetchSettings(
        address=_dicomweb(name, environ) if "://" in name else _dimse(name, load_dicom_settings(environ)),
        missed_minutes=_number(environ, "MISSED_MINUTES"),
        priors_max=int(_number(environ, "PRIORS", whole=True) or 0),
        priors_years=_given(_number(environ, "PRIORS_YEARS"), 5.0),
        studies_per_minute=_given(_number(environ, "STUDIES_PER_MINUTE", smallest=0.001), 20.0),
    )


def require_fetch_settings(environ: Mapping[str, str]) -> FetchSettings:
    """Return the settings.

    Raises:
        ConfigurationError: no PACS is named, or a value is wrong.
    """
    settings = load_fetch_settings(environ)
    if settings is None:
        raise ConfigurationError(
            f"no PACS is named: set {_PREFIX} to its AE title (with its address in OVERREAD_DICOM_PEERS), "
            "or to its DICOMweb address; see docs/deployment.md"
        )
    return settings


def _dicomweb(url: str, environ: Mapping[str, str]) -> DicomwebAddress:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ConfigurationError(
            f"{_PREFIX} is not an http(s) address such as https://pacs.example/dicom-web; "
            f"a password belongs into {_PREFIX}_AUTHORIZATION"
        )
    authorization = environ.get(f"{_PREFIX}_AUTHORIZATION", "").strip()
    if not authorization.isascii() or not (authorization.isprintable()):
        raise ConfigurationError(f"{_PREFIX}_AUTHORIZATION cannot stand in a header")
    return DicomwebAddress(url=url.rstrip("/"), authorization=authorization)


def _dimse(title: str, own: DicomListenerSettings) -> DimseAddress:
    peer = own.peers.get(title)
    if peer is None:
        raise ConfigurationError(
            f"{_PREFIX} names {title!r}, which OVERREAD_DICOM_PEERS does not: add {title}=host:port there"
        )
    if own.ae_title is None:
        raise ConfigurationError(
            f"set OVERREAD_DICOM_AE_TITLE to the title by which {title} knows our C-STORE listener: "
            "it sends what is fetched there"
        )
    if peer.secured and own.tls is None:
        raise ConfigurationError(
            f"{title} is to be called over TLS: set OVERREAD_DICOM_TLS_CERTIFICATE and ..._KEY"
        )
    return DimseAddress(
        ae_title=title, peer=peer, own_ae_title=own.ae_title, tls=own.tls if peer.secured else None
    )


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _number(
    environ: Mapping[str, str], what: str, *, smallest: float = 0.0, whole: bool = False
) -> float | None:
    name = _FETCH + what
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < smallest or (whole and not value.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{name} must be {kind} of at least {smallest:g}, not {text!r}")
    return value
