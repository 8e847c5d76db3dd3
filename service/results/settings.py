"""The settings of results for other systems: where they go, and which goes where at which moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, field_validator, model_validator

from overread.errors import ConfigurationError
from service.dicom.settings import DicomSettings, Peer
from service.network_settings import AbsolutePath, TlsClientFiles, TlsFiles
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, SettingsModel, setting
from service.store.result_occasions import Moment
from service.store.results import Form

_VARIABLE = "OVERREAD_RESULTS"
_NAME_MAX = 64
_DICOM_FORMS = frozenset({Form.SR, Form.SC, Form.KO, Form.SEG, Form.GSPS, Form.ASSESSMENT})
_FORMS = {form.value: form for form in Form if form is not Form.REJECTION}  # that a rule may ask for
_HL7 = ("mllp://", "mllps://")
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


Address = StoreScp | StowServer | MllpServer


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
        "(C-STORE), an http(s) address to which DICOMweb adds /studies (STOW-RS), or mllp://host:port (HL7), "
        "mllps://host:port over TLS; such as pacs=PACS1,web=https://pacs.example/dicom-web,ris=mllp://10.0.0.3:2575",
        default_words="nowhere",
    )
    rules: Annotated[tuple[Annotated[Rule, BeforeValidator(_rule)], ...], SPLIT_WORDS] = setting(
        (),
        meaning="what goes where and when, as moment:form:destination, such as triage:SR:pacs; moments: "
        "triage, judgement; forms: SR, SC, KO, SEG, GSPS (DICOM), ORU (HL7), and after judgement ASSESSMENT "
        "(DICOM)",
        default_words="after triage SR and SC to every DICOM destination, ORU to every HL7 one",
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
            if (rule.form in _DICOM_FORMS) == address.startswith(_HL7):
                raise ValueError(f"{rule.destination} ({address}) does not take {rule.form}")
        return self

    @property
    def effective_rules(self) -> tuple[Rule, ...]:
        """The rules that are set, else those that hold where none is."""
        if self.rules:
            return self.rules
        return tuple(
            Rule(moment=Moment.TRIAGE, form=form, destination=name)
            for name, address in self.destinations.items()
            for form in ((Form.ORU,) if address.startswith(_HL7) else (Form.SR, Form.SC))
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


def _check_address(address: str) -> None:
    if "://" not in address:
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
