"""Reads what the store has to know of a DICOM object: its header, and that its pixel data is all there.

Values are taken as raw bytes and decoded here: a library's conversion warns with the value in the text, and a
value may be a patient's.
"""

import mmap
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID, ExplicitVRBigEndian

from models.elements import TRANSFER_SYNTAX_UID, Bytes, Elements, read_elements
from overread.errors import InvalidDicomError

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")  # PS3.5 section 9; leading zeros are common enough to be let through
_UID_MAX = 64
_AGE = re.compile(r"([0-9]{3})([DWMY])")  # PS3.5 table 6.2-1, AS
_AGES_PER_YEAR = {"D": 365.2425, "W": 52.1775, "M": 12.0, "Y": 1.0}
_TEXT_MAX = 64  # longest LO, PS3.5 table 6.2-1
_US_BYTES = 2
_IDENTIFIER_MAX = 256  # more than the standard allows; a shortened identifier would be somebody else's
_KEYWORDS = (
    "AccessionNumber",
    "BodyPartExamined",
    "Columns",
    "InstitutionName",
    "Modality",
    "PatientAge",
    "PatientID",
    "IssuerOfPatientID",
    "PatientSex",
    "PixelDataProviderURL",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SpecificCharacterSet",
    "StudyDate",
    "StudyDescription",
    "StudyInstanceUID",
)
_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in _KEYWORDS}
_WANTED = frozenset(_TAGS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeader:
    """Header of one instance as the store keeps it; None where the object does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str | None = field(repr=False)
    issuer_of_patient_id: str | None
    accession_number: str | None
    modality: str | None
    body_part: str | None
    description: str | None
    study_date: str | None  # YYYYMMDD
    patient_age_years: float | None
    patient_sex: str | None
    institution: str | None
    rows: int  # of a frame; 0 where the object is no image
    columns: int  # the same


def read_header(path: Path) -> InstanceHeader:
    """Return the header of a DICOM file (PS3.10).

    Raises:
        InvalidDicomError: it is no DICOM file, lacks a UID, or ends before its last element does.
    """
    with _mapped(path) as file:
        elements = read_elements(file, _WANTED)
        header = _header(elements)
        _check_pixels(elements)
    return header


def has_same_data_set(path: Path, other: Path) -> bool:
    """Whether two DICOM files hold the same data set, bit for bit, in the same transfer syntax.

    The file meta information before it is each writer's own: the same object by STOW-RS and by C-STORE
    differs there.
    """
    with _mapped(path) as file, _mapped(other) as other_file:
        mine, theirs = read_elements(file, ()), read_elements(other_file, ())
        if mine.meta.get(TRANSFER_SYNTAX_UID) != theirs.meta.get(TRANSFER_SYNTAX_UID):
            return False
        with (
            memoryview(file)[mine.data_set_at :] as here,
            memoryview(other_file)[theirs.data_set_at :] as there,
        ):
            return here == there


@contextmanager
def _mapped(path: Path) -> Iterator[Bytes]:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise InvalidDicomError("not a DICOM file (PS3.10): it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def _header(elements: Elements) -> InstanceHeader:
    values = {keyword: elements.values[tag] for keyword, tag in _TAGS.items() if tag in elements.values}
    if TRANSFER_SYNTAX_UID in elements.meta:
        values["TransferSyntaxUID"] = elements.meta[TRANSFER_SYNTAX_UID]
    encoding = declared_encoding(values)
    return InstanceHeader(
        sop_class_uid=_uid(values, "SOPClassUID"),
        sop_instance_uid=_uid(values, "SOPInstanceUID"),
        series_instance_uid=_uid(values, "SeriesInstanceUID"),
        study_instance_uid=_uid(values, "StudyInstanceUID"),
        transfer_syntax_uid=_uid(values, "TransferSyntaxUID"),
        patient_id=_identifier(values, "PatientID", encoding),
        issuer_of_patient_id=_identifier(values, "IssuerOfPatientID", encoding),
        accession_number=_identifier(values, "AccessionNumber", encoding),
        modality=element_text(values, "Modality", longest=16),
        body_part=element_text(values, "BodyPartExamined"),
        description=element_text(values, "StudyDescription", encoding),
        study_date=_date(element_text(values, "StudyDate")),
        patient_age_years=_years(element_text(values, "PatientAge")),
        patient_sex=element_text(values, "PatientSex", longest=16),
        institution=element_text(values, "InstitutionName", encoding),
        rows=_count(values, "Rows"),
        columns=_count(values, "Columns"),
    )


def _uid(values: Mapping[str, bytes], keyword: str) -> str:
    value = element_text(values, keyword, longest=_UID_MAX + 1)
    if value is None:
        raise InvalidDicomError(f"{keyword} is missing")
    if not is_uid(value):
        raise InvalidDicomError(f"{keyword} is not a UID")
    return value


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 section 9.1): at most 64 digits and full stops."""
    return len(text) <= _UID_MAX and _UID.fullmatch(text) is not None


def _identifier(values: Mapping[str, bytes], keyword: str, encoding: str) -> str | None:
    value = element_text(values, keyword, encoding, longest=_IDENTIFIER_MAX + 1)
    if value is not None and len(value) > _IDENTIFIER_MAX:
        raise InvalidDicomError(f"{keyword} is longer than {_IDENTIFIER_MAX} characters")
    return value


def element_text(
    values: Mapping[str, bytes], keyword: str, encoding: str = "latin-1", longest: int = _TEXT_MAX
) -> str | None:
    """Return the text of an element, by keyword, without its padding; None if it is absent or empty."""
    text = values.get(keyword, b"").decode(encoding, errors="replace")
    text = "".join(character for character in text if character.isprintable()).strip()
    return text[:longest] or None


def declared_encoding(values: Mapping[str, bytes]) -> str:
    """Return the Python name of the last character set that Specific Character Set (0008,0005) lists."""
    declared = element_text(values, "SpecificCharacterSet") or ""
    encoding = python_encoding.get(declared.split("\\")[-1].strip(), "latin-1")
    return "latin-1" if encoding == "iso8859" else encoding


def _count(values: Mapping[str, bytes], keyword: str) -> int:
    """Return the number of an element of VR US (PS3.5 table 6.2-1), 0 if it is absent or malformed."""
    value = values.get(keyword, b"")
    is_big = values.get("TransferSyntaxUID", b"").rstrip(b"\0 ").decode("latin-1") == ExplicitVRBigEndian
    return int.from_bytes(value, "big" if is_big else "little") if len(value) == _US_BYTES else 0


def _date(text: str | None) -> str | None:
    return text if text and len(text) == 8 and text.isdecimal() else None


def _years(text: str | None) -> float | None:
    match = _AGE.fullmatch(text or "")
    return int(match[1]) / _AGES_PER_YEAR[match[2]] if match else None


def _check_pixels(elements: Elements) -> None:
    """Return if an image has its pixel data: one cut off between two elements is not seen to be cut else."""
    if elements.has_pixels or _TAGS["PixelDataProviderURL"] in elements.values:
        return
    sop_class = elements.values[_TAGS["SOPClassUID"]].rstrip(b"\0 ").decode("latin-1")
    if "Image Storage" in UID(sop_class).name or _TAGS["Rows"] in elements.values:
        raise InvalidDicomError("the object is an image without pixel data, or truncated before it")
