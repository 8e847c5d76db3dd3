"""The key object selection of a triage result: the images on which a disagreement shows (PS3.3 A.35.4)."""

from collections.abc import Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import ObserverContext
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from service.results.evidence import Evidence
from service.results.identifiers import uid_of
from service.results.report import describe_equipment, device_of, series_uid, stamp, version_of_result
from service.results.statements import Statement
from service.store.results import Form, Subject

SERIES_NUMBER = 9103


def make_selection(
    subject: Subject, statements: Sequence[Statement], evidence: Evidence, *, release: str
) -> Dataset:
    """Return the document; its title is Of Interest (CID 7010)."""
    device: ObserverContext = device_of(release)
    content = KeyObjectSelection(
        document_title=codes.DCM.OfInterest,
        referenced_objects=list(evidence.headers.values()),
        observer_device_context=device,
        description="; ".join(item.words for item in statements)[:1024],
    )
    document = KeyObjectSelectionDocument(
        evidence=list(evidence.headers.values()),
        content=content,
        series_instance_uid=series_uid(subject, Form.KO),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("result", Form.KO, *version_of_result(subject)),
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer="overread",
        specific_character_set="ISO_IR 192",
    )
    describe_equipment(document, release)
    stamp(document, subject)
    document.SeriesDescription = "overread: images with a disagreement"
    return document
