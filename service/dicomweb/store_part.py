"""One part of a STOW-RS body on its way into the store."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog

from overread.errors import ContradictionError, InputError, NotFoundError, OutOfResourcesError
from service.dicomweb.store_reply import PartOutcome
from service.intake.header import InstanceHeader, read_header
from service.intake.instances import begin_instance, receive_instance
from service.store.files import IncomingFile
from service.web.context import ServerContext
from service.web.errors import (
    CANNOT_UNDERSTAND,
    INVALID_ATTRIBUTE_VALUE,
    OUT_OF_RESOURCES,
    failure_reason_of,
)
from service.web.multipart import FramingError, PartReceiver, parse_content_type

DICOM = "application/dicom"

_log = structlog.get_logger("overread.stow")


class TooManyPartsError(FramingError):
    """One request brings more parts than are taken; those before are kept."""


class PartsReceiver:
    """Receives the parts of one request, and keeps each in a thread of its own while the next one comes.

    One part is kept at a time, so that no more than two are in memory or on their way to the disk.
    """

    def __init__(
        self, context: ServerContext, *, study_instance_uid: str | None, source: str, parts_max: int
    ) -> None:
        self._context = context
        self._parts_max = parts_max
        self._study_instance_uid = study_instance_uid
        self._source = source
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="stow-part")
        self._outcomes: list[Future[PartOutcome]] = []

    def open_part(self, headers: dict[str, str]) -> PartReceiver:
        """Return the receiver of a part with these headers; a part without Content-Type is taken as DICOM.

        Raises:
            TooManyPartsError: it is one more than a request may bring; the sender should send it again.
        """
        if len(self._outcomes) >= self._parts_max:
            self.note(PartOutcome(failure_reason=OUT_OF_RESOURCES))
            raise TooManyPartsError(
                f"only the first {self._parts_max} parts of a request are taken; send the others again, in "
                "further requests"
            )
        media_type = parse_content_type(headers.get("content-type", DICOM)).media_type
        if media_type != DICOM:
            return _RefusedPart(self, PartOutcome(failure_reason=CANNOT_UNDERSTAND, unsupported_type=True))
        try:
            return _DicomPart(self, begin_instance(self._context.store))
        except OutOfResourcesError as error:
            return _RefusedPart(self, PartOutcome(failure_reason=failure_reason_of(error)))

    def note(self, outcome: PartOutcome) -> None:
        """Note what became of a part that is not kept."""
        self._outcomes.append(self._keeper.submit(lambda: outcome))

    def keep(self, incoming: IncomingFile) -> None:
        """Hand a complete object to the store, once the one before it has been kept or refused."""
        wait(self._outcomes[-1:])
        self._outcomes.append(self._keeper.submit(self._kept, incoming))

    def close(self) -> list[PartOutcome]:
        """Return, in order, what became of each part, once the last one has been kept or refused."""
        self._keeper.shutdown()
        return [outcome.result() for outcome in self._outcomes]

    def _kept(self, incoming: IncomingFile) -> PartOutcome:
        with incoming:
            return self._receive(incoming)

    def _receive(self, incoming: IncomingFile) -> PartOutcome:
        """Keep a complete object, or refuse it with its reason."""
        store = self._context.store
        try:
            if self._study_instance_uid is not None:
                header = read_header(incoming.path)
                if header.study_instance_uid != self._study_instance_uid:
                    return _failure(header, INVALID_ATTRIBUTE_VALUE)
            receipt = receive_instance(store, incoming, source=self._source, now=self._context.clock())
        except ContradictionError as error:
            return _failure(_header_in_quarantine(self._context, incoming), failure_reason_of(error))
        except (InputError, OutOfResourcesError) as error:
            return PartOutcome(failure_reason=failure_reason_of(error))
        return PartOutcome(
            sop_class_uid=receipt.header.sop_class_uid,
            sop_instance_uid=receipt.header.sop_instance_uid,
            study_instance_uid=receipt.header.study_instance_uid,
            series_instance_uid=receipt.header.series_instance_uid,
        )


class _RefusedPart:
    """A part that is not stored; its bytes are read past."""

    def __init__(self, parts: PartsReceiver, outcome: PartOutcome) -> None:
        self._parts = parts
        self._outcome = outcome

    def write(self, data: bytes) -> None:
        """Read past the bytes."""

    def finish(self) -> None:
        """Note why it was refused."""
        self._parts.note(self._outcome)

    def discard(self, reason: FramingError | None) -> None:
        """Note why it was refused; that it broke off as well changes nothing."""
        if reason is not None:
            self.finish()


class _DicomPart:
    """A part that is written to disk as it comes."""

    def __init__(self, parts: PartsReceiver, incoming: IncomingFile) -> None:
        self._parts = parts
        self._incoming = incoming
        self._failure: PartOutcome | None = None

    def write(self, data: bytes) -> None:
        """Append the bytes; after an error the rest is read past, so that later parts can still be stored."""
        if self._failure is not None:
            return
        try:
            self._incoming.write(data)
        except (InputError, OutOfResourcesError) as error:
            _log.warning("stow_refused", reason=str(error))
            self._failure = PartOutcome(failure_reason=failure_reason_of(error))
            self._incoming.close()

    def finish(self) -> None:
        """Hand the object to the store."""
        if self._failure is None:
            self._parts.keep(self._incoming)
        else:
            self._parts.note(self._failure)

    def discard(self, reason: FramingError | None) -> None:
        """Remove what was written of an object that will never be complete."""
        self._incoming.close()
        if reason is not None:
            self._parts.note(PartOutcome(failure_reason=CANNOT_UNDERSTAND))


def _failure(header: InstanceHeader | None, reason: int) -> PartOutcome:
    if header is None:
        return PartOutcome(failure_reason=reason)
    return PartOutcome(
        sop_class_uid=header.sop_class_uid, sop_instance_uid=header.sop_instance_uid, failure_reason=reason
    )


def _header_in_quarantine(context: ServerContext, incoming: IncomingFile) -> InstanceHeader | None:
    try:
        return read_header(context.store.files.quarantine_path_of(incoming.sha256))
    except (InputError, NotFoundError, OutOfResourcesError, OSError):
        return None
