"""The size of images whose rows were written before it was recorded with each of them."""

from sqlalchemy import bindparam, update

from service.store.database import Store
from service.store.schema import instances

_NOTE = (
    update(instances)
    .where(instances.c.sop_instance_uid == bindparam("measured"), instances.c.rows.is_(None))
    .values(rows=bindparam("new_rows"), columns=bindparam("new_columns"))
)


def note_image_size(store: Store, sop_instance_uid: str, *, rows: int, columns: int) -> None:
    """Record how large an image is, unless it is recorded already; 0 rows say that it is no image."""
    bound = {"measured": sop_instance_uid, "new_rows": rows, "new_columns": columns}
    with store.writing(durable=False) as connection:
        connection.execute(_NOTE, bound)
