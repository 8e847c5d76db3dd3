"""Small objects that make a decoder take memory without end, or crash."""

import io
import struct

from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from tests.service.material import dicom_bytes

_LEVELS = 5  # of wavelets
_EMPTY_PACKETS = bytes(64)  # a bit of 0 says that nothing follows (ISO/IEC 15444-1 B.10)


def jpeg_2000(rows: int, columns: int, *, components: int = 1) -> bytes:
    """A codestream of nothing but its beginning (ISO/IEC 15444-1 annex A): an image that is all black."""
    size = struct.pack(">H8I", 0, columns, rows, 0, 0, columns, rows, 0, 0)
    size += struct.pack(">H", components) + b"\x0f\x01\x01" * components  # 16 bits each
    style = struct.pack(">BBHB", 0, 0, 1, 0) + bytes((_LEVELS, 4, 4, 0, 1))
    steps = b"\x40" + bytes(8 * (16 + band) for band in (0, *(1, 1, 2) * _LEVELS))
    tile = struct.pack(">HIBB", 0, 0, 0, 1)  # of a length that is not stated: up to the end
    marked = ((b"\xff\x51", size), (b"\xff\x52", style), (b"\xff\x5c", steps), (b"\xff\x90", tile))
    segments = b"".join(mark + struct.pack(">H", len(value) + 2) + value for mark, value in marked)
    return b"\xff\x4f" + segments + b"\xff\x93" + _EMPTY_PACKETS + b"\xff\xd9"


def jpeg_2000_object(rows: int, columns: int, *, components: int = 1, number: int = 1) -> bytes:
    """A radiograph of that many pixels in such a codestream."""
    grey = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    sizes = {"Rows": rows, "Columns": columns}
    dataset = dcmread(io.BytesIO(dicom_bytes(number=number, PixelData=b"\0\0", **grey, **sizes)))
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([jpeg_2000(rows, columns, components=components)])
    dataset["PixelData"].VR = "OB"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


HUGE = {"rows": 16384, "columns": 16384}
"""As large as a header may promise: it takes 6 GB to draw."""
MANY_COMPONENTS = {"rows": 2000, "columns": 2000, "components": 300}
"""What the header does not say: 300 images of that size are decoded before the decoder ends its process."""
