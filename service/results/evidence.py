"""Headers of the images that a result refers to, which our DICOM objects take patient and study from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from models.dicom import read_header, text
from overread.errors import NotFoundError
from service.intake.issued import read_offset
from service.store.records import InstanceRecord

# Of patient and study (PS3.3 C.7.1.1, C.7.2.1), type 2: there, if empty.
PATIENT_AND_STUDY = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The images of one result, by SOP Instance UID, in the order in which they are referred to."""

    headers: Mapping[str, Dataset]
    paths: Mapping[str, Path]

    @property
    def first(self) -> Dataset:
        """The image that patient and study are taken from."""
        return next(iter(self.headers.values()))


def evidence_of(images: Iterable[InstanceRecord], referred: Iterable[str]) -> Evidence:
    """Return the images that are referred to, or the first that can be read where none is.

    Raises:
        NotFoundError: no image of the study is there any more.
        InvalidDicomError: a header cannot be read.
        OutOfResourcesError: an image cannot be fetched now.
    """
    known = {image.sop_instance_uid: image for image in images}
    wanted = [uid for uid in dict.fromkeys(referred) if uid in known] or _first_image(known)
    headers: dict[str, Dataset] = {}
    paths: dict[str, Path] = {}
    for uid in wanted:
        paths[uid] = known[uid].path
        headers[uid] = _header(paths[uid])
    if not headers:
        raise NotFoundError("the study has no image that a result could refer to")
    return Evidence(headers=headers, paths=paths)


def local_time(at: datetime, header: Dataset) -> datetime:
    """Return a time in the zone of the study, as its images state it; else in that of this machine."""
    offset = read_offset(text(header, "TimezoneOffsetFromUTC"))
    return at.astimezone(offset if offset is not None else None)


def _first_image(known: Mapping[str, InstanceRecord]) -> list[str]:
    return [uid for uid, image in known.items() if image.removal is None and image.rows != 0][:1]


def _header(path: Path) -> Dataset:
    header = read_header(path)
    for keyword in PATIENT_AND_STUDY:
        if keyword not in header:
            setattr(header, keyword, None)
    return header
