"""The Storage Commitment Push Model (PS3.4 annex J): its request and its report as data sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from models.dicom import BROKEN_INPUT
from overread.errors import InputError, OutOfResourcesError
from service.store.commitments import CommitmentRequest, CommitmentResult, ReferencedInstance

SOP_CLASS = UID(StorageCommitmentPushModel)
SOP_INSTANCE = UID("1.2.840.10008.1.20.1.1")  # the one, well-known instance, PS3.4 section J.3.5
REQUEST_ACTION = 1  # Request Storage Commitment, PS3.4 table J.3-1
ALL_KEPT, SOME_FAILED = 1, 2  # event types, PS3.4 table J.3-2
INSTANCES_MAX = 10_000
_UID_MAX = 64
_ITEM = b"\xfe\xff\x00\xe0"


def read_request(information: BytesIO, syntax: UID, *, requestor: str, called: str) -> CommitmentRequest:
    """Return what the action information of a request asks (PS3.4 table J.3-1).

    Raises:
        OutOfResourcesError: it names more objects than are answered for at once.
        InputError: it is malformed, names no transaction, or no objects.
    """
    if information.getvalue().count(_ITEM) > INSTANCES_MAX:  # before anything is built of them
        raise OutOfResourcesError(f"more than {INSTANCES_MAX} objects; ask in several transactions")
    try:
        asked = decode(information, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        transaction = str(asked.TransactionUID)
        instances = tuple(
            ReferencedInstance(
                sop_class_uid=str(item.ReferencedSOPClassUID),
                sop_instance_uid=str(item.ReferencedSOPInstanceUID),
            )
            for item in asked.ReferencedSOPSequence
        )
    except BROKEN_INPUT as error:
        raise InputError("the action information cannot be read (PS3.4 table J.3-1)") from error
    uids = [transaction, *(uid for item in instances for uid in (item.sop_class_uid, item.sop_instance_uid))]
    if not instances or not all(_is_uid(uid) for uid in uids):
        raise InputError("a Transaction UID and objects, each by class and instance, are needed")
    return CommitmentRequest(
        transaction_uid=transaction, requestor=requestor, called=called, instances=instances
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentReport:
    """What another application entity says of objects that it was asked to keep."""

    transaction_uid: str
    kept: tuple[str, ...]  # SOP Instance UIDs
    failed: tuple[str, ...]


def read_report(information: BytesIO, syntax: UID) -> CommitmentReport:
    """Return what the event information of a report says (PS3.4 table J.3-2).

    Raises:
        InputError: it is malformed, names no transaction, or too many objects.
    """
    if information.getvalue().count(_ITEM) > INSTANCES_MAX:
        raise InputError(f"a report on more than {INSTANCES_MAX} objects")
    try:
        said = decode(information, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        return CommitmentReport(
            transaction_uid=str(said.TransactionUID),
            kept=_instances_of(said, "ReferencedSOPSequence"),
            failed=_instances_of(said, "FailedSOPSequence"),
        )
    except BROKEN_INPUT as error:
        raise InputError("the event information cannot be read (PS3.4 table J.3-2)") from error


def request_of(transaction_uid: str, instances: Iterable[ReferencedInstance]) -> Dataset:
    """Return the action information of a request (PS3.4 table J.3-1)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_item(instance) for instance in instances]
    return information


def _instances_of(said: Dataset, keyword: str) -> tuple[str, ...]:
    return tuple(str(item.ReferencedSOPInstanceUID) for item in said.get(keyword) or ())


def report_of(request: CommitmentRequest, result: CommitmentResult) -> tuple[int, Dataset]:
    """Return the event type and the event information of a report (PS3.4 table J.3-2)."""
    information = Dataset()
    information.TransactionUID = request.transaction_uid
    if result.kept:
        information.ReferencedSOPSequence = [_item(kept) for kept in result.kept]
    if result.failed:
        information.FailedSOPSequence = [_item(failed, reason) for failed, reason in result.failed]
    return (SOME_FAILED if result.failed else ALL_KEPT), information


def _item(instance: ReferencedInstance, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item


def _is_uid(text: str) -> bool:
    return 0 < len(text) <= _UID_MAX and set(text) <= set("0123456789.")
