"""Reports as DICOM objects: narrative SR, encapsulated PDF and CDA."""

import io

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from tests.service.material import ACCESSION, PATIENT, STUDY

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
RADIOLOGY_REPORT = Code("11528-7", "LN", "Radiology Report")
FINDINGS = Code("59776-5", "LN", "Findings")
IMPRESSION = Code("19005-8", "LN", "Impressions")
OLD_FINDING = Code("121071", "DCM", "Finding")
DOSE_REPORT = codes.DCM.XRayRadiationDoseReport
MASS = "There is a mass in the right upper lobe."


def code_item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item


def content_item(
    kind: str, concept: Code, *children: Dataset, relationship: str = "CONTAINS", **more: object
) -> Dataset:
    """A content item (PS3.3 section C.17.3)."""
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, kind
    item.ConceptNameCodeSequence = [code_item(concept)]
    if kind == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for keyword, value in more.items():
        setattr(item, keyword, value)
    if children:
        item.ContentSequence = list(children)
    return item


def said(text: str, concept: Code = OLD_FINDING) -> Dataset:
    return content_item("TEXT", concept, TextValue=text)


def section(concept: Code, *children: Dataset) -> Dataset:
    return content_item("CONTAINER", concept, *children)


def reference(study: str, accession: str | None = None) -> Dataset:
    """An item of the evidence or of the requests, whichever it is put into."""
    item = Dataset()
    item.StudyInstanceUID = study
    if accession is not None:
        item.AccessionNumber = accession
    return item


def sr_bytes(
    *content: Dataset, title: Code = RADIOLOGY_REPORT, sop_class: str = BASIC_TEXT_SR, **elements: object
) -> bytes:
    """A verified, complete SR of one finding, unless the content is given; None leaves an element out."""
    given = {
        "Modality": "SR",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [code_item(title)],
        "ContinuityOfContent": "SEPARATE",
        "ContentSequence": list(content) or [section(FINDINGS, said(MASS))],
    }
    return document_bytes(sop_class, **(given | elements))


def pdf_object_bytes(content: bytes, **elements: object) -> bytes:
    """An Encapsulated PDF that says in words that it is a report."""
    given = {
        "Modality": "DOC",
        "DocumentTitle": "Radiology Report",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocument": content + bytes(len(content) % 2),
    }
    return document_bytes(ENCAPSULATED_PDF, **(given | elements))


def document_bytes(sop_class: str, **elements: object) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = str(elements.get("SOPInstanceUID", f"{STUDY}.9.1"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    given = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": sop_class,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.9",
        "PatientID": PATIENT,
        "PatientName": "Doe^Jane",
        "AccessionNumber": ACCESSION,
    } | elements
    for keyword, element in given.items():
        if element is not None:
            setattr(dataset, keyword, element)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
