"""Questions to the PACS and its answers; by DIMSE or by DICOMweb, the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from overread.errors import InputError

ANSWERS_MAX = 500  # a PACS that gives more to one question has not understood it
_MEANS_SOMETHING_ELSE = frozenset("*?\\")  # wildcards and the separator of values, PS3.4 section C.2.2.2

Progress = Callable[[int], None]
"""Is told how many images of a series have come so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """Query for studies: all that is given must match. One of the first three must be given."""

    study_instance_uid: str | None = None
    accession_number: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    modality: str | None = None
    first_date: str | None = None  # YYYYMMDD
    last_date: str | None = None

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            InputError: it would match half the archive, or holds what a PACS takes for a pattern.
        """
        if not (self.study_instance_uid or self.accession_number or self.patient_id):
            raise InputError("name a study, an accession number or a patient")
        texts = (self.study_instance_uid, self.accession_number, self.patient_id, self.modality)
        if any(not _MEANS_SOMETHING_ELSE.isdisjoint(text) for text in texts if text):
            raise InputError(r"an identifier that holds *, ? or \ cannot be asked for")
        for day in (self.first_date, self.last_date):
            if day is not None and not (len(day) == 8 and day.isdecimal()):
                raise InputError("a date is given as YYYYMMDD")

    @property
    def dates(self) -> str:
        """The range of days as DICOM writes it (PS3.4 section C.2.2.2.5); empty: any day."""
        return f"{self.first_date or ''}-{self.last_date or ''}" if self.first_date or self.last_date else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study that the PACS holds; None or empty where it does not say."""

    study_instance_uid: str
    accession_number: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    issuer_of_patient_id: str | None = None
    study_date: str | None = None
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSeries:
    """A series that the PACS holds; None where it does not say."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str | None = None
    body_part: str | None = None
    instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """Result of the retrieval of a series."""

    completed: int  # images that have been stored, or had been before
    failed: int = 0
    why: str = ""  # they failed, in words


class Archive(Protocol):
    """A PACS. Every method may raise PeerError: it is not there, refuses, or breaks off; try again later."""

    def find_studies(self, wanted: StudyQuery) -> tuple[FoundStudy, ...]:
        """Return the studies that match, in any order."""

    def find_series(self, study_instance_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study, in any order."""

    def retrieve(self, series: FoundSeries, progress: Progress) -> Retrieved:
        """Have a series retrieved into the store, and return when it is there.

        Raises:
            OutOfResourcesError: it cannot be stored now.
        """


def is_meant(found: FoundStudy, wanted: StudyQuery) -> bool:
    """Whether a study is what was asked for: some archives pass over keys that they do not know."""
    exact = (
        (wanted.study_instance_uid, found.study_instance_uid),
        (wanted.accession_number, found.accession_number),
        (wanted.patient_id, found.patient_id),
    )
    if any(asked is not None and asked != answered for asked, answered in exact):
        return False
    if wanted.modality is not None and found.modalities and wanted.modality not in found.modalities:
        return False
    day = found.study_date or ""
    return (wanted.first_date or "") <= day and (wanted.last_date is None or "" < day <= wanted.last_date)
