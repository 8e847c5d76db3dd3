"""Repairs of `overread fsck --repair`: nothing that was received is thrown away.

Bytes without a row go through the intake as if they came now; bytes that are not what their name says go to
quarantine, with the reason. A row whose bytes are gone can be repaired by its sender alone.
"""

from dataclasses import replace
from datetime import datetime

from overread.errors import InputError, NotFoundError
from service.intake.instances import begin_instance, receive_instance
from service.maintenance.inventory import Fault, Irregularity, hash_of, shelf_of
from service.store.database import Store
from service.store.files import IncomingFile
from service.store.object_rows import Place
from service.store.records import QuarantineKind
from service.store.refusals import Refusal, refuse
from service.store.removal import drop_refused, drop_removed

SOURCE = "overread fsck"
_CHUNK_BYTES = 1 << 20
_SEND_AGAIN = "send the study again"


def repair(store: Store, found: Irregularity, *, now: datetime) -> Irregularity:
    """Return the irregularity with what was done about it.

    Raises:
        OutOfResourcesError: the store is not available or full; what is there stays as it is.
    """
    try:
        if found.fault is Fault.ORPHAN:
            return _adopt(store, found, now)
        if found.fault is Fault.DAMAGED:
            return _set_aside(store, found, now)
        if found.fault is Fault.LEFT_OVER:
            return _drop(store, found)
    except NotFoundError:
        return replace(found, repair="it is gone in the meantime", repaired=True)
    return replace(found, repair=_SEND_AGAIN if found.fault is Fault.MISSING else None)


def _adopt(store: Store, found: Irregularity, now: datetime) -> Irregularity:
    """Take bytes that no row mentions through the intake, or record them as refused."""
    shelf = shelf_of(store, found.place)
    if hash_of(shelf, found.sha256) != found.sha256:
        return _set_aside(store, found, now)
    with begin_instance(store) as incoming:
        is_dicom = _copy(store, found, incoming)
        if found.place is Place.QUARANTINE:
            refusal = _refusal(found, now, is_dicom=is_dicom, detail="no row mentioned it")
            refuse(store, incoming, refusal, has_sender=False)
            return replace(found, repair="recorded in quarantine", repaired=True)
        try:
            receipt = receive_instance(store, incoming, source=SOURCE, now=now)
        except InputError as error:
            shelf.remove(found.sha256)
            return replace(found, repair=f"moved to quarantine: {error}", repaired=True)
    if receipt.sha256 != found.sha256:  # the same data set under other file meta information
        shelf.remove(found.sha256)
    return replace(
        found,
        study_instance_uid=receipt.header.study_instance_uid,
        sop_instance_uid=receipt.header.sop_instance_uid,
        repair=f"received: {receipt.outcome}",
        repaired=True,
    )


def _set_aside(store: Store, found: Irregularity, now: datetime) -> Irregularity:
    """Move bytes that are not what their name says into quarantine, under the hash that they have."""
    with begin_instance(store) as incoming:
        is_dicom = _copy(store, found, incoming)
        if incoming.sha256 == found.sha256:
            return replace(found, repair="it is whole again", repaired=True)
        detail = f"object {found.sha256} was damaged where it was kept"
        refusal = _refusal(found, now, is_dicom=is_dicom, detail=detail)
        refuse(store, incoming, refusal, has_sender=False)
    shelf_of(store, found.place).remove(found.sha256)
    done = "moved to quarantine"
    if found.sop_instance_uid is not None or found.place is Place.QUARANTINE:
        done += f"; {_SEND_AGAIN}"
    # Where a row needs the bytes as they were, they are still missing.
    return replace(found, repair=done, repaired=found.fault is Fault.ORPHAN)


def _drop(store: Store, found: Irregularity) -> Irregularity:
    """Remove what retention had decided to remove."""
    if found.place is Place.OBJECTS and found.sop_instance_uid is not None:
        drop_removed(store, found.sop_instance_uid)
    else:
        drop_refused(store, found.sha256)
    return replace(found, repair="removed, as its row says", repaired=True)


def _copy(store: Store, found: Irregularity, incoming: IncomingFile) -> bool:
    """Copy the bytes of an object into a file, and return whether they are a DICOM file (PS3.10, 7.1)."""
    head = b""
    with shelf_of(store, found.place).reading(found.sha256) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            head = head or chunk[:132]
            incoming.write(chunk)
    return head[128:] == b"DICM"


def _refusal(found: Irregularity, now: datetime, *, is_dicom: bool, detail: str) -> Refusal:
    return Refusal(
        kind=QuarantineKind.INSTANCE if is_dicom or found.place is Place.OBJECTS else QuarantineKind.REPORT,
        reason="UNRECORDED" if found.fault is Fault.ORPHAN else "DAMAGED",
        detail=detail,
        source=SOURCE,
        received_at=now,
        study_instance_uid=found.study_instance_uid,
        sop_instance_uid=found.sop_instance_uid,
    )
