"""The files of one study as the results of a product refer to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from models.dicom import read_header, text, whole_number

_STRUCTURED_REPORTS = "1.2.840.10008.5.1.4.1.1.88."  # PS3.4 B.5: every SR storage class begins so


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study: its images by size, its SR documents, and whom it is of."""

    study_instance_uid: str
    accession_number: str
    patient_id: str = field(repr=False)
    images: dict[str, tuple[int, int]]  # SOP Instance UID -> rows, columns; in the order of the files
    documents: tuple[Dataset, ...]


def read_study(instances: Sequence[Path]) -> Study:
    """Return the study of some files; what it is called is taken from its images, else from its documents.

    Raises:
        InvalidDicomError: a file is no DICOM.
    """
    images: dict[str, tuple[int, int]] = {}
    documents: list[Dataset] = []
    named: Dataset | None = None
    for path in instances:
        header = read_header(path)
        if text(header, "SOPClassUID").startswith(_STRUCTURED_REPORTS):
            documents.append(header)
        elif (rows := whole_number(header, "Rows", 0)) > 0:
            images[text(header, "SOPInstanceUID")] = (rows, whole_number(header, "Columns", 0))
            named = named or header
    named = named or (documents[0] if documents else Dataset())
    return Study(
        study_instance_uid=text(named, "StudyInstanceUID"),
        accession_number=text(named, "AccessionNumber"),
        patient_id=text(named, "PatientID"),
        images=images,
        documents=tuple(documents),
    )
