"""What the tests of the service send: small DICOM objects and reports, and small readers for them."""

import io
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from overread.actor import Actor
from overread.case import CaseState
from overread.errors import UndecodablePixelsError
from overread.finding import load_vocabulary
from overread.observation import (
    Detection,
    DetectorObservation,
    ObserverIdentity,
    Presence,
    ReportObservation,
    ReportReading,
    Section,
    Span,
    Temporality,
)
from service.deidentification.pseudonyms import Pseudonyms
from service.intake.closing import close_study
from service.intake.instances import InstanceReceipt, begin_instance, receive_instance
from service.intake.reports import IncomingReport, ReportReceipt, receive_report
from service.store.database import Store
from service.store.queue import claim_case
from service.store.records import ClaimedCase, ReportStatus
from service.triage.heartbeat import Heartbeat
from service.triage.looks import TriageTools
from service.triage.storing import Storing
from service.triage.worker import Clock, triage_case

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STUDY = "2.25.1"
ACCESSION = "A1"
PATIENT = "P1"
CLEAR = "No mass is seen."
MASS = "There is a mass in the right upper lobe."
ROE = Actor.unverified("Dr Roe")
PSEUDONYMS = Pseudonyms(b"k" * 32)
WHITE = 255  # what `MassDetector` takes for a mass
BLACK = 0


@contextmanager
def machine_in(zone: str) -> Iterator[None]:
    """This machine stands in a time zone, such as Europe/Berlin."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        del os.environ["TZ"]
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def dicom_bytes(*, study: str = STUDY, number: int = 1, value: int = WHITE, **elements: object) -> bytes:
    """An 8 by 8 radiograph of one grey value; further elements by keyword, None leaves one out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = f"{study}.1.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    given = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "PatientID": PATIENT,
        "PatientName": "Doe^Jane",
        "AccessionNumber": ACCESSION,
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "Rows": 8,
        "Columns": 8,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": np.full((8, 8), value, np.uint8).tobytes(),
    } | elements
    for keyword, element in given.items():
        if element is not None:
            setattr(dataset, keyword, element)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def send_image(store: Store, content: bytes | None = None, *, now: datetime = NOW) -> InstanceReceipt:
    with begin_instance(store) as incoming:
        incoming.write(dicom_bytes() if content is None else content)
        return receive_instance(store, incoming, source="test", now=now)


def send_report(  # one column per thing that a sender may say
    store: Store,
    content: bytes | str = CLEAR,
    *,
    status: ReportStatus = ReportStatus.FINAL,
    accession: str | None = ACCESSION,
    study: str | None = None,
    patient: str | None = PATIENT,
    charset: str = "utf-8",
    issued: datetime | None = None,
    author: str | None = None,
    now: datetime = NOW,
) -> ReportReceipt:
    report = IncomingReport(
        content=content,
        status=status,
        accession_number=accession,
        study_instance_uid=study,
        patient_id=patient,
        charset=charset,
        issued_at=issued,
        author=author,
        source="test",
    )
    return receive_report(store, report, now=now)


def ready_case(  # one column per thing that tells cases apart
    store: Store,
    number: int = 1,
    *,
    value: int = WHITE,
    report: str = CLEAR,
    site: str | None = None,
    now: datetime = NOW,
) -> int:
    """A case of its own study that waits for a worker; returns its number."""
    study, accession = f"2.25.{number}", f"A{number}"
    content = dicom_bytes(study=study, value=value, AccessionNumber=accession, InstitutionName=site)
    send_image(store, content, now=now)
    receipt = send_report(store, report, accession=accession, now=now)
    assert close_study(store, study, now=now) is CaseState.READY
    return receipt.case_id


def triaged_case(
    store: Store, number: int = 1, *, value: int = WHITE, report: str = CLEAR, now: datetime = NOW
) -> int:
    """A case that a worker has triaged; returns its number."""
    case_id = ready_case(store, number, value=value, report=report, now=now)
    claimed = claim_case(store, worker="w", now=now)
    assert claimed is not None
    assert claimed.lease.case_id == case_id
    triage_one(store, claimed, clock=lambda: now)
    return case_id


def triage_one(store: Store, claimed: ClaimedCase, *, clock: Clock, **changed: object) -> None:
    """Take one claimed case through triage, with readers that are changed so."""
    with Heartbeat(store, clock=clock) as heartbeat, Storing(store, heartbeat, clock=clock) as storing:
        triage_case(store, claimed, readers(**changed), storing=storing, clock=clock)


class WordReader:
    """Reads "mass", denied by "no" and called stable by "stable" anywhere before it."""

    identity = ObserverIdentity(name="words", version="1")

    def read(self, text: str) -> ReportReading:
        lower = text.lower()
        start = lower.find("mass")
        observations: tuple[ReportObservation, ...] = ()
        if start >= 0:
            denied = "no " in lower[:start]
            observations = (
                ReportObservation(
                    finding="mass",
                    presence=Presence.ABSENT if denied else Presence.PRESENT,
                    certainty=0.0 if denied else 1.0,
                    span=Span(start, start + 4),
                    sentence=Span(0, len(text)),
                    section=Section.LEAD,
                    temporality=Temporality.STABLE if "stable" in lower[:start] else Temporality.CURRENT,
                ),
            )
        return ReportReading(observer=self.identity, observations=observations)


class MassDetector:
    """Takes a white image for a mass, in proportion to its mean; a study without a DX is not for it."""

    identity = ObserverIdentity(name="mean", version="1", sha256="0" * 64)
    findings = ("mass",)

    def prefetch(self, instances: Sequence[Path]) -> None:
        """It has nothing to prepare."""

    def detect(self, instances: Sequence[Path]) -> Detection:
        datasets = [dcmread(path) for path in instances]
        shown = [dataset for dataset in datasets if dataset.Modality == "DX"]
        if not shown:
            return Detection(detector=self.identity, operating_point="half", not_applicable="no radiograph")
        try:
            means = [float(dataset.pixel_array.mean()) / 255 for dataset in shown]
        except Exception as error:
            raise UndecodablePixelsError(f"the pixels of {shown[0].SOPInstanceUID} are broken") from error
        score = max(means)
        observation = DetectorObservation(
            finding="mass",
            presence=Presence.PRESENT if score >= 0.5 else Presence.ABSENT,
            score=score,
            probability=min(max(score, 0.001), 0.999),
            prevalence=0.1,
            sop_instance_uid=str(shown[means.index(score)].SOPInstanceUID),
        )
        return Detection(detector=self.identity, operating_point="half", observations=(observation,))


def readers(**changed: object) -> TriageTools:
    given = {
        "report_reader": WordReader(),
        "detectors": (MassDetector(),),
        "vocabulary": load_vocabulary(),
    }
    return TriageTools(**(given | changed))  # type: ignore[arg-type]
