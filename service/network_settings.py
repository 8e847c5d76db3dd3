"""Types that the settings of several rooms share: TLS files, AE titles, networks, character sets."""

import codecs
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from cryptography import x509
from pydantic import AfterValidator, BeforeValidator, model_validator

from overread.errors import ConfigurationError
from service.settings_sources import SettingsModel, setting, split_words

ANYBODY = "*"  # an allow-list that lets everybody in, on purpose
_AE_TITLE_MAX = 16  # PS3.5 table 6.2-1, AE

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether an address to bind to can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_restricted(host: str, *, is_restricted: bool, name: str, remedy: str) -> None:
    """Return if a listener may be bound to this address: others may reach it only if that was decided.

    Raises:
        ConfigurationError: other machines could send, and nobody has said which.
    """
    if is_restricted or is_loopback(host):
        return
    raise ConfigurationError(
        f"{host} can be reached from other machines and nobody has said who may send {name}: set {remedy} "
        f"('{ANYBODY}' for anybody), or switch the listener off with port 'none'"
    )


def _checked_title(title: str) -> str:
    if (
        not title
        or len(title) > _AE_TITLE_MAX
        or not title.isascii()
        or not title.isprintable()
        or "\\" in title
    ):
        raise ValueError(f"{title!r} is not an AE title (PS3.5 table 6.2-1)")
    return title


def _networks(value: object) -> object:
    words = split_words(value)
    if not isinstance(words, list):
        return words
    networks: list[object] = []
    for word in words:
        if word == ANYBODY:
            networks += [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
            continue
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            raise ValueError(f"{word!r} is not an address, or a network such as 10.1.0.0/16") from None
    return networks


def _charset(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name!r} is not a character set that Python knows") from None


AETitle = Annotated[str, AfterValidator(_checked_title)]
Charset = Annotated[str, AfterValidator(_charset)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsClientFiles:
    """Authority that certifies servers, and the certificate that is shown to those who ask for one."""

    authority: Path | None = None  # None: those that this machine trusts
    certificate: Path | None = None  # None: none is shown
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the client's context: TLS 1.2 or newer; certificate and name of the server are checked.

        Raises:
            ConfigurationError: a file cannot be read or does not hold what it should.
        """
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(error, self.authority, self.certificate, self.key) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """TLS certificate, key and authority; with `client_authority`, only clients it has certified enter."""

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
            raise _unusable(error, self.certificate, self.key, self.client_authority) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context for calling others: our certificate is shown, theirs must be of the authority.

        Raises:
            ConfigurationError: a file cannot be read or does not hold what it should.
        """
        files = TlsClientFiles(authority=self.client_authority, certificate=self.certificate, key=self.key)
        return files.context()


def _unusable(error: OSError, *paths: Path | None) -> ConfigurationError:
    names = ", ".join(str(path) for path in paths if path)
    return ConfigurationError(f"TLS cannot be set up from {names}: {error.strerror or type(error).__name__}")


def certificate_expiry(certificate: Path) -> datetime:
    """Return when a certificate stops being valid: the first of a PEM file, which is our own.

    Raises:
        ConfigurationError: the file cannot be read or holds no certificate.
    """
    try:
        return x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{certificate} cannot be read as a certificate in PEM form") from error


class TlsSettings(SettingsModel):
    """The files of a listener that may speak TLS."""

    tls_certificate: AbsolutePath | None = setting(
        meaning="PEM file with our certificate; with it, TLS is spoken"
    )
    tls_key: AbsolutePath | None = setting(meaning="PEM file with the key of our certificate")
    tls_client_ca: AbsolutePath | None = setting(
        meaning="PEM file with the authority whose certificates clients must show"
    )

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        given = (self.tls_certificate, self.tls_key, self.tls_client_ca)
        if any(given) and not (self.tls_certificate and self.tls_key):
            raise ValueError(
                f"{self.prefix}TLS_CERTIFICATE and {self.prefix}TLS_KEY are needed, both; "
                f"{self.prefix}TLS_CLIENT_CA may be added"
            )
        return self

    @property
    def tls(self) -> TlsFiles | None:
        """The files; None: no TLS is spoken."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(
            certificate=self.tls_certificate, key=self.tls_key, client_authority=self.tls_client_ca
        )
