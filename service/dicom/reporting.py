"""Takes requests for storage commitment, and reports back: on the same association, or on one of our own.

A request is recorded before it is answered. Where the requester keeps its association open, the report
follows as soon as it falls silent. Else, and again with growing delays until it is taken, the report goes to
the address that the settings name for the requester's AE title.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContextTuple

from overread.errors import ContradictionError, InputError, OutOfResourcesError
from service.dicom.association import StreamingDimse
from service.dicom.commitment import (
    REQUEST_ACTION,
    SOP_CLASS,
    SOP_INSTANCE,
    read_request,
    report_of,
)
from service.dicom.settings import DicomSettings, Peer
from service.dicom.status import SUCCESS
from service.error_boundary import ErrorBoundary
from service.store.commitments import (
    Commitment,
    CommitmentResult,
    check_commitment,
    claim_commitment,
    conclude_commitment,
    is_due,
    postpone_commitment,
    record_commitment,
)
from service.store.database import Store

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]
# PS3.7 annex C
NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_ACTION = 0x0112, 0x0115, 0x0123
DUPLICATE_INVOCATION, RESOURCE_LIMITATION = 0x0210, 0x0213
_OWN_ASSOCIATION_AFTER = timedelta(seconds=20)  # unless the requester ends its association before
_POLL_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
_CONNECT_SECONDS = 30.0

_log = structlog.get_logger("overread.dicom")


class CommitmentService:
    """Answers for what is kept. `start` sets the thread going that reports on associations of our own."""

    def __init__(self, store: Store, settings: DicomSettings, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._due = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commitments", daemon=True)

    def start(self) -> None:
        """Report what is due from now on; what an earlier process has left too."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further report."""
        self._stopped.set()
        self._due.set()

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Record a request (N-ACTION) and return the status of its answer."""
        association = event.assoc
        status, commitment = self._recorded(association, cast(N_ACTION, event.request), event.context)
        if commitment is not None and isinstance(association.dimse, StreamingDimse):
            association.dimse.owe(lambda dimse: self._report_here(dimse, commitment))
        names = {"requestor": _title(association.requestor.ae_title), "status": f"0x{status:04X}"}
        _log.info("commitment_requested", **names)
        return status, None

    def _recorded(
        self, association: Association, request: N_ACTION, context: PresentationContextTuple
    ) -> tuple[int, Commitment | None]:
        if request.RequestedSOPInstanceUID != SOP_INSTANCE:
            return NO_SUCH_INSTANCE, None
        if request.ActionTypeID != REQUEST_ACTION:
            return NO_SUCH_ACTION, None
        try:
            asked = read_request(
                request.ActionInformation or BytesIO(),
                context.transfer_syntax,
                requestor=_title(association.requestor.ae_title),
                called=_title(cast(A_ASSOCIATE, association.requestor.primitive).called_ae_title),
            )
            now = self._clock()
            return SUCCESS, record_commitment(
                self._store, asked, due_at=now + _OWN_ASSOCIATION_AFTER, now=now
            )
        except OutOfResourcesError:
            return RESOURCE_LIMITATION, None
        except ContradictionError:
            return DUPLICATE_INVOCATION, None
        except InputError:
            return INVALID_ARGUMENT, None

    def _report_here(self, dimse: StreamingDimse | None, commitment: Commitment) -> None:
        """Report on the association of the request, in its own thread; None: it has ended."""
        with ErrorBoundary() as boundary:
            if not is_due(self._store, commitment):
                return
            if dimse is not None and self._was_taken_here(dimse, commitment):
                return
            postpone_commitment(self._store, commitment, "the association ended", now=self._clock())
        _log_failure(boundary.error)  # it falls due by itself
        self._due.set()

    def _was_taken_here(self, dimse: StreamingDimse, commitment: Commitment) -> bool:
        result = check_commitment(self._store, commitment.request)
        contexts = [item for item in dimse.assoc.accepted_contexts if item.abstract_syntax == SOP_CLASS]
        event_type, information = report_of(commitment.request, result)
        report = N_EVENT_REPORT()
        report.MessageID = commitment.commitment_id % 0xFFFF + 1
        report.AffectedSOPClassUID, report.AffectedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
        report.EventTypeID = event_type
        syntax = contexts[0].transfer_syntax[0]
        report.EventInformation = BytesIO(
            encode(information, syntax.is_implicit_VR, syntax.is_little_endian) or b""
        )
        answer = dimse.ask(report, int(contexts[0].context_id or 0), seconds=_ANSWER_SECONDS)
        if answer is None or answer.Status != SUCCESS:
            return False
        self._conclude(commitment, result)
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            with ErrorBoundary() as boundary:
                commitment = claim_commitment(self._store, now=self._clock())
                if commitment is not None:
                    self._report(commitment)
                    continue
            _log_failure(boundary.error)
            self._due.wait(_POLL_SECONDS)
            self._due.clear()

    def _report(self, commitment: Commitment) -> None:
        """Report on an association of our own, or note why it did not succeed."""
        requestor = commitment.request.requestor
        peer = self._settings.peers.get(requestor)
        if peer is None:
            why = f"nobody has said where {requestor} listens: add it to OVERREAD_DICOM_PEERS"
        else:
            result = check_commitment(self._store, commitment.request)
            why = self._sent(commitment, result, peer)
            if not why:
                self._conclude(commitment, result)
                return
        state = postpone_commitment(self._store, commitment, why, now=self._clock())
        names = {"requestor": requestor, "transaction_uid": commitment.request.transaction_uid}
        _log.warning("commitment_not_reported", reason=why, state=state.value, **names)

    def _sent(self, commitment: Commitment, result: CommitmentResult, peer: Peer) -> str:
        """Return why the report was not taken, empty if it was."""
        entity = AE(ae_title=commitment.request.called)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = _CONNECT_SECONDS
        entity.add_requested_context(SOP_CLASS, SYNTAXES)
        tls = self._settings.tls
        secured = (tls.client_context(), peer.host) if peer.secured and tls is not None else None
        if peer.secured and secured is None:
            return "its address asks for TLS: set OVERREAD_DICOM_TLS_CERTIFICATE and OVERREAD_DICOM_TLS_KEY"
        association = entity.associate(
            peer.host,
            peer.port,
            ae_title=commitment.request.requestor,
            ext_neg=[build_role(SOP_CLASS, scp_role=True)],  # PS3.4 section J.3.2: we stay the provider
            tls_args=secured,
        )
        if not association.is_established:
            return f"no association with {peer.host}:{peer.port}"
        try:
            event_type, information = report_of(commitment.request, result)
            answer, _ = association.send_n_event_report(information, event_type, SOP_CLASS, SOP_INSTANCE)
        except ValueError:
            return "it does not accept reports of storage commitment"
        finally:
            association.release()
        return "" if answer.get("Status") == SUCCESS else f"it answered {_status(answer)}"

    def _conclude(self, commitment: Commitment, result: CommitmentResult) -> None:
        conclude_commitment(self._store, commitment, result, now=self._clock())
        _log.info(
            "commitment_reported",
            requestor=commitment.request.requestor,
            transaction_uid=commitment.request.transaction_uid,
            kept=len(result.kept),
            failed=len(result.failed),
        )


def _log_failure(error: Exception | None) -> None:
    if isinstance(error, OutOfResourcesError):
        _log.warning("store_unavailable", why=str(error))
    elif error is not None:
        _log.error("failed", reason=type(error).__name__)


def _title(text: object) -> str:
    return str(text).strip()[:16]


def _status(answer: Dataset) -> str:
    return f"with status 0x{answer.Status:04X}" if "Status" in answer else "nothing"
