"""Fetches studies from the PACS: one that is named, the one that a waiting report is about, earlier ones."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from overread.errors import InputError, PeerError
from service.intake.matching import is_same_patient
from service.pacs.archive import Archive, FoundSeries, FoundStudy, StudyQuery
from service.store.database import Store
from service.store.fetches import KnownStudy, WaitingCase, stored_instances

_DAYS_PER_YEAR = 365.2425
_LOOKED_AT_MAX = 50  # of a patient's earlier studies, the latest

Tell = Callable[[str], None]
"""Takes a line of progress; it names UIDs, never a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Result of the retrieval of one study."""

    study_instance_uid: str
    completed: int = 0  # images that have been stored, or had been before
    failed: int = 0
    complete_series: int = 0  # that were all here already, and were not asked for
    why: str = ""  # images failed, in words

    def __str__(self) -> str:
        """Return it in words."""
        here = f", {self.complete_series} series were here already" if self.complete_series else ""
        failed = f", {self.failed} failed: {self.why}" if self.failed else ""
        return f"study {self.study_instance_uid}: {self.completed} images came{here}{failed}"


class Pace:
    """Spreads studies over time, so that the PACS can do its daily work."""

    def __init__(self, per_minute: float, stop: threading.Event) -> None:
        self._seconds = 60.0 / per_minute
        self._stop = stop
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next study may be asked for, or at once when all is to stop."""
        self._stop.wait(max(self._next - time.monotonic(), 0.0))
        self._next = time.monotonic() + self._seconds


def fetch_study(store: Store, archive: Archive, study_instance_uid: str, tell: Tell) -> Fetched:
    """Have what is missing of a study retrieved; a series that is all here is passed over.

    Raises:
        PeerError: the PACS is not there, refuses, breaks off, or sends to another listener than ours.
        OutOfResourcesError: it cannot be stored now.
    """
    found = archive.find_series(study_instance_uid)
    if not found:
        raise PeerError(f"the PACS does not hold study {study_instance_uid}, or tells of no series in it")
    completed = failed = complete = 0
    why = ""
    for number, series in enumerate(found, 1):
        if _is_complete(store, series):
            complete += 1
            continue
        where = f"study {study_instance_uid}: series {number} of {len(found)}"
        retrieved = archive.retrieve(series, partial(_tell_count, tell, where))
        if retrieved.completed and not _stored(store, series):
            raise PeerError(
                f"the PACS says that it sent {retrieved.completed} images of study {study_instance_uid}, but "
                "they are not in this store: the address that it has for our AE title must be our listener's"
            )
        completed, failed, why = (
            completed + retrieved.completed,
            failed + retrieved.failed,
            retrieved.why or why,
        )
    return Fetched(
        study_instance_uid=study_instance_uid,
        completed=completed,
        failed=failed,
        complete_series=complete,
        why=why,
    )


def studies_of_case(archive: Archive, case: WaitingCase) -> tuple[FoundStudy, ...]:
    """Return the studies that the waiting report of a case may be about: by UID, else by accession number.

    Raises:
        PeerError: the PACS is not there, refuses, or holds no such study.
        InputError: the case names none that can be asked for.
    """
    if case.study_instance_uid is not None:
        wanted = StudyQuery(study_instance_uid=case.study_instance_uid)
    elif case.accession_number is not None:
        wanted = StudyQuery(accession_number=case.accession_number)
    else:
        raise InputError(f"case {case.case_id} names neither a study nor an accession number")
    found = archive.find_studies(wanted)
    same = tuple(study for study in found if is_same_patient(study.patient_id, case.patient_id))
    if not same:
        what = "holds its study for another patient only" if found else "does not hold its study"
        raise PeerError(f"case {case.case_id}: the PACS {what}")
    return same


def priors_of(archive: Archive, study: KnownStudy, *, at_most: int, years: float) -> tuple[FoundStudy, ...]:
    """Return earlier studies of the patient, of the same modality and body part, the latest first.

    A study of the same day is not earlier. A body part that one of the two does not state excludes nobody.

    Raises:
        PeerError: the PACS is not there or refuses.
        InputError: what the study says of patient or modality cannot be asked for.
    """
    day = _day(study.study_date)
    if study.patient_id is None or day is None or at_most < 1:
        return ()
    wanted = StudyQuery(
        patient_id=study.patient_id,
        modality=study.modality,
        first_date=_text(day - timedelta(days=round(years * _DAYS_PER_YEAR))),
        last_date=_text(day - timedelta(days=1)),
    )
    found = [
        other
        for other in archive.find_studies(wanted)
        if is_same_patient(other.issuer_of_patient_id, study.issuer_of_patient_id)
        and other.study_instance_uid != study.study_instance_uid
    ]
    found.sort(key=lambda other: other.study_date or "", reverse=True)
    chosen: list[FoundStudy] = []
    for other in found[:_LOOKED_AT_MAX]:
        if len(chosen) < at_most and _is_of_the_kind(archive.find_series(other.study_instance_uid), study):
            chosen.append(other)
    return tuple(chosen)


def _tell_count(tell: Tell, where: str, count: int) -> None:
    tell(f"{where}, {count} images")


def _is_of_the_kind(found: tuple[FoundSeries, ...], study: KnownStudy) -> bool:
    alike = [series for series in found if study.modality is None or series.modality == study.modality]
    parts = {series.body_part.upper() for series in alike if series.body_part}
    return bool(alike) and (study.body_part is None or not parts or study.body_part.upper() in parts)


def _is_complete(store: Store, series: FoundSeries) -> bool:
    return series.instances is not None and 0 < series.instances <= len(_stored(store, series))


def _stored(store: Store, series: FoundSeries) -> frozenset[str]:
    return stored_instances(store, series.study_instance_uid, series.series_instance_uid)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _text(day: date) -> str:
    return day.strftime("%Y%m%d")
