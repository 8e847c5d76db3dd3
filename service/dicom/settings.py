"""The settings of DICOM: our C-STORE listener, and where other application entities listen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from service.network_settings import AETitle, TlsSettings
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Address of another application entity."""

    host: str
    port: int
    secured: bool = False  # whether it speaks TLS


def _peer(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(f"//{value.removeprefix('tls://')}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise ValueError(f"{value!r} is not an address such as 10.0.0.1:104 or tls://10.0.0.1:2762")
    return Peer(host=host, port=port, secured=value.startswith("tls://"))


class DicomSettings(TlsSettings):
    """Settings of the C-STORE listener, and of the application entities that it can call."""

    table: ClassVar[str] = "dicom"
    prefix: ClassVar[str] = "OVERREAD_DICOM_"

    ae_title: AETitle | None = setting(
        meaning="the called AE title that is answered, and ours when we call", default_words="any is answered"
    )
    calling_ae_titles: Annotated[tuple[AETitle, ...], SPLIT_WORDS] = setting(
        (), meaning="who may send images, such as PACS,CT1; * for anybody", default_words="none chosen"
    )
    associations_max: int = setting(32, meaning="associations at once", ge=1)
    connections_per_address_max: int = setting(
        16, meaning="connections at once from one address, so that one sender leaves room for others", ge=1
    )
    idle_seconds: float = setting(
        60.0, meaning="a sender that is silent, or takes for one PDU, so long is let go", unit="s", gt=0
    )
    silence_seconds: float = setting(
        0.5,
        meaning="a requester of storage commitment that is silent so long is given its report",
        unit="s",
        gt=0,
    )
    peers: Annotated[Mapping[AETitle, Annotated[Peer, BeforeValidator(_peer)]], SPLIT_PAIRS] = setting(
        dict,
        meaning="where others listen, by AE title: PACS=10.0.0.1:104,CT1=tls://10.0.0.7:2762; storage "
        "commitments are reported there, and studies asked for",
        default_words="none",
    )

    @property
    def is_restricted(self) -> bool:
        """Whether somebody has decided who may send."""
        return bool(self.calling_ae_titles) or self.tls_client_ca is not None
