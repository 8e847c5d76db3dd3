"""Scanners: which machine made the images of a study, as their headers say it.

No column holds it: it is read from the images for those who ask, such as an export.
"""

from overread.errors import InputError, NotFoundError
from service.intake.header import InstanceHeader, read_header
from service.store.database import Store
from service.store.sites import kept_objects


def scanner_of(store: Store, study_instance_uid: str) -> str | None:
    """Return manufacturer, model and station of a study's first image that names one of them, in one text.

    None where no image says, where none is kept any more, and of a study without images.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    for sha256 in kept_objects(store, study_instance_uid):
        try:
            header = read_header(store.files.path_of(sha256))
        except (InputError, NotFoundError, OSError):
            continue
        if header.rows and (name := scanner_name(header)):
            return name
    return None


def scanner_name(header: InstanceHeader) -> str | None:
    """Return what a header says of the machine (PS3.3 C.7.5.1), such as "Acme, DX 100, ROOM2"."""
    said = (header.manufacturer, header.model, header.station)
    return ", ".join(" ".join(part.split()) for part in said if part) or None
