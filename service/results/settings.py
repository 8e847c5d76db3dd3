"""The settings of results for other systems: where they go, and which goes where at which moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, field_validator, model_validator

from overread.errors import ConfigurationError
from service.dicom.settings import DicomSettings, Peer
from service.network_settings import AbsolutePath, TlsClientFiles, TlsFiles
from service.results.webhook import Hook, require_web_address, webhook_keys
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, SettingsModel, setting
from service.store.result_occasions import Moment
from service.store.results import Form

_VARIABLE = "OVERREAD_RESULTS"
_NAME_MAX = 64
_DICOM_FORMS = frozenset({Form.SR, Form.SC, Form.KO, Form.SEG, Form.GSPS, Form.ASSESSMENT})
_FORMS = {form.value: form for form in Form if form is not Form.REJECTION}  # that a rule may ask for
_HL7 = ("mllp://", "mllps://")
_FHIR = ("fhir+http://", "fhir+https://")
NOTIFICATIONS = frozenset({Form.FHIR_R4, Form.FHIR_R5})
OWN_AE_TITLE = "OVERREAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: at this moment, this form goes to this destination."""

    moment: Moment
    form: Form
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreScp:
    """A destination that takes DICOM objects by C-STORE."""

    name: str
    ae_title: str
    peer: Peer
    own_ae_title: str
    tls: TlsFiles | None = None
    asks_commitment: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StowServer:
    """A destination that takes DICOM objects by STOW-RS."""

    name: str
    url: str  # to which /studies is added
    authorization: str = field(default="", repr=False)
    tls: TlsClientFiles = field(default_factory=TlsClientFiles)  # of https


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpServer:
    """A destination that takes HL7 v2 messages over MLLP."""

    name: str
    host: str
    port: int
    tls: TlsClientFiles | None = None  # None: TLS is not spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A destination that is told by FHIR notifications."""

    name: str
    hook: Hook
    fhir_url: str  # of our FHIR service, as the destination calls it


Address = StoreScp | StowServer | MllpServer | Subscriber


def _rule(word: object) -> object:
    """Return the rule of a word such as "triage:SR:pacs"."""
    if not isinstance(word, str):
        return word
    moment, _, rest = word.partition(":")
    form, _, destination = rest.partition(":")
    try:
        named = _FORMS[form.upper()]
        return Rule(moment=Moment(moment.upper()), form=named, destination=destination)
    except (KeyError, ValueError):
        forms, moments = ", ".join(_FORMS), ", ".join(Moment)
        raise ValueError(
            f"{word!r} is no rule such as triage:SR:pacs; moments: {moments}; forms: {forms}"
        ) from None


class ResultsSettings(SettingsModel):
    """Where results go: nowhere, unless the site says so."""

    table: ClassVar[str] = "results"
    prefix: ClassVar[str] = f"{_VARIABLE}_"

    destinations: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="where results go, by a name of the site's choice: an AE title of OVERREAD_DICOM_PEERS "
        "(C-STORE), an http(s) address to which DICOMweb adds /studies (STOW-RS), mllp://host:port (HL7), "
        "mllps://host:port over TLS, or fhir+https://address (FHIR notifications); such as "
        "pacs=PACS1,web=https://pacs.example/dicom-web,ris=mllp://10.0.0.3:2575",
        default_words="nowhere",
    )
    rules: Annotated[tuple[Annotated[Rule, BeforeValidator(_rule)], ...], SPLIT_WORDS] = setting(
        (),
        meaning="what goes where and when, as moment:form:destination, such as triage:SR:pacs; moments: "
        "triage, judgement; forms: SR, SC, KO, SEG, GSPS (DICOM), ORU (HL7), FHIR_R4, FHIR_R5 "
        "(notifications), after judgement ASSESSMENT (DICOM)",
        default_words="after triage SR and SC to every DICOM destination, ORU to every HL7 one; after triage "
        "and judgement FHIR_R4 to every FHIR one",
    )
    authorization: str = setting(
        "",
        meaning="Authorization header for STOW-RS, such as `Bearer TOKEN`",
        default_words="none",
        secret=True,
    )
    tls_ca: AbsolutePath | None = setting(
        meaning="PEM file with the authority that certifies https and mllps destinations",
        default_words="those that this machine trusts",
    )
    tls_certificate: AbsolutePath | None = setting(
        meaning="PEM file with our certificate for https and mllps destinations that ask for one"
    )
    tls_key: AbsolutePath | None = setting(meaning="PEM file with the key of that certificate")
    fhir_url: str = setting(
        "",
        meaning="address of our FHIR service as those call it who are told by FHIR, such as "
        "https://overread.example.org/fhir; notifications lead there; needed as soon as one is told",
        default_words="none",
    )
    webhook_secrets: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="with what notifications to a FHIR destination are signed, by its name: whsec_ and 24 to 64 "
        "bytes in base64; several, with spaces between, all sign",
        default_words="none",
        secret=True,
    )
    storage_commitment: bool = setting(
        True, meaning="whether a C-STORE destination that offers storage commitment is asked for it"
    )

    @field_validator("destinations")
    @classmethod
    def _check_destinations(cls, destinations: Mapping[str, str]) -> Mapping[str, str]:
        for name, address in destinations.items():
            if not name or len(name) > _NAME_MAX or ":" in name:
                raise ValueError(f"{name!r} is no name for a destination")
            _check_address(address)
        return destinations

    @field_validator("authorization")
    @classmethod
    def _check_header(cls, authorization: str) -> str:
        if not authorization.isascii() or not authorization.isprintable():
            raise ValueError("it cannot stand in a header")
        return authorization

    @model_validator(mode="after")
    def _check_certificate(self) -> Self:
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise ValueError(f"{_VARIABLE}_TLS_CERTIFICATE and {_VARIABLE}_TLS_KEY are needed, both")
        return self

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            address = self.destinations.get(rule.destination)
            if address is None:
                raise ValueError(
                    f"a rule names {rule.destination!r}, which {_VARIABLE}_DESTINATIONS does not"
                )
            if rule.form is Form.ASSESSMENT and rule.moment is not Moment.JUDGEMENT:
                raise ValueError("nothing is assessed before a judgement: judgement:ASSESSMENT:...")
            if rule.form not in _forms_of(address):
                raise ValueError(f"{rule.destination} ({address}) does not take {rule.form}")
        return self

    @field_validator("fhir_url")
    @classmethod
    def _check_fhir(cls, url: str) -> str:
        if url:
            require_web_address(url)
        return url.rstrip("/")

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, secrets: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in secrets.items():
            webhook_keys(name, text)
        return secrets

    @model_validator(mode="after")
    def _check_subscribers(self) -> Self:
        for name, address in self.destinations.items():
            if not address.startswith(_FHIR):
                continue
            if not self.fhir_url:
                raise ValueError(f"{_VARIABLE}_FHIR_URL is missing: notifications lead there")
            if name not in self.webhook_secrets:
                raise ValueError(f"{_VARIABLE}_WEBHOOK_SECRETS has no secret for {name}")
        return self

    @property
    def effective_rules(self) -> tuple[Rule, ...]:
        """The rules that are set, else those that hold where none is."""
        if self.rules:
            return self.rules
        return tuple(
            Rule(moment=moment, form=form, destination=name)
            for name, address in self.destinations.items()
            for moment, form in _default_rules(address)
        )

    def addresses(self, dicom: DicomSettings) -> tuple[Address, ...]:
        """Return every destination with what is needed to reach it.

        Raises:
            ConfigurationError: an AE title has no address, or no certificate for it is set.
        """
        return tuple(self._address(name, address, dicom) for name, address in self.destinations.items())

    def _address(self, name: str, address: str, dicom: DicomSettings) -> Address:
        tls = TlsClientFiles(authority=self.tls_ca, certificate=self.tls_certificate, key=self.tls_key)
        if address.startswith(_HL7):
            parts = urlsplit(address)
            secured = tls if parts.scheme == "mllps" else None
            return MllpServer(name=name, host=str(parts.hostname), port=int(parts.port or 0), tls=secured)
        if address.startswith(_FHIR):
            hook = Hook(
                name=name,
                url=address.removeprefix("fhir+"),
                keys=webhook_keys(name, self.webhook_secrets[name]),
                tls=tls,
                setting=f"{_VARIABLE}_DESTINATIONS",
            )
            return Subscriber(name=name, hook=hook, fhir_url=self.fhir_url)
        if "://" in address:
            return StowServer(name=name, url=address.rstrip("/"), authorization=self.authorization, tls=tls)
        peer = dicom.peers.get(address)
        if peer is None:
            raise ConfigurationError(
                f"{_VARIABLE}_DESTINATIONS names {address!r}, which OVERREAD_DICOM_PEERS does not: add "
                f"{address}=host:port there"
            )
        if peer.secured and dicom.tls is None:
            raise ConfigurationError(
                f"{address} is to be called over TLS: set OVERREAD_DICOM_TLS_CERTIFICATE and ..._KEY"
            )
        return StoreScp(
            name=name,
            ae_title=address,
            peer=peer,
            own_ae_title=dicom.ae_title or OWN_AE_TITLE,
            tls=dicom.tls if peer.secured else None,
            asks_commitment=self.storage_commitment,
        )


def _forms_of(address: str) -> frozenset[Form]:
    """Return the forms that a destination takes."""
    if address.startswith(_HL7):
        return frozenset({Form.ORU})
    return NOTIFICATIONS if address.startswith(_FHIR) else _DICOM_FORMS


def _default_rules(address: str) -> tuple[tuple[Moment, Form], ...]:
    if address.startswith(_HL7):
        return ((Moment.TRIAGE, Form.ORU),)
    if address.startswith(_FHIR):
        return ((Moment.TRIAGE, Form.FHIR_R4), (Moment.JUDGEMENT, Form.FHIR_R4))
    return ((Moment.TRIAGE, Form.SR), (Moment.TRIAGE, Form.SC))


def _check_address(address: str) -> None:
    if "://" not in address:
        return
    if address.startswith(_FHIR):
        require_web_address(address.removeprefix("fhir+"))
        return
    parts = urlsplit(address)
    if (
        parts.scheme not in ("http", "https", "mllp", "mllps")
        or not parts.hostname
        or parts.query
        or parts.username
    ):
        raise ValueError(
            f"{address!r} is no AE title, http(s) address, mllp://host:port or mllps://host:port; a password "
            f"belongs into {_VARIABLE}_AUTHORIZATION"
        )
    if address.startswith(_HL7) and not parts.port:
        raise ValueError(f"{address!r} has no port")
