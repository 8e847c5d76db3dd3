"""Headers of DICOM files: read once and within bounds, broken values treated as absent."""

import mmap
import struct
import zlib
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.errors import InvalidDicomError as NotDicomError

from models.elements import open_data_set
from overread.errors import InvalidDicomError

HEADER_BYTES_MAX = 1 << 28  # of all before the pixel data
TEXT_BYTES_MAX = 1 << 20  # of an element that is read as text; a longer one counts as absent
NUMBERS_BYTES_MAX = 1 << 16  # the same for numbers
_META_START = 128 + 4  # preamble and prefix (PS3.10 7.1)

# What pydicom and its plugins raise on broken input; none of them has an error tree of its own.
BROKEN_INPUT = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def is_dicom(path: Path) -> bool:
    """Whether the file carries the prefix of PS3.10 7.1."""
    try:
        with path.open("rb") as file:
            return file.read(_META_START)[128:] == b"DICM"
    except OSError:
        return False


def read_header(path: Path) -> Dataset:
    """Return the data set without its pixel data.

    Raises:
        InvalidDicomError: the file is not DICOM Part 10 or is cut off within the header, or the header has
            more items, elements or bytes than any real one (`models.elements`).
    """
    try:
        _refuse_bomb(path)
        header = dcmread(path, stop_before_pixels=True)
    except NotDicomError as error:
        raise InvalidDicomError(
            f"{path.name} is not a DICOM file: it lacks the prefix of PS3.10 7.1"
        ) from error
    except BROKEN_INPUT as error:
        raise InvalidDicomError(
            f"{path.name} cannot be read as DICOM, send it again ({type(error).__name__})"
        ) from error
    if "TransferSyntaxUID" not in header.file_meta:
        raise InvalidDicomError(
            f"{path.name} does not state its transfer syntax; send it again as PS3.10 7.1 asks"
        )
    return header


def text(header: Dataset, keyword: str) -> str:
    """Return a value as text, several joined by a backslash; empty where it is absent or broken."""
    with suppress(*BROKEN_INPUT):
        return "\\".join(str(part) for part in _parts(_value(header, keyword, TEXT_BYTES_MAX))).strip()
    return ""


def numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the values as numbers; empty where they are absent or broken."""
    with suppress(*BROKEN_INPUT):
        values = tuple(float(part) for part in _parts(_value(header, keyword, NUMBERS_BYTES_MAX)))
        return values if all(map(isfinite, values)) else ()
    return ()


def whole_number(header: Dataset, keyword: str, default: int) -> int:
    """Return the first value as a whole number; the default where it is absent or broken."""
    with suppress(*BROKEN_INPUT):
        return int(numbers(header, keyword)[0])
    return default


def pixel_spacing_mm(header: Dataset) -> tuple[float, float] | None:
    """Return the distance of rows and of columns in mm, or None where the header does not tell or says zero.

    Pixel Spacing (PS3.3 10.7.1.1) comes first: on a radiograph it may be calibrated to the patient.
    Imager Pixel Spacing is measured at the detector, where the patient's shadow is larger than the patient.
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        values = numbers(header, keyword)
        if len(values) == 2 and min(values) > 0 and max(values) < 100:
            return values[0], values[1]
    return None


def _value(header: Dataset, keyword: str, bytes_max: int) -> Any:
    """Return a value; None where it is absent or longer: pydicom builds an object of every part of it."""
    tag = tag_for_keyword(keyword)
    stored: object = None if tag is None else header.get_item(tag)  # not what pydicom says, if it is raw
    if isinstance(stored, RawDataElement) and len(stored.value or b"") > bytes_max:
        return None
    return header.get(keyword)


def _parts(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    # pydicom's MultiValue is a sequence but not a list.
    return tuple(value) if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else (value,)


def _refuse_bomb(path: Path) -> None:
    """Walk over the header first: pydicom builds an object of every item, and inflates a file whole."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if mapped[128:_META_START] != b"DICM":
            return  # pydicom says what it is
        try:
            data_set = open_data_set(mapped)
            header_bytes = data_set.walk().pass_header(data_set.start) - data_set.start
        except InvalidDicomError as error:
            raise InvalidDicomError(f"{path.name}: {error}") from None
    if header_bytes > HEADER_BYTES_MAX:
        raise InvalidDicomError(f"{path.name} has a header of more than {HEADER_BYTES_MAX} bytes")
