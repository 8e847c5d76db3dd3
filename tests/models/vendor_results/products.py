"""Products of other vendors as the tests know them: manifests, and the results that such products send."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ChestCADSRStorage, ExplicitVRLittleEndian, generate_uid

from tests.models.radiographs import ramp, write_radiograph

MAKER, MODEL = "Acme", "ChestReader"
PATIENT = "P1"
STATED = {"sensitivity": 0.9, "specificity": 0.8, "prevalence": 0.1}
CURVE = {"slope": 2.0, "intercept": -1.0, "prevalence": 0.05, "threshold": 0.3}
PTX = codes.SCT.Pneumothorax
PERCENT = codes.UCUM.Percent


def write_manifest(folder: Path, **changes: Any) -> Path:
    """Write the manifest of a product that sends SR; changes replace entries, None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "format": 1,
        "kind": "vendor-sr",
        "name": "acme-chest-reader",
        "version": "3.1",
        "operating_point": "factory",
        "source": "instructions for use, edition 4",
        "silence": "unknown",
        "product": {"manufacturer": MAKER, "model": MODEL},
        "findings": {"pneumothorax": {"stated": STATED}, "nodule": {"stated": STATED}},
    } | changes
    content = {name: value for name, value in given.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_rows_manifest(folder: Path, **changes: Any) -> Path:
    """Write the manifest of a product whose results are rows of results.csv."""
    return write_manifest(
        folder, **({"kind": "vendor-rows", "product": None, "rows_file": "results.csv"} | changes)
    )


def write_image(folder: Path, *, study: str = "2.25.7", number: int = 1, **attributes: Any) -> Path:
    """Write one image of a study, 200 rows by 300 columns."""
    uid = f"{study}.1.{number}"
    given = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "SOPInstanceUID": uid,
        "PatientID": PATIENT,
        "PatientName": "Doe^Jane",
        "PatientBirthDate": "",
        "PatientSex": "",
        "AccessionNumber": "A7",
        "StudyID": "",
        "StudyDate": "20260301",
        "StudyTime": "120000",
        "ReferringPhysicianName": "",
    } | attributes
    return write_radiograph(folder / f"image{number}.dcm", ramp(200, 300), **given)


def group(
    image: Dataset,
    *,
    finding: Code | None = PTX,
    box: tuple[float, float, float, float] | None = None,
    side: Code | None = None,
    numbers: Sequence[tuple[Code, float, Code]] = (),
    evaluations: Sequence[tuple[Code, Code]] = (),
) -> Any:
    """A measurement group of TID 1500: with a box TID 1410, else TID 1501."""
    given: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=generate_uid(), identifier="mark 1"),
        "finding_type": finding,
        "finding_sites": [hd.sr.FindingSite(anatomic_location=codes.SCT.Lung, laterality=side)],
        "measurements": [
            hd.sr.Measurement(name=name, value=value, unit=unit) for name, value, unit in numbers
        ],
        "qualitative_evaluations": [hd.sr.QualitativeEvaluation(name, value) for name, value in evaluations],
    }
    if box is None:
        source = hd.sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)
        return hd.sr.MeasurementsAndQualitativeEvaluations(source_images=[source], **given)
    left, top, right, bottom = box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    region = hd.sr.ImageRegion(
        "POLYLINE", corners, hd.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID)
    )
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **given)


def write_report(path: Path, image: Path, groups: Sequence[Any], **attributes: Any) -> Path:
    """Write a measurement report (TID 1500) about an image, as the product would, with changes."""
    about = dcmread(image)
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(uid=generate_uid()),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    document = hd.sr.ComprehensiveSR(
        evidence=[about],
        content=content[0],
        series_instance_uid=f"{about.StudyInstanceUID}.9",
        series_number=9,
        sop_instance_uid=attributes.pop("SOPInstanceUID", f"{about.StudyInstanceUID}.9.1"),
        instance_number=1,
        manufacturer=MAKER,
    )
    document.ManufacturerModelName = MODEL
    document.SoftwareVersions = "3.1"
    for keyword, value in attributes.items():
        setattr(document, keyword, value)
    document.save_as(path)
    return path


def coded(keyword: str, code: Code) -> dict[str, Any]:
    """A code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return {keyword: [item]}


def item(relationship: str, kind: str, name: Code | None, *children: Dataset, **attributes: Any) -> Dataset:
    """One content item of an SR document."""
    made = Dataset()
    made.RelationshipType, made.ValueType = relationship, kind
    given = {**(coded("ConceptNameCodeSequence", name) if name is not None else {}), **attributes}
    for keyword, value in given.items():
        setattr(made, keyword, value)
    if children:
        made.ContentSequence = list(children)
    return made


def code_item(relationship: str, name: Code, value: Code, *children: Dataset) -> Dataset:
    """A content item of type CODE."""
    return item(relationship, "CODE", name, *children, **coded("ConceptCodeSequence", value))


def number_item(name: Code, value: float) -> Dataset:
    """A content item of type NUM, in percent."""
    measured = Dataset()
    measured.NumericValue = str(value)
    measured.MeasurementUnitsCodeSequence = coded("x", PERCENT)["x"]
    return item("HAS PROPERTIES", "NUM", name, MeasuredValueSequence=[measured])


def reference(path: Sequence[int]) -> Dataset:
    """A content item by reference, as Chest CAD documents use for images of their library."""
    made = Dataset()
    made.RelationshipType = "SELECTED FROM"
    made.ReferencedContentItemIdentifier = list(path)
    return made


def mark(
    kind: Code,
    modifier: Code | None,
    *,
    certainty: float | None = None,
    outline: Sequence[float] = (),
    intent: Code = codes.DCM.PresentationRequiredRenderingDeviceIsExpectedToPresent,
) -> Dataset:
    """A single image finding of Chest CAD (TID 4104), its outline on the first image of the library."""
    children = [
        code_item("HAS CONCEPT MOD", codes.DCM.RenderingIntent, intent),
        item("HAS OBS CONTEXT", "TEXT", codes.DCM.AlgorithmName, TextValue="ACME"),
        item("HAS OBS CONTEXT", "TEXT", codes.DCM.AlgorithmVersion, TextValue="3.1"),
    ]
    if modifier is not None:
        children.append(code_item("HAS CONCEPT MOD", codes.DCM.SingleImageFindingModifier, modifier))
    if certainty is not None:
        children.append(number_item(codes.DCM.CertaintyOfFinding, certainty))
    if outline:
        children.append(
            item(
                "HAS PROPERTIES",
                "SCOORD",
                codes.DCM.Outline,
                reference((1, 1, 1)),
                GraphicType="POLYLINE",
                GraphicData=list(outline),
            )
        )
    return code_item("INFERRED FROM", codes.DCM.SingleImageFinding, kind, *children)


def write_chest_cad(
    path: Path,
    image: Path,
    marks: Sequence[Dataset],
    *,
    summary: Code = codes.DCM.AllAlgorithmsSucceededWithFindings,
    **attributes: Any,
) -> Path:
    """Write a Chest CAD SR (TID 4100) about an image, element by element."""
    about = dcmread(image)
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = about.SOPClassUID, about.SOPInstanceUID
    library = item(
        "CONTAINS",
        "CONTAINER",
        codes.DCM.ImageLibrary,
        item("CONTAINS", "IMAGE", None, ReferencedSOPSequence=[source]),
        ContinuityOfContent="SEPARATE",
    )
    findings = code_item("CONTAINS", codes.DCM.CADProcessingAndFindingsSummary, summary, *marks)
    document = item(
        "",
        "CONTAINER",
        codes.DCM.ChestCADReport,
        library,
        findings,
        code_item("CONTAINS", codes.DCM.SummaryOfDetections, codes.DCM.Succeeded),
        code_item("CONTAINS", codes.DCM.SummaryOfAnalyses, codes.DCM.NotAttempted),
        ContinuityOfContent="SEPARATE",
    )
    del document.RelationshipType
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "4100"
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID"):
        setattr(document, keyword, about.get(keyword))
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"):
        setattr(document, keyword, about.get(keyword))
    given = {
        "SOPClassUID": ChestCADSRStorage,
        "SOPInstanceUID": f"{about.StudyInstanceUID}.8.1",
        "SeriesInstanceUID": f"{about.StudyInstanceUID}.8",
        "SeriesNumber": 8,
        "InstanceNumber": 1,
        "Modality": "SR",
        "Manufacturer": MAKER,
        "ManufacturerModelName": MODEL,
        "SoftwareVersions": "3.1",
        "DeviceSerialNumber": "1",
        "ContentDate": "20260301",
        "ContentTime": "120000",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "ReferencedPerformedProcedureStepSequence": [],
        "PerformedProcedureCodeSequence": [],
        "ContentTemplateSequence": [template],
        "CurrentRequestedProcedureEvidenceSequence": _evidence(about),
    } | attributes
    for keyword, value in given.items():
        setattr(document, keyword, value)
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta.MediaStorageSOPClassUID = ChestCADSRStorage
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.save_as(path, enforce_file_format=True)
    return path


def _evidence(about: Dataset) -> list[Dataset]:
    referenced, series, study = Dataset(), Dataset(), Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = (
        about.SOPClassUID,
        about.SOPInstanceUID,
    )
    series.SeriesInstanceUID, series.ReferencedSOPSequence = about.SeriesInstanceUID, [referenced]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = about.StudyInstanceUID, [series]
    return [study]
