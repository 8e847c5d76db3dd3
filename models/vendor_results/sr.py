"""A product whose results arrive as DICOM SR within the study, as a detector."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT, text
from models.vendor_results.claim import Results
from models.vendor_results.document import DocumentReader, is_result
from models.vendor_results.manifest import VendorManifest
from models.vendor_results.study import Study, read_study
from models.vendor_results.weighing import detection_of
from models.vendor_results.wording import wording_of
from overread.finding import load_vocabulary
from overread.observation import Detection, ObserverIdentity


class SrDetector:
    """Implements `overread.ports.Detector` over the SR documents of one product. Threads may share it."""

    def __init__(self, manifest: VendorManifest) -> None:
        if manifest.product is None:
            raise ValueError("a manifest of this kind names its product")
        self._manifest = manifest
        self._product = manifest.product
        self._wording = wording_of(load_vocabulary(), manifest.codes, manifest.score_codes)

    @property
    def identity(self) -> ObserverIdentity:
        """Name and version of the manifest, and its hash."""
        manifest = self._manifest
        return ObserverIdentity(name=manifest.name, version=manifest.version, sha256=manifest.sha256)

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that the manifest says the worth of."""
        return self._manifest.findings

    def prefetch(self, instances: Sequence[Path]) -> None:
        """There is nothing to prepare."""

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the product's documents among the study's files state, or why there is nothing.

        Raises:
            InvalidDicomError: a file is no DICOM.
        """
        study = read_study(instances)
        remarks: list[str] = []
        own = [document for document in study.documents if self._is_own(document, study, remarks)]
        reader = DocumentReader(
            self._wording, study.images, (self._manifest.score_min, self._manifest.score_max)
        )
        latest = list(_latest(own, remarks))
        results = _together([reader.read(document) for document in latest], remarks, self._manifest.name)
        return detection_of(results, self._manifest, tuple(study.images))

    def _is_own(self, document: Dataset, study: Study, remarks: list[str]) -> bool:
        """Whether a document is a result of this product, of this version, on this patient."""
        if not is_result(document):
            return False
        name = f"document {text(document, 'SOPInstanceUID')}"
        made_by = text(document, "Manufacturer"), text(document, "ManufacturerModelName")
        if not _same(made_by[0], self._product.manufacturer) or (
            self._product.model is not None and not _same(made_by[1], self._product.model)
        ):
            remarks.append(f"{name} is of another product: {' '.join(made_by).strip() or 'it names none'}")
            return False
        version = text(document, "SoftwareVersions")
        problems = {
            "is of another study than the images": text(document, "StudyInstanceUID")
            != study.study_instance_uid,
            "names another patient than the images": text(document, "PatientID") != study.patient_id,
            f"is of version {version or 'unknown'}, which the manifest does not hold for": bool(
                self._product.versions
            )
            and version not in self._product.versions,
        }
        found = [problem for problem, there in problems.items() if there]
        remarks += [f"{name} {problem}; it is not read" for problem in found]
        return not found


def _same(stated: str, wanted: str) -> bool:
    return stated.casefold() == wanted.casefold()


def _latest(documents: Sequence[Dataset], remarks: list[str]) -> Iterator[Dataset]:
    """Yield the last of the documents about the same images: a product that ran again replaces its result."""
    last: dict[frozenset[str], Dataset] = {}
    for document in sorted(documents, key=_moment):
        about = _evidence(document)
        if about in last:
            remarks.append(f"document {text(last[about], 'SOPInstanceUID')} is replaced by a later one")
        last[about] = document
    yield from last.values()


def _moment(document: Dataset) -> tuple[str, str, str]:
    return text(document, "ContentDate"), text(document, "ContentTime"), text(document, "SOPInstanceUID")


def _evidence(document: Dataset) -> frozenset[str]:
    """Return the images that a document says it is about (PS3.3 C.17.2, evidence sequences)."""
    found: set[str] = set()
    try:
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
            for study in document.get(keyword) or ():
                for series in study.get("ReferencedSeriesSequence") or ():
                    for item in series.get("ReferencedSOPSequence") or ():
                        found.add(text(item, "ReferencedSOPInstanceUID"))
    except BROKEN_INPUT:
        found.clear()
    return frozenset(found)


def _together(results: Sequence[Results], remarks: Sequence[str], name: str) -> Results:
    read = [result for result in results if result.failure is None]
    failures = [result.failure for result in results if result.failure is not None]
    said = (*remarks, *(remark for result in results for remark in result.remarks))
    if not read:
        return Results(failure=f"the study holds no result of {name}", remarks=(*failures, *said))
    return Results(
        claims=tuple(claim for result in read for claim in result.claims),
        complete=not failures and all(result.complete for result in read),
        remarks=(*failures, *said),
    )
