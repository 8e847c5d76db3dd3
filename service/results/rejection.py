"""The note that earlier segmentations and presentation states of a case are out of date.

Neither can name a predecessor, nor say that nothing is left. So what DICOM has for objects that are not to be
used any more says so: a key object selection titled Rejected for Quality Reasons (PS3.16 CID 7010), which
archives with IHE's Imaging Object Change Management hide them by.
"""

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from service.results.evidence import PATIENT_AND_STUDY, Evidence
from service.results.identifiers import uid_of
from service.results.report import (
    MANUFACTURER,
    describe_equipment,
    device_of,
    series_uid,
    stamp,
    version_of_result,
)
from service.store.results import REJECTED_BY_NOTE, Form, StoredResult, Subject

SERIES_NUMBER = 9107
WHY = "A later result of the second read replaces or withdraws them."


def rejected_by(subject: Subject) -> tuple[StoredResult, ...]:
    """Return every earlier object of a case that a note has to reject, the oldest first.

    A later note names what an earlier one named too, since it takes its place where that has not left yet.
    """
    return tuple(item for item in subject.earlier if item.form in REJECTED_BY_NOTE)


def make_rejection(subject: Subject, evidence: Evidence, *, release: str) -> Dataset:
    """Return the note; one object at least is to be rejected."""
    rejected = [_referred(item, evidence.first) for item in rejected_by(subject)]
    content = KeyObjectSelection(
        document_title=codes.DCM.RejectedForQualityReasons,
        referenced_objects=rejected,
        observer_device_context=device_of(release),
        description=WHY,
    )
    note = KeyObjectSelectionDocument(
        evidence=rejected,
        content=content,
        series_instance_uid=series_uid(subject, Form.REJECTION),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("result", Form.REJECTION, *version_of_result(subject)),
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer=MANUFACTURER,
        specific_character_set="ISO_IR 192",
    )
    describe_equipment(note, release)
    stamp(note, subject)
    note.SeriesDescription = "overread: objects that are out of date"
    return note


def _referred(item: StoredResult, header: Dataset) -> Dataset:
    """Return what highdicom takes a reference from: UIDs, patient and study; of a segmentation, its size."""
    referred = Dataset()
    for keyword in (*PATIENT_AND_STUDY, "StudyInstanceUID"):
        setattr(referred, keyword, header.get(keyword))
    referred.SeriesInstanceUID = item.series_instance_uid
    referred.SOPClassUID = item.sop_class_uid
    referred.SOPInstanceUID = item.sop_instance_uid
    if item.form is Form.SEG:
        referred.Rows, referred.Columns = header.Rows, header.Columns
    return referred
