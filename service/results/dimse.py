"""Sends results by C-STORE (PS3.4 annex B), the bytes of each as they were made, over one association."""

import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from overread.errors import NotFoundError, PeerError
from service.dicom.commitment import REQUEST_ACTION, SOP_CLASS, SOP_INSTANCE, request_of
from service.dicom.reporting import SYNTAXES
from service.results.destination import Answer, Sent
from service.results.settings import StoreScp
from service.store.commitments import ReferencedInstance
from service.store.files import ObjectFiles
from service.store.outbox import Delivery

_CONNECT_SECONDS = 20.0
_ANSWER_SECONDS = 60.0
_SUCCESS = 0x0000
_WARNINGS = frozenset({0xB000, 0xB006, 0xB007})  # PS3.4 table B.2-1: stored, with a remark
_DUPLICATE = 0x0111  # PS3.7 annex C: it holds this very instance already
_TAKES_NONE = "it accepts no objects of this class and transfer syntax"
_WHY = {
    0x0122: "it does not take this class of object",
    0x0124: "it does not permit us to store: permit {own} there",
    0xA700: "it is out of resources",
    0xA900: "it says that the object is not of its class",
    0xC000: "it cannot understand the object",
}


class _NothingAcceptedError(PeerError):
    """The peer accepted the association, and none of what was proposed for it."""


def send_at_once(event: evt.Event) -> None:
    """Let no fragment wait for the acknowledgement of the one before, as TCP does by itself (RFC 896)."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class StoreScu:
    """A `Destination` that speaks DIMSE. The association is opened for a batch and released after it."""

    def __init__(self, address: StoreScp, files: ObjectFiles) -> None:
        """Check the certificates, where it is called over TLS.

        Raises:
            ConfigurationError: a certificate cannot be used.
        """
        _config.LOG_HANDLER_LEVEL = "none"  # it would repeat what is sent
        _config.STORE_SEND_CHUNKED_DATASET = True  # bytes as they lie in the file, never the whole of it
        self._address = address
        self._files = files
        self._offers_commitment = address.asks_commitment
        self._tls = (address.tls.client_context(), address.peer.host) if address.tls else None

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._address.name

    def close(self) -> None:
        """Nothing is kept open."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send over one association, in order.

        Raises:
            PeerError: there is no association.
            OutOfResourcesError: an object cannot be fetched now.
        """
        try:
            association = self._associate(deliveries)
        except _NothingAcceptedError:
            for delivery in deliveries:
                yield Sent(delivery=delivery, answer=Answer.REFUSED, words=_TAKES_NONE)
            return
        try:
            for delivery in deliveries:
                sent = self._sent(association, delivery)
                yield sent
                if sent.answer is Answer.BROKEN:
                    return
        finally:
            if association.is_established:
                association.release()

    def ask_to_keep(self, deliveries: Sequence[Delivery], transaction_uid: str) -> bool:
        """Ask for storage commitment on an association of its own; never again where it is not offered."""
        if not self._offers_commitment:
            return False
        try:
            association = self._associated({(SOP_CLASS, syntax) for syntax in SYNTAXES})
        except PeerError:  # it has taken the objects: it offers nothing beside that
            self._offers_commitment = False
            return False
        asked = [
            ReferencedInstance(
                sop_class_uid=str(item.sop_class_uid), sop_instance_uid=str(item.sop_instance_uid)
            )
            for item in deliveries
        ]
        try:
            status, _ = association.send_n_action(
                request_of(transaction_uid, asked), REQUEST_ACTION, SOP_CLASS, SOP_INSTANCE
            )
        except (ValueError, RuntimeError):  # no context for it was accepted, or it broke off
            return False
        finally:
            if association.is_established:
                association.release()
        return bool(status.get("Status") == _SUCCESS)

    def _associate(self, deliveries: Sequence[Delivery]) -> Association:
        pairs = {(item.sop_class_uid or "", item.transfer_syntax_uid or "") for item in deliveries}
        return self._associated(pairs)

    def _associated(self, pairs: Collection[tuple[str, str]]) -> Association:
        address = self._address
        entity = AE(ae_title=address.own_ae_title)
        entity.acse_timeout = entity.connection_timeout = _CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = _ANSWER_SECONDS
        for sop_class, syntax in sorted(pairs):
            entity.add_requested_context(UID(sop_class), [UID(syntax)])
        association = entity.associate(
            address.peer.host,
            address.peer.port,
            ae_title=address.ae_title,
            tls_args=self._tls,
            evt_handlers=[(evt.EVT_CONN_OPEN, send_at_once)],
        )
        if association.is_established:
            return association
        if association.rejected_contexts:  # it answered, and there is nothing that it would take
            raise _NothingAcceptedError(f"{address.ae_title} takes no objects of these classes")
        how = "rejects an association" if association.is_rejected else "does not answer"
        raise PeerError(
            f"{address.ae_title} {how} at {address.peer.host}:{address.peer.port}: check that it runs, that "
            f"it knows {address.own_ae_title}, and OVERREAD_DICOM_PEERS"
        )

    def _sent(self, association: Association, delivery: Delivery) -> Sent:
        sent = Sent(delivery=delivery, answer=Answer.REFUSED, words="")
        if not association.is_established:
            return replace(sent, answer=Answer.BROKEN, words="it broke the association off")
        try:
            path = self._files.path_of(delivery.sha256 or "")
            answer = association.send_c_store(path)
        except NotFoundError as error:
            return replace(sent, words=str(error))
        except ValueError:  # no presentation context for it was accepted
            return replace(sent, words=_TAKES_NONE)
        except RuntimeError:
            return replace(sent, answer=Answer.BROKEN, words="it broke the association off")
        kind, words = self._understood(answer)
        return replace(sent, answer=kind, words=words)

    def _understood(self, answer: Dataset) -> tuple[Answer, str]:
        status = answer.get("Status")
        if status is None:
            return Answer.BROKEN, "it broke off, or did not answer in time"
        if status in (_SUCCESS, *_WARNINGS):
            return Answer.TAKEN, f"stored, status 0x{status:04X}"
        if status == _DUPLICATE:
            return Answer.TAKEN, "it held it already, status 0x0111"
        why = _WHY.get(status, _WHY.get(status & 0xFF00, "it cannot store it"))
        return Answer.REFUSED, f"status 0x{status:04X}: {why.format(own=self._address.own_ae_title)}"
