"""Headers that a sender made to hurt are refused before a library builds anything of them."""

import struct
import zlib

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from models.dicom import HEADER_BYTES_MAX, NUMBERS_BYTES_MAX, TEXT_BYTES_MAX, numbers, read_header, text
from models.elements import ITEMS_MAX
from overread.errors import InvalidDicomError
from tests.models.radiographs import ramp, write_radiograph

ITEM, SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, element, 0) for element in (0xE000, 0xE0DD))
UNDEFINED = 0xFFFFFFFF


@pytest.mark.parametrize("stated", [False, True], ids=["marked", "stated"])
@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
def test_a_header_of_too_many_items_is_not_read(tmp_path, stated, deflated) -> None:
    items = ITEM * (ITEMS_MAX + 1) + (b"" if stated else SEQUENCE_END)
    sequence = struct.pack("<HH2sHL", 0x0028, 0x3000, b"SQ", 0, len(items) if stated else UNDEFINED) + items
    syntax = (b"1.2.840.10008.1.2.1" + (b".99" if deflated else b"")).ljust(22, b"\0")
    meta = struct.pack("<HH2sH", 0x0002, 0x0010, b"UI", len(syntax)) + syntax
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data_set = deflater.compress(sequence) + deflater.flush() if deflated else sequence
    path = tmp_path / "bomb.dcm"
    path.write_bytes(bytes(128) + b"DICM" + meta + data_set)

    with pytest.raises(InvalidDicomError, match=rf"bomb.dcm: .* more than {ITEMS_MAX} items"):
        read_header(path)


def test_a_header_of_too_many_bytes_is_not_read(tmp_path) -> None:
    path = tmp_path / "large.dcm"
    content = write_radiograph(path, ramp()).read_bytes()
    with path.open("wb") as file:
        file.write(content[: content.rindex(struct.pack("<HH", 0x7FE0, 0x0010))])
        file.write(struct.pack("<HH2sHL", 0x0029, 0x1010, b"OB", 0, HEADER_BYTES_MAX))
        file.truncate(file.tell() + HEADER_BYTES_MAX)  # a hole, which takes no room on the disk

    with pytest.raises(InvalidDicomError, match=f"more than {HEADER_BYTES_MAX} bytes"):
        read_header(path)


@pytest.mark.parametrize("longer", [0, 2], ids=["longest", "too long"])
def test_a_value_that_is_far_too_long_counts_as_absent(tmp_path, longer) -> None:
    path = write_radiograph(
        tmp_path / "long.dcm",
        ramp(),
        TransferSyntaxUID=ImplicitVRLittleEndian,  # lengths of four bytes
        AcquisitionDeviceProcessingDescription="x" * (TEXT_BYTES_MAX + longer),
        WindowCenter=["1"] * ((NUMBERS_BYTES_MAX + longer) // 2),
    )

    header = read_header(path)

    assert len(text(header, "AcquisitionDeviceProcessingDescription")) == (0 if longer else TEXT_BYTES_MAX)
    assert len(numbers(header, "WindowCenter")) == (0 if longer else NUMBERS_BYTES_MAX // 2)
    assert numbers(header, "Rows") == (float(ramp().shape[0]),)
