"""Instances, each a stored object."""

from service.store import queries
from service.store.database import Store, Transaction
from service.store.files import ObjectFiles
from service.store.records import InstanceRecord
from service.store.rows import instance_of


def find_instance(
    transaction: Transaction, sop_instance_uid: str, files: ObjectFiles
) -> InstanceRecord | None:
    """Return one instance, whose bytes are among these files; None where it has not been recorded."""
    row = transaction.execute(queries.INSTANCE, {"sop_instance_uid": sop_instance_uid}).one_or_none()
    return None if row is None else instance_of(row, files)


def add_instance(transaction: Transaction, **columns: object) -> None:
    """Record an instance whose bytes are kept already."""
    transaction.execute(queries.ADD_INSTANCE, columns)


def note_image_size(store: Store, sop_instance_uid: str, *, rows: int, columns: int) -> None:
    """Record how large an image is that arrived before this was recorded; 0 rows: it is no image."""
    bound = {"measured": sop_instance_uid, "new_rows": rows, "new_columns": columns}
    with store.writing(durable=False) as transaction:
        transaction.execute(queries.NOTE_IMAGE_SIZE, bound)
