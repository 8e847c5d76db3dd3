"""Structured reports around a content tree: Comprehensive SR (PS3.3 A.35.3) in a series of their own.

highdicom walks a content tree three times and copies and parses it once, which takes more than half of the
time for a report and finds nothing in a tree that its own templates made. So the document is made around the
head of the tree, and the rest is put in afterwards. What the walks look for holds by how trees are made here:
every image is a header out of the evidence, and no region has three dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import ComprehensiveSR, ContentSequence, MeasurementReport
from pydicom.dataset import Dataset
from pydicom.uid import UID

from service.results import codes
from service.results.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Identity of a structured report among others."""

    sop_instance_uid: UID
    series_instance_uid: UID
    series_number: int
    series_description: str
    instance_number: int
    manufacturer: str
    predecessors: Sequence[Dataset]  # of which it replaces, or takes up, the content


def make_document(content: MeasurementReport, evidence: Evidence, document: Document) -> Dataset:
    """Return the structured report; its equipment and its times are still those of highdicom.

    Args:
        content: its tree, which becomes part of it.
        evidence: every image that the tree refers to.
        document: what it is called.
    """
    root = content[0]
    tree = root.ContentSequence
    root.ContentSequence = ContentSequence(tree[:1])
    report = ComprehensiveSR(
        evidence=list(evidence.headers.values()),
        content=root,
        series_instance_uid=document.series_instance_uid,
        series_number=document.series_number,
        sop_instance_uid=document.sop_instance_uid,
        instance_number=document.instance_number,
        manufacturer=document.manufacturer,
        is_complete=True,
        is_final=True,
        previous_versions=document.predecessors or None,
        specific_character_set="ISO_IR 192",
    )
    report.ContentSequence = tree
    report.CodingSchemeIdentificationSequence = [codes.scheme_identification()]
    report.SeriesDescription = document.series_description
    return report
