"""The SCP of storage, its commitment and verification (PS3.4 annexes A, B, J) on one listening socket."""

import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from overread.errors import InputError, OutOfResourcesError
from service.bounded_server import BoundedServerMixin
from service.dicom.answers import CommitmentAnswers
from service.dicom.arrival import ArrivingObject
from service.dicom.association import ConnectionHandler, StreamingDimse
from service.dicom.commitment import SOP_CLASS as STORAGE_COMMITMENT
from service.dicom.reporting import SYNTAXES, CommitmentService
from service.dicom.settings import DicomSettings
from service.dicom.status import CANNOT_UNDERSTAND, SUCCESS, StoreStatus, status_of
from service.dicom.transport import PDU_BYTES
from service.error_boundary import ErrorBoundary
from service.intake.instances import AnnouncedInstance, receive_instance
from service.metrics import IntakeProtocol, count_accepted, count_refused
from service.network_settings import ANYBODY
from service.store.database import Store

_ANY_TITLE = "OVERREAD"  # what we are called where we answer to any title
_SPARE_CONNECTIONS = 8  # beyond the associations, so that one too many is told so
_NEGOTIATION_SECONDS = 30.0  # from the connection to the request for an association, PS3.8 ARTIM

_log = structlog.get_logger("overread.dicom")


class DicomListener(BoundedServerMixin, ThreadedAssociationServer):
    """Stores what is sent to a listening socket, answers for it, and answers C-ECHO."""

    protocol = IntakeProtocol.C_STORE

    def __init__(
        self,
        listener: socket.socket,
        store: Store,
        settings: DicomSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._clock = clock
        self._commitments = CommitmentService(store, settings, clock)
        self.prepare(
            listener,
            connections_max=settings.associations_max,
            per_address_max=settings.connections_per_address_max,
            spare=_SPARE_CONNECTIONS,
        )
        self.idle_seconds, self.silence_seconds = settings.idle_seconds, settings.silence_seconds
        self.tls: ssl.SSLContext | None = settings.tls.context() if settings.tls else None
        _config.UNRESTRICTED_STORAGE_SERVICE = True  # every storage class, private and future ones included
        _config.LOG_HANDLER_LEVEL = "none"  # we log ourselves, without what was sent
        entity = _entity(settings)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store_object),
            (evt.EVT_N_ACTION, self._commitments.take),
            (evt.EVT_N_EVENT_REPORT, CommitmentAnswers(store, clock).take),
            (evt.EVT_ACCEPTED, _note, ["association_accepted"]),
            (evt.EVT_REJECTED, _note, ["association_rejected"]),
            (evt.EVT_REJECTED, _count_rejected),
        ]
        super().__init__(
            entity,
            listener.getsockname(),
            entity.ae_title,
            entity.supported_contexts,
            evt_handlers=handlers,
            request_handler=ConnectionHandler,
        )
        entity._servers.append(self)  # as `AE.start_server` does; it is what `shutdown` takes it from

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until `shutdown` is called."""
        self._commitments.start()
        try:
            super().serve_forever(poll_interval)
        finally:
            self._commitments.stop()

    def begin(self, announced: AnnouncedInstance, transfer_syntax: UID) -> ArrivingObject:
        """Return where an announced object is written to."""
        return ArrivingObject(self._store, announced, transfer_syntax)

    def _store_object(self, event: evt.Event) -> Dataset:
        source = f"C-STORE {event.assoc.requestor.ae_title.strip()} {event.assoc.requestor.address}"
        arriving = cast(C_STORE, event.request).DataSet
        if not isinstance(arriving, ArrivingObject):
            count_refused(IntakeProtocol.C_STORE, "NO_DATA_SET")
            return StoreStatus(code=CANNOT_UNDERSTAND, comment="the request has no data set").response()
        try:
            return self._receive(arriving, source).response()
        finally:
            arriving.discard()

    def _receive(self, arriving: ArrivingObject, source: str) -> StoreStatus:
        with ErrorBoundary() as boundary:
            if arriving.failure is not None or arriving.incoming is None:
                raise arriving.failure or OutOfResourcesError("the object could not be written")
            receive_instance(
                self._store,
                arriving.incoming,
                source=source,
                now=self._clock(),
                announced=arriving.announced,
            )
        error = boundary.error
        if error is None:
            count_accepted(IntakeProtocol.C_STORE)
            return StoreStatus(code=SUCCESS)
        count_refused(IntakeProtocol.C_STORE, error)
        status = status_of(error)
        if isinstance(error, InputError | OutOfResourcesError | OSError):
            _log.warning("refused", status=f"0x{status.code:04X}", reason=type(error).__name__, source=source)
        else:
            _log.error("failed", reason=type(error).__name__, source=source)
        return status


class _Entity(AE):
    """An application entity that does not count the associations whose connection has made room."""

    @property
    def active_associations(self) -> list[Association]:
        """The associations that take a place."""
        return [
            association
            for association in super().active_associations
            if not isinstance(association.dimse, StreamingDimse) or association.dimse.place.is_open
        ]


def _entity(settings: DicomSettings) -> AE:
    entity = _Entity(ae_title=settings.ae_title or _ANY_TITLE)
    entity.require_called_aet = settings.ae_title is not None
    if ANYBODY not in settings.calling_ae_titles:
        entity.require_calling_aet = list(settings.calling_ae_titles)
    entity.maximum_associations = settings.associations_max
    entity.maximum_pdu_size = PDU_BYTES
    entity.acse_timeout = min(_NEGOTIATION_SECONDS, settings.idle_seconds)
    entity.dimse_timeout = settings.idle_seconds
    entity.network_timeout = settings.idle_seconds
    entity.add_supported_context(Verification)
    # Asked by who sends, and told by who was asked: both ways (PS3.4 section J.3.2).
    entity.add_supported_context(STORAGE_COMMITMENT, SYNTAXES, scu_role=True, scp_role=True)
    return entity


def _count_rejected(_: evt.Event) -> None:
    count_refused(IntakeProtocol.C_STORE, "ASSOCIATION_REJECTED")


def _note(event: evt.Event, action: str) -> None:
    requestor = event.assoc.requestor
    _log.info(action, calling=str(requestor.ae_title).strip(), address=requestor.address)
