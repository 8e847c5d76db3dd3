"""Headers that a sender made to hurt, and real ones that are only odd."""

import struct
import tracemalloc
import zlib

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from models.elements import (
    DEPTH_MAX,
    INFLATED_BYTES_MAX,
    ITEMS_MAX,
    STEPS_MAX,
    VALUE_BYTES_MAX,
    open_data_set,
    read_elements,
)
from overread.errors import InvalidDicomError
from tests.service.material import dicom_bytes

PATIENT_ID, STUDY_UID = 0x00100020, 0x0020000D
WANTED = (PATIENT_ID, STUDY_UID)
ITEM, ITEM_END, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
UNDEFINED = 0xFFFFFFFF
EXPLICIT, IMPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99"))


def explicit(tag: int, representation: str, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, representation.encode())
    if representation in {"OB", "OW", "SQ", "UN", "UT"}:
        return head + struct.pack("<HL", 0, size) + value
    return head + struct.pack("<H", size) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, size) + value


def mark(tag: tuple[int, int], length: int = 0) -> bytes:
    return struct.pack("<HHL", *tag, length)


def part10(data_set: bytes, syntax: str = EXPLICIT) -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    return bytes(128) + b"DICM" + explicit(0x00020010, "UI", uid) + data_set


PATIENT = explicit(PATIENT_ID, "LO", b"P1")


def test_only_the_wanted_values_are_kept() -> None:
    elements = read_elements(dicom_bytes(PatientName="Doe^Jane"), WANTED)

    assert set(elements.values) == set(WANTED)
    assert elements.values[PATIENT_ID] == b"P1"
    assert elements.has_pixels


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_what_lies_behind_a_sequence_of_any_form_is_found(syntax: str) -> None:
    make = implicit if syntax == IMPLICIT else lambda tag, *value: explicit(tag, "SQ", *value)
    inner = make(0x00081199, mark(ITEM, UNDEFINED) + mark(ITEM_END) + mark(SEQUENCE_END), UNDEFINED)
    items = mark(ITEM, 0) + mark(ITEM, len(inner)) + inner + mark(ITEM, UNDEFINED) + inner + mark(ITEM_END)
    sequence = make(0x00081140, items + mark(SEQUENCE_END), UNDEFINED) + make(0x00081150, items)
    patient = implicit(PATIENT_ID, b"P1") if syntax == IMPLICIT else PATIENT

    assert read_elements(part10(sequence + patient, syntax), WANTED).values == {PATIENT_ID: b"P1"}


def test_private_elements_and_unknown_sequences_are_passed_over() -> None:
    private = explicit(0x00090010, "LO", b"VENDOR") + explicit(0x00091001, "OB", bytes(range(200)))
    within = mark(ITEM, UNDEFINED) + implicit(0x00091003, b"ab") + mark(ITEM_END) + mark(SEQUENCE_END)
    unknown = explicit(0x00091002, "UN", within, UNDEFINED)  # PS3.5 section 6.2.2: implicit within

    assert read_elements(part10(private + unknown + PATIENT), WANTED).values == {PATIENT_ID: b"P1"}


def test_an_object_that_is_implicit_although_it_declares_otherwise_is_read() -> None:
    assert read_elements(part10(implicit(PATIENT_ID, b"P1"), EXPLICIT), WANTED).values[PATIENT_ID] == b"P1"
    assert read_elements(part10(PATIENT, IMPLICIT), WANTED).values[PATIENT_ID] == b"P1"


@pytest.mark.parametrize("representation", ["OB", "UN", "SQ", "UT"])
@pytest.mark.parametrize("length", [0xFFFFFFFE, 0x7FFFFFFF, 1000])
def test_a_gigantic_length_is_a_truncated_file(representation: str, length: int) -> None:
    with pytest.raises(InvalidDicomError, match="truncated"):
        read_elements(part10(explicit(0x00091001, representation, b"x", length) + PATIENT), WANTED)


def test_a_value_too_long_for_what_it_is_counts_as_absent() -> None:
    endless = explicit(0x00100020, "UT", bytes(VALUE_BYTES_MAX + 2))

    assert read_elements(part10(endless), WANTED).values == {}


def nested(depth: int) -> bytes:
    head = explicit(0x00081140, "SQ", mark(ITEM, UNDEFINED), UNDEFINED)
    return head * depth + (mark(ITEM_END) + mark(SEQUENCE_END)) * depth


def test_sequences_may_be_nested_deep_but_not_without_end() -> None:
    assert read_elements(part10(nested(DEPTH_MAX - 1) + PATIENT), WANTED).values[PATIENT_ID] == b"P1"

    with pytest.raises(InvalidDicomError, match="deep"):
        read_elements(part10(nested(100_000)), WANTED)


EMPTY_ITEMS = mark(ITEM) * (ITEMS_MAX + 1)
MODALITY_LUT, PRIVATE = 0x00283000, 0x00091002


@pytest.mark.parametrize(
    ("syntax", "sequence"),
    [
        (EXPLICIT, explicit(0x00081140, "SQ", EMPTY_ITEMS + mark(SEQUENCE_END), UNDEFINED)),
        (EXPLICIT, explicit(MODALITY_LUT, "SQ", EMPTY_ITEMS)),
        (EXPLICIT, explicit(MODALITY_LUT, "UN", EMPTY_ITEMS)),
        (EXPLICIT, explicit(PRIVATE, "UN", EMPTY_ITEMS)),
        (IMPLICIT, implicit(MODALITY_LUT, EMPTY_ITEMS)),
        (IMPLICIT, implicit(PRIVATE, EMPTY_ITEMS)),
        # pydicom takes any eight bytes for the start of an item.
        (EXPLICIT, explicit(MODALITY_LUT, "SQ", bytes(len(EMPTY_ITEMS)))),
        (IMPLICIT, implicit(MODALITY_LUT, bytes(len(EMPTY_ITEMS)))),
        (
            EXPLICIT,
            explicit(MODALITY_LUT, "SQ", mark(ITEM, len(EMPTY_ITEMS) + 8) + mark(ITEM_END) + EMPTY_ITEMS),
        ),
        (
            EXPLICIT,
            explicit(
                0x00081140,
                "SQ",
                mark(ITEM, len(EMPTY_ITEMS) + 12) + explicit(MODALITY_LUT, "SQ", EMPTY_ITEMS),
            ),
        ),
    ],
    ids=[
        *("marked", "stated", "unknown", "private", "implicit", "implicit private", "zeros"),
        *("implicit zeros", "after a mark", "nested"),
    ],
)
def test_more_items_than_any_object_has_are_refused_however_they_are_wrapped(syntax, sequence) -> None:
    with pytest.raises(InvalidDicomError, match=f"more than {ITEMS_MAX} items"):
        read_elements(part10(sequence, syntax), WANTED)


def test_more_elements_than_any_object_has_are_refused() -> None:
    with pytest.raises(InvalidDicomError, match=f"more than {STEPS_MAX} elements"):
        read_elements(part10(explicit(0x00081030, "LO", b"") * (STEPS_MAX + 1)), WANTED)


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian],
    ids=["implicit", "explicit", "big endian"],
)
@pytest.mark.parametrize("undefined", [True, False], ids=["marked", "stated"])
def test_as_many_items_are_counted_as_pydicom_makes(tmp_path, syntax, undefined) -> None:
    path = tmp_path / "nested.dcm"
    dataset = nested_dataset(levels=3, width=4, undefined=undefined)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "2.25.1"
    dataset.save_as(path, enforce_file_format=True)
    data_set = open_data_set(path.read_bytes())
    made = items_of(dcmread(path))
    assert made == 4 + 16 + 64

    data_set.walk(items_max=made).pass_header(data_set.start)
    with pytest.raises(InvalidDicomError, match="items"):
        data_set.walk(items_max=made - 1).pass_header(data_set.start)


def nested_dataset(*, levels: int, width: int, undefined: bool) -> Dataset:
    dataset = Dataset()
    dataset.PatientID = "P1"
    if levels:
        items = Sequence(
            nested_dataset(levels=levels - 1, width=width, undefined=undefined) for _ in range(width)
        )
        for item in items:
            item.is_undefined_length_sequence_item = undefined
        dataset.ReferencedImageSequence = items
        dataset["ReferencedImageSequence"].is_undefined_length = undefined
    return dataset


def items_of(dataset: Dataset) -> int:
    return sum(1 + items_of(item) for element in dataset if element.VR == "SQ" for item in element.value)


@pytest.mark.parametrize(
    "odd",
    [
        explicit(PRIVATE, "UN", mark(ITEM, 20) + explicit(0x00080060, "CS", b"DX") + bytes(10)),
        explicit(PRIVATE, "UN", mark(ITEM, 0x7FFFFFFF) + b"\xff" * 5_000_000),
        explicit(MODALITY_LUT, "SQ", mark(ITEM, 1000) + bytes(64)),
        explicit(MODALITY_LUT, "SQ", mark(ITEM) + mark(SEQUENCE_END)),
        explicit(MODALITY_LUT, "SQ", mark(ITEM, 8) + mark(ITEM_END)),
        explicit(MODALITY_LUT, "SQ", mark(ITEM) + b"\0"),
        explicit(0x00091001, "OB", EMPTY_ITEMS),
    ],
    ids=["explicit in unknown", "blob", "overrun", "end mark", "end of item", "padding", "bytes"],
)
def test_damage_within_a_stated_length_is_passed_over(odd: bytes) -> None:
    assert read_elements(part10(odd + PATIENT), WANTED).values[PATIENT_ID] == b"P1"


def test_fragments_within_a_sequence_are_no_items() -> None:
    fragments = mark(ITEM) + mark(ITEM, 4) + b"\xff\xd8\xff\xd9" + mark(SEQUENCE_END)
    icon = explicit(0x7FE00010, "OB", fragments, UNDEFINED)
    sequence = explicit(0x00880200, "SQ", mark(ITEM, len(icon)) + icon)

    assert read_elements(part10(sequence + PATIENT), WANTED).values[PATIENT_ID] == b"P1"


@pytest.mark.parametrize(
    "sequence",
    [
        mark(ITEM, UNDEFINED),
        mark(ITEM, UNDEFINED) + mark(ITEM_END),
        mark(ITEM, 1000),
        explicit(0x00080060, "CS", b"DX"),
        mark(ITEM, UNDEFINED) + explicit(0x00080060, "CS", b"DX", 900),
    ],
)
def test_a_sequence_without_its_end_is_refused(sequence: bytes) -> None:
    with pytest.raises(InvalidDicomError):
        read_elements(part10(explicit(0x00081140, "SQ", sequence, UNDEFINED)), WANTED)


def deflated(content: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


def test_a_deflated_object_is_read_and_checked_to_its_end() -> None:
    pixels = explicit(0x7FE00010, "OW", bytes(40 << 20))
    whole = part10(deflated(PATIENT + pixels), DEFLATED)
    elements = read_elements(whole, WANTED)
    assert elements.values == {PATIENT_ID: b"P1"}
    assert elements.has_pixels

    for content in (
        whole[:-1],
        whole[:-40],
        whole[:200],
        part10(b"", DEFLATED),
        part10(b"\xff" * 50, DEFLATED),
    ):
        with pytest.raises(InvalidDicomError, match=r"truncated|damaged"):
            read_elements(content, WANTED)
    with pytest.raises(InvalidDicomError, match="truncated"):
        read_elements(part10(deflated((PATIENT + pixels)[:-2]), DEFLATED), WANTED)


def test_a_deflated_bomb_is_refused_in_little_memory() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [deflater.compress(PATIENT)]
    megabyte = bytes(1 << 20)
    pieces += [deflater.compress(megabyte) for _ in range((INFLATED_BYTES_MAX >> 20) + 1)]
    bomb = part10(b"".join(pieces) + deflater.flush(), DEFLATED)
    assert len(bomb) < 2 << 20
    tracemalloc.start()
    with pytest.raises(InvalidDicomError, match="inflates"):
        read_elements(bomb, WANTED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 64 << 20
