from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from overread.errors import InvalidDicomError
from service.intake.header import read_header
from tests.service.material import dicom_bytes


@pytest.fixture
def header_of(tmp_path):
    def read(content: bytes):
        path = tmp_path / "object"
        path.write_bytes(content)
        return read_header(path)

    return read


def test_a_header_says_what_the_object_says(header_of) -> None:
    header = header_of(
        dicom_bytes(PatientAge="018M", PatientSex="F", StudyDate="20260102", StudyDescription="Chest PA ")
    )

    assert header.sop_instance_uid == "2.25.1.1.1"
    assert header.study_instance_uid == "2.25.1"
    assert header.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert (header.patient_id, header.accession_number) == ("P1", "A1")
    assert header.patient_age_years == 1.5
    assert (header.patient_sex, header.study_date, header.description) == ("F", "20260102", "Chest PA")


@pytest.mark.parametrize(
    ("age", "years"),
    [("000Y", 0.0), ("045Y", 45.0), ("052W", 0.997), ("45", None), ("", None), ("X45Y", None)],
)
def test_an_age_is_read_or_left_out(header_of, age, years) -> None:
    expected = None if years is None else pytest.approx(years, abs=0.001)

    assert header_of(dicom_bytes(PatientAge=age)).patient_age_years == expected


def test_text_is_read_in_the_character_set_that_the_object_declares(header_of) -> None:
    for charset in ("ISO_IR 192", "ISO_IR 100"):
        content = dicom_bytes(SpecificCharacterSet=charset, StudyDescription="Röntgen Thorax")
        assert header_of(content).description == "Röntgen Thorax"


def test_a_long_uid_is_refused_and_never_shortened_to_that_of_another_study(header_of) -> None:
    longest = "2.25." + "1" * 59

    assert header_of(dicom_bytes(StudyInstanceUID=longest)).study_instance_uid == longest
    for longer in (longest + "1", longest + "2", longest + "." + "1" * 200):
        with pytest.raises(InvalidDicomError, match="StudyInstanceUID is not a UID"):
            header_of(dicom_bytes(StudyInstanceUID=longer))


def test_a_long_identifier_is_kept_whole_or_refused(header_of) -> None:
    assert header_of(dicom_bytes(PatientID="P" * 256)).patient_id == "P" * 256

    with pytest.raises(InvalidDicomError, match="PatientID is longer than 256 characters"):
        header_of(dicom_bytes(PatientID="P" * 257))


def test_an_object_cut_off_at_any_byte_is_refused(header_of) -> None:
    whole = dicom_bytes()
    header_of(whole)

    for length in range(len(whole)):
        with pytest.raises(InvalidDicomError):
            header_of(whole[:length])


def test_an_object_that_is_no_image_is_refused_when_its_last_value_is_cut_off(header_of) -> None:
    nothing = dict.fromkeys(("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit"))
    nothing |= dict.fromkeys(("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"))
    whole = dicom_bytes(Modality="SR", TextValue="x" * 40, **nothing)
    whole = whole.replace(b"1.2.840.10008.5.1.4.1.1.1.1\0", b"1.2.840.10008.5.1.4.1.1.66\0\0")
    assert header_of(whole).modality == "SR"

    for length in range(len(whole) - 40, len(whole)):
        with pytest.raises(InvalidDicomError, match="truncated"):
            header_of(whole[:length])


def test_a_compressed_object_cut_off_inside_a_fragment_is_refused(header_of) -> None:
    whole = dicom_bytes(PixelData=encapsulate([bytes(range(200))]))
    syntax = b"1.2.840.10008.1.2.1\0"
    compressed = whole.replace(syntax, JPEG2000Lossless.encode()[: len(syntax)].ljust(len(syntax), b"\0"))
    assert len(compressed) == len(whole)

    for length in range(len(compressed) - 190, len(compressed) - 8):
        with pytest.raises(InvalidDicomError):
            header_of(compressed[:length])


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"]
)
def test_an_object_without_a_uid_is_refused_by_the_name_of_what_is_missing(header_of, keyword) -> None:
    with pytest.raises(InvalidDicomError, match=keyword):
        header_of(dicom_bytes(**{keyword: None}))


@pytest.mark.parametrize("value", ["../../etc/passwd", "1", "1..2", "1.2.x"])
def test_a_uid_that_is_none_is_refused(header_of, value) -> None:
    content = dicom_bytes(study="2.25.777777777777")
    broken = content.replace(b"2.25.777777777777.1\0", value.encode().ljust(20, b"\0"))
    assert broken != content

    with pytest.raises(InvalidDicomError, match="SeriesInstanceUID is not a UID"):
        header_of(broken)


def test_an_image_without_pixels_is_refused(header_of) -> None:
    with pytest.raises(InvalidDicomError, match="without pixel data"):
        header_of(dicom_bytes(PixelData=None))


@pytest.mark.parametrize("content", [b"", b"x" * 1000, bytes(132), b"%PDF-1.4", b"\x89PNG\r\n"])
def test_what_is_not_dicom_is_refused(header_of, content) -> None:
    with pytest.raises(InvalidDicomError):
        header_of(content)


def test_the_message_does_not_repeat_what_the_object_holds(header_of) -> None:
    content = dicom_bytes(PatientID="SECRET", PatientName="SECRET^NAME")

    for length in range(132, len(content), 7):
        with pytest.raises(InvalidDicomError) as caught:
            header_of(content[:length])
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "image_dfl.dcm",
        "rtplan.dcm",
        "test-SR.dcm",
        "reportsi.dcm",
    ],
)
def test_real_objects_of_every_kind_are_accepted(name) -> None:
    path = get_testdata_file(name, download=False)

    assert read_header(Path(str(path))).study_instance_uid


def test_an_object_without_the_preamble_of_a_file_is_refused() -> None:
    path = get_testdata_file("ExplVR_LitEndNoMeta.dcm", download=False)

    with pytest.raises(InvalidDicomError, match=r"PS3\.10"):
        read_header(Path(str(path)))
