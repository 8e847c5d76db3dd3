"""Reads what the store has to know of a DICOM object: its header, and that its pixel data is all there.

Values are taken as raw bytes and decoded here: pydicom's own conversion warns with the value in the text, and
a value may be a patient's. For the same reason none of its messages is passed on.
"""

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.charset import python_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from overread.errors import InvalidDicomError

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")  # PS3.5 section 9; leading zeros are common enough to be let through
_UID_MAX = 64
_AGE = re.compile(r"([0-9]{3})([DWMY])")  # PS3.5 table 6.2-1, AS
_AGES_PER_YEAR = {"D": 365.2425, "W": 52.1775, "M": 12.0, "Y": 1.0}
_TEXT_MAX = 64  # longest LO, PS3.5 table 6.2-1
_PIXEL_ELEMENTS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
_PIXELS_ELSEWHERE = {0x00287FE0}  # Pixel Data Provider URL
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM = 0xFFFEE000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeader:
    """What the store knows of one instance; None where the object does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str | None = field(repr=False)
    accession_number: str | None
    modality: str | None
    body_part: str | None
    description: str | None
    study_date: str | None  # YYYYMMDD
    patient_age_years: float | None
    patient_sex: str | None


def read_header(path: Path) -> InstanceHeader:
    """Return the header of a DICOM file (PS3.10).

    Raises:
        InvalidDicomError: it is no DICOM file, lacks a UID, or ends before its last element does.
    """
    with path.open("rb") as file:
        dataset = _parsed(file)
        header = _header(dataset)
        if header.transfer_syntax_uid != DeflatedExplicitVRLittleEndian:  # there, offsets say nothing
            _check_end(file, dataset)
    return header


def _parsed(file: BinaryIO) -> FileDataset:
    try:
        return dcmread(file, stop_before_pixels=True)
    except Exception as error:  # noqa: BLE001  # pydicom raises whatever broken bytes lead to
        raise InvalidDicomError(
            f"not a DICOM file (PS3.10), or its header is damaged ({type(error).__name__})"
        ) from None


def _header(dataset: FileDataset) -> InstanceHeader:
    encoding = _encoding(dataset)
    return InstanceHeader(
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        series_instance_uid=_uid(dataset, "SeriesInstanceUID"),
        study_instance_uid=_uid(dataset, "StudyInstanceUID"),
        transfer_syntax_uid=_uid(dataset.file_meta, "TransferSyntaxUID"),
        patient_id=_text(dataset, "PatientID", encoding),
        accession_number=_text(dataset, "AccessionNumber", encoding),
        modality=_text(dataset, "Modality", longest=16),
        body_part=_text(dataset, "BodyPartExamined"),
        description=_text(dataset, "StudyDescription", encoding),
        study_date=_date(_text(dataset, "StudyDate")),
        patient_age_years=_years(_text(dataset, "PatientAge")),
        patient_sex=_text(dataset, "PatientSex", longest=16),
    )


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _text(dataset, keyword)
    if value is None:
        raise InvalidDicomError(f"{keyword} is missing")
    if len(value) > _UID_MAX or not _UID.fullmatch(value):
        raise InvalidDicomError(f"{keyword} is not a UID")
    return value


def _text(dataset: Dataset, keyword: str, encoding: str = "latin-1", longest: int = _TEXT_MAX) -> str | None:
    """Return the text of an element without its padding, None if it is absent or empty."""
    element = dataset.get_item(keyword)
    if element is None or element.value is None:
        return None
    value = element.value
    text = value.decode(encoding, errors="replace") if isinstance(value, bytes) else str(value)
    text = "".join(character for character in text if character.isprintable()).strip()
    return text[:longest] or None


def _encoding(dataset: Dataset) -> str:
    """Return the Python name of the last character set that Specific Character Set (0008,0005) lists."""
    declared = _text(dataset, "SpecificCharacterSet") or ""
    encoding = python_encoding.get(declared.split("\\")[-1].strip(), "latin-1")
    return "latin-1" if encoding == "iso8859" else encoding


def _date(text: str | None) -> str | None:
    return text if text and len(text) == 8 and text.isdecimal() else None


def _years(text: str | None) -> float | None:
    match = _AGE.fullmatch(text or "")
    return int(match[1]) / _AGES_PER_YEAR[match[2]] if match else None


def _check_end(file: BinaryIO, dataset: FileDataset) -> None:
    """Compare the lengths that the file states with the length that it has."""
    position = file.tell()  # before the tag of the pixel data, or at the end
    size = os.fstat(file.fileno()).st_size
    if position < size:
        _check_pixels(file, dataset, size)
        return
    if _stated_end(dataset) not in (None, size):
        raise InvalidDicomError("the file is truncated in its header; send it again")
    is_image = "Image Storage" in UID(_uid(dataset, "SOPClassUID")).name or "Rows" in dataset
    if is_image and not _PIXELS_ELSEWHERE.intersection(dataset.keys()):
        raise InvalidDicomError("the object is an image without pixel data, or truncated before it")


def _stated_end(dataset: Dataset) -> int | None:
    """Return where the last element ends by the length that it states; None if it states none."""
    last: object = dataset.get_item(max(dataset.keys()))
    if isinstance(last, RawDataElement) and last.length != _UNDEFINED_LENGTH:
        return last.value_tell + last.length
    return None


def _check_pixels(file: BinaryIO, dataset: FileDataset, size: int) -> None:
    """Walk over the pixel data by the lengths that it states (PS3.5 section 7.1 and A.4)."""
    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    start = file.read(8 if implicit else 12)
    if len(start) < (8 if implicit else 12):
        raise InvalidDicomError("the file is truncated before its pixel data; send it again")
    (length,) = struct.unpack(f"{order}L", start[-4:])
    if length != _UNDEFINED_LENGTH:
        if file.tell() + length > size:
            raise InvalidDicomError("the file is truncated in its pixel data; send it again")
        return
    while len(item := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", item)
        if (group << 16) + element != _ITEM:
            return  # the sequence delimiter
        if file.tell() + length > size:
            raise InvalidDicomError("the file is truncated in its pixel data; send it again")
        file.seek(length, os.SEEK_CUR)
