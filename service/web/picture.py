"""Size of an image: as recorded at its arrival, else from its header."""

from collections.abc import Iterable
from pathlib import Path

from overread.errors import InvalidDicomError, NotFoundError, OutOfResourcesError, UndecodablePixelsError
from service.intake.header import read_header
from service.store.database import Store
from service.store.instances import note_image_size
from service.store.records import InstanceRecord
from service.web.picture_size import PictureSize


def sizes_of(store: Store, instances: Iterable[InstanceRecord]) -> dict[str, PictureSize]:
    """Return the size of each instance that is an image and whose bytes are kept, by SOP Instance UID.

    The file is read only of an instance whose size was not recorded at its arrival; then it is recorded.
    """
    found = {}
    for instance in instances:
        size = _size_of(store, instance) if instance.removal is None else None
        if size is not None:
            found[instance.sop_instance_uid] = size
    return found


def _size_of(store: Store, instance: InstanceRecord) -> PictureSize | None:
    if instance.rows is not None and instance.columns is not None:
        both = instance.rows > 0 and instance.columns > 0
        return PictureSize(columns=instance.columns, rows=instance.rows) if both else None
    try:
        size = measure(instance.path)
    except UndecodablePixelsError:
        note_image_size(store, instance.sop_instance_uid, rows=0, columns=0)
        return None
    except (NotFoundError, OutOfResourcesError):
        return None
    note_image_size(store, instance.sop_instance_uid, rows=size.rows, columns=size.columns)
    return size


def measure(path: Path) -> PictureSize:
    """Return the size of the image in a DICOM file.

    Raises:
        UndecodablePixelsError: the object is no image.
    """
    try:
        header = read_header(path)
    except (OSError, InvalidDicomError) as error:
        raise UndecodablePixelsError("the stored object cannot be read as DICOM") from error
    if not header.rows or not header.columns:
        raise UndecodablePixelsError("the object holds no image")
    return PictureSize(columns=header.columns, rows=header.rows)
