"""The settings of the C-STORE and HL7 listeners: read once from the environment, then passed down."""

import codecs
import ipaddress
import math
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from overread.errors import ConfigurationError
from service.store.records import ReportStatus

ANYBODY = "*"  # an allow-list that lets everybody in, on purpose
_AE_TITLE_MAX = 16  # PS3.5 table 6.2-1, AE
_FIELD = re.compile(r"OBR-[1-9][0-9]?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where certificates lie. With `client_authority`, only clients it has certified are let in."""

    certificate: Path
    key: Path
    client_authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the server's context: TLS 1.2 or newer (PS3.15 annex B.9, BCP 195).

        Raises:
            ConfigurationError: a file cannot be read or does not hold what it should.
        """
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_authority)
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            names = ", ".join(
                str(path) for path in (self.certificate, self.key, self.client_authority) if path
            )
            raise ConfigurationError(
                f"TLS cannot be set up from {names}: {error.strerror or type(error).__name__}"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context for calling others: our certificate is shown, theirs must be of the authority.

        Raises:
            ConfigurationError: a file cannot be read or does not hold what it should.
        """
        self.context()  # or raises in words
        context = ssl.create_default_context(cafile=self.client_authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Where another application entity listens."""

    host: str
    port: int
    secured: bool = False  # whether it speaks TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomListenerSettings:
    """How the C-STORE listener behaves."""

    ae_title: str | None = None  # the title it answers to; None: any
    calling_ae_titles: tuple[str, ...] = ()  # who may call; empty: not chosen, ("*",): anybody
    associations_max: int = 32
    idle_seconds: float = 60.0  # a sender that is silent for so long, or needs so long for a PDU, has gone
    tls: TlsFiles | None = None
    peers: Mapping[str, Peer] = field(default_factory=dict)  # whom we can call, by AE title
    silence_seconds: float = 0.5  # after so long a requester that stays is given its commitment's report

    @property
    def is_restricted(self) -> bool:
        """Whether somebody has decided who may send."""
        return bool(self.calling_ae_titles) or (
            self.tls is not None and self.tls.client_authority is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7ListenerSettings:
    """How the HL7 listener behaves."""

    senders: tuple[Network, ...] = ()  # addresses that may connect; empty: not chosen
    accession_fields: tuple[str, ...] = ("OBR-18", "OBR-3", "OBR-2")  # the first that is valued counts
    charset: str = "utf-8"  # of messages that name none in MSH-18
    processing_ids: tuple[str, ...] = ("P",)  # MSH-11 that is taken: production, not training or debugging
    statuses: Mapping[str, ReportStatus] = field(default_factory=dict)  # this site's, before table 0123
    connections_max: int = 64
    idle_seconds: float = 600.0  # a sender that is silent for so long is let go
    message_seconds: float = 30.0  # a message that takes longer is given up
    tls: TlsFiles | None = None

    @property
    def is_restricted(self) -> bool:
        """Whether somebody has decided who may send."""
        return bool(self.senders) or _asks_for_certificates(self.tls)


def load_dicom_settings(environ: Mapping[str, str]) -> DicomListenerSettings:
    """Return the settings of the C-STORE listener, variables `OVERREAD_DICOM_...`.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable.
    """
    prefix = "OVERREAD_DICOM_"
    default = DicomListenerSettings()
    own = environ.get(f"{prefix}AE_TITLE", "").strip()
    if own:
        _require_title(f"{prefix}AE_TITLE", own)
    titles = _words(environ, f"{prefix}CALLING_AE_TITLES")
    for title in titles:
        _require_title(f"{prefix}CALLING_AE_TITLES", title)
    return DicomListenerSettings(
        ae_title=own or None,
        calling_ae_titles=titles,
        associations_max=_count(environ, f"{prefix}ASSOCIATIONS_MAX", default.associations_max),
        idle_seconds=seconds_setting(environ, f"{prefix}IDLE_SECONDS", default.idle_seconds),
        tls=_tls(environ, prefix),
        peers=_peers(environ, f"{prefix}PEERS"),
    )


def load_hl7_settings(environ: Mapping[str, str]) -> Hl7ListenerSettings:
    """Return the settings of the HL7 listener, variables `OVERREAD_HL7_...`.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable.
    """
    prefix = "OVERREAD_HL7_"
    default = Hl7ListenerSettings()
    fields = _words(environ, f"{prefix}ACCESSION_FIELDS") or default.accession_fields
    for name in fields:
        if not _FIELD.fullmatch(name):
            raise ConfigurationError(f"{prefix}ACCESSION_FIELDS: {name!r} is not a field such as OBR-18")
    return Hl7ListenerSettings(
        senders=_networks(environ, f"{prefix}SENDERS"),
        accession_fields=fields,
        charset=charset_setting(environ, f"{prefix}CHARSET", default.charset),
        processing_ids=_words(environ, f"{prefix}PROCESSING_IDS") or default.processing_ids,
        statuses=_statuses(environ, f"{prefix}STATUSES"),
        connections_max=_count(environ, f"{prefix}CONNECTIONS_MAX", default.connections_max),
        idle_seconds=seconds_setting(environ, f"{prefix}IDLE_SECONDS", default.idle_seconds),
        message_seconds=seconds_setting(environ, f"{prefix}MESSAGE_SECONDS", default.message_seconds),
        tls=_tls(environ, prefix),
    )


def require_restricted(host: str, *, is_restricted: bool, name: str, remedy: str) -> None:
    """Return if a listener may be bound to this address: others may reach it only if that was decided.

    Raises:
        ConfigurationError: other machines could send, and nobody has said which.
    """
    if is_restricted or _is_loopback(host):
        return
    raise ConfigurationError(
        f"{host} can be reached from other machines and nobody has said who may send {name}: set {remedy} "
        f"('{ANYBODY}' for anybody), or switch the listener off with port 'none'"
    )


def _asks_for_certificates(tls: TlsFiles | None) -> bool:
    return tls is not None and tls.client_authority is not None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _require_title(name: str, title: str) -> None:
    if len(title) > _AE_TITLE_MAX or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ConfigurationError(f"{name}: {title!r} is not an AE title (PS3.5 table 6.2-1)")


def _words(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for part in environ.get(name, "").split(",") if (word := part.strip()))


def _peers(environ: Mapping[str, str], name: str) -> dict[str, Peer]:
    peers = {}
    for word in _words(environ, name):
        title, _, address = word.partition("=")
        parts = urlsplit(f"//{address.removeprefix('tls://')}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not title.strip() or not host or not port:
            raise ConfigurationError(
                f"{name}: {word!r} is not an AE title with its address, such as PACS=10.0.0.1:104 "
                "or PACS=tls://10.0.0.1:2762"
            )
        _require_title(name, title.strip())
        peers[title.strip()] = Peer(host=host, port=port, secured=address.startswith("tls://"))
    return peers


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {text!r}")
    return int(text)


def seconds_setting(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return the number of seconds that a variable gives.

    Raises:
        ConfigurationError: it is no number above 0.
    """
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {text!r}")
    return value


def _networks(environ: Mapping[str, str], name: str) -> tuple[Network, ...]:
    networks: list[Network] = []
    for word in _words(environ, name):
        if word == ANYBODY:
            networks += [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
            continue
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            raise ConfigurationError(
                f"{name}: {word!r} is not an address, or a network such as 10.1.0.0/16"
            ) from None
    return tuple(networks)


def charset_setting(environ: Mapping[str, str], name: str, default: str) -> str:
    """Return the character set that a variable names, as Python calls it.

    Raises:
        ConfigurationError: there is no such character set.
    """
    text = environ.get(name) or default
    try:
        return codecs.lookup(text).name
    except LookupError:
        raise ConfigurationError(f"{name}: {text!r} is not a character set that Python knows") from None


def _statuses(environ: Mapping[str, str], name: str) -> dict[str, ReportStatus]:
    statuses = {}
    for word in _words(environ, name):
        code, _, status = word.partition("=")
        if not code or status not in ReportStatus.__members__:
            raise ConfigurationError(
                f"{name}: {word!r} is not a status of this site such as A=PRELIMINARY; "
                f"there are {', '.join(ReportStatus.__members__)}"
            )
        statuses[code.strip()] = ReportStatus[status]
    return statuses


def _tls(environ: Mapping[str, str], prefix: str) -> TlsFiles | None:
    certificate, key, authority = (
        environ.get(f"{prefix}TLS_{part}", "").strip() for part in ("CERTIFICATE", "KEY", "CLIENT_CA")
    )
    if not (certificate or key or authority):
        return None
    if not (certificate and key):
        raise ConfigurationError(
            f"{prefix}TLS_CERTIFICATE and {prefix}TLS_KEY are needed, both; "
            f"{prefix}TLS_CLIENT_CA may be added"
        )
    return TlsFiles(
        certificate=Path(certificate), key=Path(key), client_authority=Path(authority) if authority else None
    )
