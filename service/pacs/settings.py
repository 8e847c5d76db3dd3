"""Settings of the retrieval from a PACS."""

from dataclasses import dataclass, field
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from overread.errors import ConfigurationError
from service.dicom.settings import DicomSettings, Peer
from service.network_settings import TlsFiles
from service.settings_sources import SettingsModel, setting

_VARIABLE = "OVERREAD_PACS"
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


class PacsSettings(SettingsModel):
    """PACS that is asked for studies, and what is fetched by itself: nothing, unless the site says so."""

    table: ClassVar[str] = "pacs"

    archive: str | None = setting(
        meaning="whom to ask for studies: an AE title of OVERREAD_DICOM_PEERS, or the http(s) address to "
        "which DICOMweb adds /studies",
        variable=_VARIABLE,
    )
    authorization: str = setting(
        "",
        meaning="Authorization header for that address, such as `Bearer TOKEN`",
        variable=f"{_VARIABLE}_AUTHORIZATION",
        default_words="none",
        secret=True,
    )
    missed_minutes: float | None = setting(
        meaning="a report that waits so long for its images has them fetched",
        unit="min",
        variable=f"{_FETCH}MISSED_MINUTES",
        default_words="never",
        ge=0,
    )
    priors_max: int = setting(
        0, meaning="so many earlier studies are fetched of each new one", variable=f"{_FETCH}PRIORS", ge=0
    )
    priors_years: float = setting(
        5.0,
        meaning="earlier studies are not older than that",
        unit="years",
        variable=f"{_FETCH}PRIORS_YEARS",
        ge=0,
    )
    studies_per_minute: float = setting(
        20.0,
        meaning="studies are fetched no faster than that",
        unit="1/min",
        variable=f"{_FETCH}STUDIES_PER_MINUTE",
        ge=0.001,
    )

    @field_validator("archive")
    @classmethod
    def _check_address(cls, archive: str | None) -> str | None:
        if archive is None or "://" not in archive:
            return archive
        parts = urlsplit(archive)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError(
                "it is not an http(s) address such as https://pacs.example/dicom-web; "
                f"a password belongs into {_VARIABLE}_AUTHORIZATION"
            )
        return archive.rstrip("/")

    @field_validator("authorization")
    @classmethod
    def _check_header(cls, authorization: str) -> str:
        if not authorization.isascii() or not authorization.isprintable():
            raise ValueError("it cannot stand in a header")
        return authorization

    @model_validator(mode="after")
    def _require_archive(self) -> Self:
        chosen = [key for key in self.declared_keys() if getattr(self, key.field) != key.default]
        if chosen and self.archive is None:
            raise ValueError(f"{chosen[0].variable} needs {_VARIABLE}: an AE title, or an http(s) address")
        return self

    @property
    def is_automatic(self) -> bool:
        """Whether anything is to be fetched without being asked for."""
        return self.missed_minutes is not None or self.priors_max > 0

    def address(self, dicom: DicomSettings) -> DimseAddress | DicomwebAddress:
        """Return where the PACS is asked.

        Raises:
            ConfigurationError: no PACS is named, or it is an AE title whose address, or our own title or
                certificate for it, is not set.
        """
        if self.archive is None:
            raise ConfigurationError(
                f"no PACS is named: set {_VARIABLE} to its AE title (with its address in "
                "OVERREAD_DICOM_PEERS), or to its DICOMweb address; see docs/deployment.md"
            )
        if "://" in self.archive:
            return DicomwebAddress(url=self.archive, authorization=self.authorization)
        return _dimse(self.archive, dicom)


def _dimse(title: str, own: DicomSettings) -> DimseAddress:
    peer = own.peers.get(title)
    if peer is None:
        raise ConfigurationError(
            f"{_VARIABLE} names {title!r}, which OVERREAD_DICOM_PEERS does not: add {title}=host:port there"
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
