"""One object of a C-STORE request on its way to the disk."""

from io import BytesIO

from pydicom.uid import UID
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from overread.errors import InputError, InvalidDicomError, OutOfResourcesError, OverreadError
from service.intake.header import is_uid
from service.intake.instances import AnnouncedInstance, begin_instance
from service.store.database import Store
from service.store.files import IncomingFile

# Part of the file meta information that this listener writes; constant, so that the same object sent twice is
# the same file.
_IMPLEMENTATION_CLASS_UID = UID("2.25.310428093914863361467018530716923347053")
_IMPLEMENTATION_VERSION = "OVERREAD"


class ArrivingObject(BytesIO):
    """Takes the data set that pynetdicom receives, and keeps it in a file instead of in memory.

    The file is a DICOM file (PS3.10): preamble, prefix, the file meta information that the association tells,
    and the data set byte for byte. After an error the rest is read past, so that the sender gets its answer.
    """

    def __init__(self, store: Store, announced: AnnouncedInstance, transfer_syntax: UID) -> None:
        super().__init__()
        self.announced = announced
        self.failure: OverreadError | None = None
        self.incoming: IncomingFile | None = None
        try:
            for keyword, uid in (
                ("Affected SOP Class UID", announced.sop_class_uid),
                ("Affected SOP Instance UID", announced.sop_instance_uid),
            ):
                if not is_uid(uid):
                    raise InvalidDicomError(f"the request names no {keyword}")
            self.incoming = begin_instance(store)
        except (InputError, OutOfResourcesError) as error:
            self.failure = error
            return
        meta = create_file_meta(
            sop_class_uid=UID(announced.sop_class_uid),
            sop_instance_uid=UID(announced.sop_instance_uid),
            transfer_syntax=transfer_syntax,
            implementation_uid=_IMPLEMENTATION_CLASS_UID,
            implementation_version=_IMPLEMENTATION_VERSION,
        )
        self.write(bytes(128) + b"DICM" + encode_file_meta(meta))

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Append to the file."""
        if self.incoming is not None and self.failure is None:
            try:
                self.incoming.write(data)
            except (InputError, OutOfResourcesError) as error:
                self.failure = error
                self.discard()
        return len(data)

    def discard(self) -> None:
        """Remove what was written, if it was not kept; may be called at any time, again and again."""
        if self.incoming is not None:
            self.incoming.close()
            self.incoming = None
