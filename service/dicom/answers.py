"""Takes what a destination says of results that it was asked to keep (PS3.4 section J.3.3, as its user)."""

from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import cast

import structlog
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from overread.errors import InputError, OutOfResourcesError
from service.dicom.commitment import SOP_INSTANCE, read_report
from service.dicom.status import SUCCESS
from service.store.database import Store
from service.store.outbox import Commitment, note_commitment

# PS3.7 annex C
_NO_SUCH_INSTANCE, _INVALID_ARGUMENT, _RESOURCE_LIMITATION = 0x0112, 0x0115, 0x0213

_log = structlog.get_logger("overread.dicom")


class CommitmentAnswers:
    """Notes reports of storage commitment in the outbox."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Note one report (N-EVENT-REPORT), and return the status of its answer.

        A transaction that is not ours, or is forgotten, is taken all the same: nothing would come of asking
        for it again.
        """
        request = cast(N_EVENT_REPORT, event.request)
        if request.AffectedSOPInstanceUID != SOP_INSTANCE:
            return _NO_SUCH_INSTANCE, None
        try:
            report = read_report(request.EventInformation or BytesIO(), event.context.transfer_syntax)
            answers = dict.fromkeys(report.kept, Commitment.KEPT)
            answers |= dict.fromkeys(report.failed, Commitment.REFUSED)
            known = note_commitment(self._store, report.transaction_uid, answers, now=self._clock())
        except InputError:
            return _INVALID_ARGUMENT, None
        except OutOfResourcesError:
            return _RESOURCE_LIMITATION, None
        _log.info("commitment_answered", kept=len(report.kept), failed=len(report.failed), known=known)
        return SUCCESS, None
