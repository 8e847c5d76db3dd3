"""Headers that a sender made to hurt, and real ones that are only odd."""

import struct
import tracemalloc
import zlib

import pytest

from models.dicom import INFLATED_BYTES_MAX
from overread.errors import InvalidDicomError
from service.intake.elements import DEPTH_MAX, STEPS_MAX, VALUE_BYTES_MAX, read_elements
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


def test_a_million_empty_items_are_refused() -> None:
    bomb = part10(explicit(0x00081140, "SQ", mark(ITEM) * (STEPS_MAX + 1) + mark(SEQUENCE_END), UNDEFINED))

    with pytest.raises(InvalidDicomError, match="elements"):
        read_elements(bomb, WANTED)


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
