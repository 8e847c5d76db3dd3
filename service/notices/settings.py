"""The settings of notices: who is told, of which cases, by webhook or e-mail."""

import base64
import binascii
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address as MailAddress
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, field_validator, model_validator

from overread.errors import ConfigurationError, InputError
from overread.finding import Actionable, subspecialties_named
from service.network_settings import AbsolutePath, TlsClientFiles
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, SettingsModel, setting
from service.store.notices import PREFIX, Cause, Want, Watch

_VARIABLE = "OVERREAD_NOTICES"
_NAME_MAX = 64
_ANY = "*"
_MAILTO = "mailto:"
_SECRET_PREFIX = "whsec_"  # noqa: S105  # Standard Webhooks 1.0.0, how a secret is written
_SECRET_BYTES = range(24, 65)  # the same
_CAUSES = {"waiting": Cause.WAITING, "cap": Cause.CAP, "drift": Cause.DRIFT}
_TOP = (Actionable.MINUTES,)
_NEXT = (Actionable.MINUTES, Actionable.HOURS)


class MailSecurity(StrEnum):
    """Protection of the connection to the mail server."""

    STARTTLS = "starttls"  # RFC 3207; a server that does not offer it is not used
    TLS = "tls"  # from the first byte on (RFC 8314)
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: of cases of these urgencies a destination is told for one cause; drift is of no case."""

    cause: Cause
    urgencies: frozenset[Actionable]
    destination: str
    subspecialty: str | None = None  # None: whosever they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A program that is told by HTTP."""

    name: str
    url: str
    keys: tuple[bytes, ...] = field(
        repr=False
    )  # each signs, so that a receiver may change from one to the next
    authority: AbsolutePath | None = None  # whose certificates it may show; None: those of this machine

    @property
    def outbox_name(self) -> str:
        """Its name in the outbox."""
        return f"{PREFIX}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server that takes our mail."""

    host: str
    port: int
    security: MailSecurity
    user: str
    password: str = field(repr=False)
    sender: str
    authority: AbsolutePath | None = None  # as of a webhook

    def context(self) -> ssl.SSLContext:
        """Return the context of TLS.

        Raises:
            ConfigurationError: the file of the authority cannot be used.
        """
        return TlsClientFiles(authority=self.authority).context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A person who is told by e-mail."""

    name: str
    address: str
    server: MailServer

    @property
    def outbox_name(self) -> str:
        """Its name in the outbox."""
        return f"{PREFIX}{self.name}"


Recipient = Webhook | Mailbox


def _rule(word: object) -> object:
    """Return the rule of a word such as "waiting:minutes:oncall"."""
    if not isinstance(word, str):
        return word
    cause, urgency, destination, subspecialty, *rest = [*word.split(":"), "", "", ""]
    try:
        if any(rest) or (cause.lower() == "drift" and (urgency != _ANY or subspecialty)):
            raise ValueError
        return Rule(
            cause=_CAUSES[cause.lower()],
            urgencies=frozenset(Actionable if urgency == _ANY else (Actionable(urgency.lower()),)),
            destination=destination,
            subspecialty=subspecialties_named([subspecialty])[0] if subspecialty else None,
        )
    except InputError as error:
        raise ValueError(f"{word!r}: {error}") from None
    except (KeyError, ValueError):
        raise ValueError(
            f"{word!r} is no rule such as waiting:minutes:oncall; causes: {', '.join(_CAUSES)}; urgencies: "
            f"{', '.join(Actionable)}, or {_ANY}, which is drift's only one; a subspecialty may follow the "
            "name of the destination, but not of drift"
        ) from None


class NoticeSettings(SettingsModel):
    """Who is told of what: nobody, unless the site says so."""

    table: ClassVar[str] = "notices"
    prefix: ClassVar[str] = f"{_VARIABLE}_"

    destinations: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="who is told, by a name of the site's choice: the http(s) address of a webhook, or mailto: "
        "and one address; such as pager=https://pager.example/hook,chief=mailto:chief@hospital.example",
        default_words="nobody",
    )
    rules: Annotated[tuple[Annotated[Rule, BeforeValidator(_rule)], ...], SPLIT_WORDS] = setting(
        (),
        meaning="who is told of what, as cause:urgency:destination, such as waiting:minutes:pager; causes: "
        "waiting (nobody has taken the case up), cap (its allowed wait is nearly over), drift (the studies "
        "of late differ from the usual ones: drift:*:chief); urgencies: minutes, hours, days, none, * for "
        "any; a subspecialty may follow, as in cap:*:chief:thoracic",
        default_words="waiting:minutes, cap:minutes and cap:hours to every destination",
    )
    page_url: str = setting(
        "",
        meaning="address of the page as its readers enter it, such as https://overread.example.org; messages "
        "lead there; needed as soon as somebody is told",
        default_words="none",
    )
    webhook_secrets: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="with what messages to a webhook are signed, by its name: whsec_ and 24 to 64 bytes in "
        "base64; several, with spaces between, all sign",
        default_words="none",
        secret=True,
    )
    untaken_minutes: float = setting(
        5.0, meaning="a case waits so long, and nobody has it, before somebody is told", unit="min", ge=0
    )
    cap_share: float = setting(
        0.75, meaning="share of the allowed wait of a case after which its end is called near", gt=0, le=1
    )
    pause_minutes: float = setting(
        5.0,
        meaning="at least so long lies between two messages for one cause to one destination; what comes "
        "meanwhile stands in one message",
        unit="min",
        ge=0,
    )
    mail_server: str = setting(
        "", meaning="server that takes our mail, as host:port, such as mail.example:587", default_words="none"
    )
    mail_security: MailSecurity = setting(
        MailSecurity.STARTTLS,
        meaning="how the connection to it is protected: starttls, tls (from the start, often port 465), none",
    )
    mail_user: str = setting("", meaning="name under which we sign in there", default_words="no sign-in")
    mail_password: str = setting("", meaning="password of that name", default_words="none", secret=True)
    mail_sender: str = setting(
        "", meaning="address from which mail comes, such as overread@hospital.example", default_words="none"
    )
    authority: AbsolutePath | None = setting(
        meaning="PEM file with the authority whose certificates mail server and webhooks show",
        default_words="those that this machine trusts",
    )

    @field_validator("destinations")
    @classmethod
    def _check_destinations(cls, destinations: Mapping[str, str]) -> Mapping[str, str]:
        for name, address in destinations.items():
            if not name or len(name) > _NAME_MAX or ":" in name:
                raise ValueError(f"{name!r} is no name for a destination")
            if address.startswith(_MAILTO):
                _require_mail_address(address.removeprefix(_MAILTO))
            else:
                _require_web_address(address)
        if len(set(destinations.values())) < len(destinations):
            raise ValueError("an address has two names: it would be told everything twice")
        return destinations

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, secrets: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in secrets.items():
            _keys(name, text)
        return secrets

    @field_validator("page_url")
    @classmethod
    def _check_page(cls, url: str) -> str:
        if url:
            _require_web_address(url)
        return url.rstrip("/")

    @field_validator("mail_sender")
    @classmethod
    def _check_sender(cls, address: str) -> str:
        if address:
            _require_mail_address(address)
        return address

    @field_validator("mail_server")
    @classmethod
    def _check_server(cls, server: str) -> str:
        host, _, port = server.rpartition(":")
        if server and not (host and port.isdecimal() and 0 < int(port) < 1 << 16):
            raise ValueError(f"{server!r} is not host:port")
        return server

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        for rule in self.rules:
            if rule.destination not in self.destinations:
                yield f"a rule names {rule.destination!r}, which {_VARIABLE}_DESTINATIONS does not"
        if self.destinations and not self.page_url:
            yield f"{_VARIABLE}_PAGE_URL is missing: messages lead to the page"
        for name, address in self.destinations.items():
            if not address.startswith(_MAILTO) and name not in self.webhook_secrets:
                yield f"{_VARIABLE}_WEBHOOK_SECRETS has no secret for {name}"
        is_mailed = any(address.startswith(_MAILTO) for address in self.destinations.values())
        if is_mailed and not (self.mail_server and self.mail_sender):
            yield f"{_VARIABLE}_MAIL_SERVER and {_VARIABLE}_MAIL_SENDER are needed for e-mail, both"
        if self.mail_password and self.mail_security is MailSecurity.NONE:
            yield f"{_VARIABLE}_MAIL_PASSWORD would be sent in the clear: set {_VARIABLE}_MAIL_SECURITY"

    def require_authority(self) -> Self:
        """Return the settings if the file of the authority can be used.

        Raises:
            ConfigurationError: it cannot.
        """
        try:
            TlsClientFiles(authority=self.authority).context()
        except ConfigurationError as error:
            raise ConfigurationError(f"{_VARIABLE}_AUTHORITY: {error}") from error
        return self

    @property
    def effective_rules(self) -> tuple[Rule, ...]:
        """The rules that are set, else those that hold where none is."""
        if self.rules:
            return self.rules
        return tuple(
            Rule(cause=cause, urgencies=frozenset(urgencies), destination=name)
            for name in self.destinations
            for cause, urgencies in ((Cause.WAITING, _TOP), (Cause.CAP, _NEXT))
        )

    def watches(self) -> tuple[Watch, ...]:
        """Return of what each destination is told, one watch for each cause."""
        wants: dict[tuple[str, Cause], list[Want]] = {}
        for rule in self.effective_rules:
            want = Want(urgencies=rule.urgencies, subspecialty=rule.subspecialty)
            wants.setdefault((rule.destination, rule.cause), []).append(want)
        return tuple(
            Watch(
                destination=f"{PREFIX}{name}",
                cause=cause,
                wants=() if cause is Cause.DRIFT else tuple(found),
                untaken_seconds=60 * self.untaken_minutes,
                cap_share=self.cap_share,
                pause_seconds=60 * self.pause_minutes,
            )
            for (name, cause), found in wants.items()
        )

    def recipients(self) -> tuple[Recipient, ...]:
        """Return every destination with what is needed to reach it."""
        return tuple(self._recipient(name, address) for name, address in self.destinations.items())

    def _recipient(self, name: str, address: str) -> Recipient:
        if not address.startswith(_MAILTO):
            keys = _keys(name, self.webhook_secrets[name])
            return Webhook(name=name, url=address, keys=keys, authority=self.authority)
        host, _, port = self.mail_server.rpartition(":")
        server = MailServer(
            host=host.strip("[]"),
            port=int(port),
            security=self.mail_security,
            user=self.mail_user,
            password=self.mail_password,
            sender=self.mail_sender,
            authority=self.authority,
        )
        return Mailbox(name=name, address=address.removeprefix(_MAILTO), server=server)


def _keys(name: str, text: str) -> tuple[bytes, ...]:
    """Return the keys of a webhook; the message must not repeat them."""
    keys = []
    for word in text.split():
        try:
            key = base64.b64decode(word.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not word.startswith(_SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
            raise ValueError(f"the secret of {name} is not {_SECRET_PREFIX} and 24 to 64 bytes in base64")
        keys.append(key)
    if not keys:
        raise ValueError(f"the secret of {name} is empty")
    return tuple(keys)


def _require_web_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"{url!r} is no http(s) address, or it holds a password or fragment")


def _require_mail_address(address: str) -> None:
    try:
        parsed = MailAddress(addr_spec=address)
    except (MessageError, ValueError, IndexError):
        parsed = None
    if parsed is None or not parsed.username or not parsed.domain or not address.isascii():
        raise ValueError(f"{address!r} is no address of e-mail")
