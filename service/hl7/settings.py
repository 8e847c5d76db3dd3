"""The settings of the HL7 listener, and of HL7 messages from wherever they come."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from service.network_settings import Charset, Networks, TlsSettings
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, setting
from service.store.records import ReportStatus

_Field = Annotated[str, StringConstraints(pattern=r"^OBR-[1-9][0-9]?$")]


class Hl7Settings(TlsSettings):
    """Settings of the HL7 listener, and of the messages of this site."""

    table: ClassVar[str] = "hl7"
    prefix: ClassVar[str] = "OVERREAD_HL7_"

    senders: Networks = setting(
        (),
        meaning="addresses and networks that may send reports, such as 10.1.0.0/16; * for anybody",
        default_words="none chosen",
    )
    accession_fields: Annotated[tuple[_Field, ...], SPLIT_WORDS] = setting(
        ("OBR-18", "OBR-3", "OBR-2"), meaning="the first that is valued is the accession number"
    )
    charset: Charset = setting("utf-8", meaning="character set of messages that name none in MSH-18")
    processing_ids: Annotated[tuple[str, ...], SPLIT_WORDS] = setting(
        ("P",), meaning="MSH-11 that is taken; P,T while an interface is tested"
    )
    statuses: Annotated[Mapping[str, ReportStatus], SPLIT_PAIRS] = setting(
        dict,
        meaning="what a status means at this site, such as A=PRELIMINARY, before HL7 table 0123",
        default_words="none",
    )
    connections_max: int = setting(64, meaning="connections at once", ge=1)
    connections_per_address_max: int = setting(
        32, meaning="connections at once from one address, so that one sender leaves room for others", ge=1
    )
    idle_seconds: float = setting(600.0, meaning="a sender that is silent so long is let go", unit="s", gt=0)
    message_seconds: float = setting(30.0, meaning="longest time for one message", unit="s", gt=0)

    @property
    def is_restricted(self) -> bool:
        """Whether somebody has decided who may send."""
        return bool(self.senders) or self.tls_client_ca is not None
