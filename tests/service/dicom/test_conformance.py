"""The conformance statement says of listeners and of what asks a PACS what the code does."""

import re

import pytest
from pydicom.uid import UID
from pynetdicom import AE, evt

from overread.errors import PeerError
from service.dicom import reporting, status
from service.dicom.commitment import INSTANCES_MAX
from service.dicom.listener import _NEGOTIATION_SECONDS
from service.dicom.settings import DicomSettings, Peer
from service.dicom.transport import PDU_BYTES_MAX
from service.hl7.settings import Hl7Settings
from service.pacs import dicomweb, dimse
from service.pacs.archive import ANSWERS_MAX, FoundSeries
from service.pacs.settings import DimseAddress
from service.results.destination import Answer
from service.results.dimse import StoreScu
from service.store import commitments
from service.store.database import Store
from service.store.outbox import Query, list_deliveries
from tests.service.results.material import TO_PACS, make_due, seen, told_case
from tests.service.results.peers import ScriptedPacs
from tests.service.results.test_conformance import STATEMENT, section


def codes_of(title: str) -> set[int]:
    """The codes in hexadecimal that head the rows of a section."""
    return {int(first, 16) for first in section(title) if re.fullmatch("0x[0-9A-F]{4}", first)}


def test_every_status_of_c_store_is_stated_and_no_other() -> None:
    given = {status.SUCCESS, status.PROCESSING_FAILURE, *(code for _, code in status.STORE_STATUSES)}

    assert codes_of("C-STORE, service class provider") == given


def test_every_answer_of_storage_commitment_is_stated_and_no_other() -> None:
    asked = {
        0,
        reporting.NO_SUCH_INSTANCE,
        reporting.INVALID_ARGUMENT,
        reporting.NO_SUCH_ACTION,
        reporting.DUPLICATE_INVOCATION,
        reporting.RESOURCE_LIMITATION,
    }
    reported = {commitments.NO_SUCH_INSTANCE, commitments.OTHER_CLASS}

    assert codes_of("Storage commitment, service class provider") == asked | reported
    stated = section("Storage commitment, service class provider")["Request (N-ACTION)"]
    assert f"up to {INSTANCES_MAX:,} objects" in stated


def test_the_limits_of_the_listeners_are_stated() -> None:
    store, settings = section("C-STORE, service class provider"), DicomSettings()

    assert store["Associations"].startswith(f"{settings.associations_max} at once")
    assert f"more than {PDU_BYTES_MAX >> 20} MiB" in store["Longest PDU"]
    assert store["Time limits"].startswith(f"{_NEGOTIATION_SECONDS:g} s to the association request")
    assert f"({settings.idle_seconds:g})" in store["Time limits"]
    hl7, limits = Hl7Settings(), section("HL7, receiver of ORU^R01 and MDM")["Limits"]
    assert limits.startswith(f"{hl7.connections_max} connections")
    assert f"{hl7.message_seconds:g} s for a message" in limits
    assert f"{hl7.idle_seconds:g} s of silence" in limits


def test_what_asks_a_pacs_has_the_limits_that_are_stated() -> None:
    stated = section("Query and retrieve, service class user")

    assert f"more than {ANSWERS_MAX} answers" in stated["C-FIND"]
    limits = (
        f"{dimse._CONNECT_SECONDS:g} s for an association, {dimse._ANSWER_SECONDS / 60:g} min without a word"
    )
    assert stated["Time limits"].startswith(limits)
    assert stated["Time limits"].endswith(f"{dicomweb._SECONDS / 60:g} min without a byte of DICOMweb")


class Watching:
    """A PACS that writes down what is proposed to it, and accepts nothing."""

    def __init__(self) -> None:
        self.proposed: list[tuple[str, tuple[str, ...]]] = []

    def note(self, event: evt.Event) -> None:
        for context in event.assoc.requestor.requested_contexts:
            syntaxes = tuple(UID(uid).name for uid in context.transfer_syntax)
            self.proposed.append((UID(context.abstract_syntax).name, syntaxes))


def test_what_a_query_proposes_is_what_is_stated() -> None:
    watching, entity = Watching(), AE(ae_title="PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_REQUESTED, watching.note)]
    )
    peer = Peer(host="127.0.0.1", port=server.server_address[1])
    archive = dimse.DimseArchive(DimseAddress(ae_title="PACS", peer=peer, own_ae_title="OVERREAD", tls=None))
    series = FoundSeries(study_instance_uid="1.2", series_instance_uid="1.2.3")
    try:
        with pytest.raises(PeerError):
            archive.find_series("1.2")
        with pytest.raises(PeerError):
            archive.retrieve(series, lambda _: None)
    finally:
        server.shutdown()

    stated = section("Query and retrieve, service class user")
    models = [name for name, _ in watching.proposed]
    assert models == [
        "Study Root Query/Retrieve Information Model - FIND",
        "Study Root Query/Retrieve Information Model - MOVE",
    ]
    assert stated["C-FIND"].startswith("Study Root")
    assert stated["C-MOVE"].startswith("Study Root")


def test_what_the_sender_of_results_proposes_is_what_is_stated(sqlite_store: Store) -> None:
    told_case(sqlite_store, seen("nodule", (10, 20, 30, 44)))
    make_due(sqlite_store, TO_PACS)
    due = list_deliveries(sqlite_store, Query(), limit=9)
    watching, pacs = Watching(), ScriptedPacs()
    entity = AE(ae_title="PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_REQUESTED, watching.note)]
    )
    pacs.port = server.server_address[1]
    try:
        (sent,) = StoreScu(pacs.address, sqlite_store.files).send(due)
    finally:
        server.shutdown()

    assert sent.answer is Answer.REFUSED
    stated = section("Results, service class user of C-STORE, STOW-RS and HL7")
    classes = {word.partition(" (")[0] for word in stated["SOP classes"].split(", ")}
    assert {name.removesuffix(" Storage") for name, _ in watching.proposed} <= classes
    assert {syntaxes for _, syntaxes in watching.proposed} == {("Explicit VR Little Endian",)}
    assert stated["Transfer syntax"] == "Explicit VR Little Endian; the only one proposed"


def test_no_ihe_profile_is_claimed_and_each_that_is_near_is_named() -> None:
    claims = section("IHE profiles")

    rows = {name: words for name, words in claims.items() if name not in {"profile", "---"}}
    assert all(words.startswith("no claim") for words in rows.values()), rows
    assert {"AI Results (AIR)", "AI Result Assessment (AIRA)"} <= set(rows)
    assert "## IHE profiles" in STATEMENT.read_text(encoding="utf-8")
