"""The structured report of a triage result: Comprehensive SR with the measurement report of TID 1500.

Each place in an image where a disagreement shows is a planar region of interest (TID 1410) on that very
frame; a disagreement without a place is a group of evaluations (TID 1501). Both name the finding, whether it
is there according to the detector, how sure the detector is, the algorithm, what the report says, and why.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from numpy import array
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID

from models.dicom import text, whole_number
from overread.observation import ImageRegion as Region
from service.results import codes as ours
from service.results.document import Document, make_document
from service.results.evidence import Evidence, local_time
from service.results.identifiers import uid_of
from service.results.statements import Statement
from service.store.result_occasions import Moment
from service.store.results import Form, StoredResult, Subject

MANUFACTURER = "overread"
MODEL = "overread second read"
SERIES_NUMBER = 9101
_TEXT_MAX = 1024  # of a remark; a text item may hold more, few viewers show it

Group = PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations


def version_of_result(subject: Subject) -> tuple[object, ...]:
    """Return what tells this result from every other: another revision or installation is another result."""
    occasion = subject.occasion
    return _version(subject, occasion.moment, occasion.judgement_id or 0)


def version_after_triage(subject: Subject) -> tuple[object, ...]:
    """Return what tells the result as it was before anybody judged it."""
    return _version(subject, Moment.TRIAGE, 0)


def make_report(
    subject: Subject, statements: Sequence[Statement], evidence: Evidence, *, release: str
) -> Dataset:
    """Return the structured report.

    Args:
        subject: what it is about.
        statements: the disagreements; none where nothing is left of an earlier result.
        evidence: every image that the statements refer to.
        release: version of overread.
    """
    version = version_of_result(subject)
    groups = [
        group for number, item in enumerate(statements) for group in _groups(item, number, version, evidence)
    ]
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device_of(release)),
        procedure_reported=ours.procedure_code(text(evidence.first, "Modality")),
        imaging_measurements=groups or [_nothing_left(version, evidence)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    identity = Document(
        sop_instance_uid=uid_of("result", Form.SR, *version),
        series_instance_uid=series_uid(subject, Form.SR),
        series_number=SERIES_NUMBER,
        series_description="overread: image and report compared",
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer=MANUFACTURER,
        predecessors=[reference_to(subject, item) for item in subject.predecessors if item.form is Form.SR],
    )
    report = make_document(content, evidence, identity)
    describe_equipment(report, release)
    stamp(report, subject)
    return report


def series_uid(subject: Subject, form: Form) -> UID:
    """Return the series of our results of one form in a study."""
    return uid_of("series", form, subject.study.study_instance_uid, subject.occasion.case_id)


def describe_equipment(made: Dataset, release: str) -> None:
    """Say in General Equipment which software made an object, and that of which release."""
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL
    made.SoftwareVersions = release
    made.DeviceSerialNumber = "0"


def stamp(made: Dataset, subject: Subject, *, at: datetime | None = None) -> None:
    """Give an object the time of the result, or another one, so that making it again gives the same bytes."""
    at = local_time(at or subject.record.triaged_at, made)
    for kind in ("Content", "InstanceCreation", "Series"):
        setattr(made, f"{kind}Date", at.strftime("%Y%m%d"))
        setattr(made, f"{kind}Time", at.strftime("%H%M%S.%f"))
    for equipment in made.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = at.strftime("%Y%m%d%H%M%S.%f")


def device_of(release: str) -> ObserverContext:
    """Return us as the observer (TID 1002, TID 1004)."""
    identity = DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", MANUFACTURER, MODEL, release),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=f"{MODEL} {release}",
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=identity)


def _version(subject: Subject, moment: Moment, judgement_id: int) -> tuple[object, ...]:
    return (
        subject.study.study_instance_uid,
        subject.occasion.case_id,
        moment.value,
        subject.occasion.revision,
        judgement_id,
        subject.record.triaged_at.isoformat(),
    )


def _groups(item: Statement, number: int, version: tuple[object, ...], evidence: Evidence) -> Iterator[Group]:
    places = [region for region in item.regions if region.sop_instance_uid in evidence.headers]
    for place, region in enumerate(places):
        yield _with_words(
            PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=region_item(region, evidence),
                tracking_identifier=tracking_of(item, number, version, place),
                finding_type=concept_of(ours.finding_code(item.finding)),
                finding_category=concept_of(codes.SCT.MorphologicallyAbnormalStructure),
                algorithm_id=algorithm_of(item),
                finding_sites=sites_of(item),
                measurements=_measurements(item),
                qualitative_evaluations=_evaluations(item),
            ),
            item.words,
        )
    if not places:
        image = evidence.headers.get(item.image or "", evidence.first)
        yield _with_words(
            MeasurementsAndQualitativeEvaluations(
                tracking_identifier=tracking_of(item, number, version, 0),
                finding_type=concept_of(ours.finding_code(item.finding)),
                finding_category=concept_of(codes.SCT.MorphologicallyAbnormalStructure),
                algorithm_id=algorithm_of(item),
                finding_sites=sites_of(item),
                measurements=_measurements(item),
                qualitative_evaluations=_evaluations(item),
                source_images=[SourceImageForMeasurementGroup.from_source_image(image)],
            ),
            item.words,
        )


def _nothing_left(version: tuple[object, ...], evidence: Evidence) -> Group:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of("tracking", "nothing left", *version), identifier="comparison of image and report"
        ),
        qualitative_evaluations=[
            QualitativeEvaluation(concept_of(ours.OUTCOME), concept_of(ours.OUTCOME_NONE_LEFT))
        ],
        source_images=[SourceImageForMeasurementGroup.from_source_image(evidence.first)],
    )


def region_item(region: Region, evidence: Evidence) -> ImageRegion:
    """Return the box as a closed polyline; columns and rows from the outer corner (PS3.3 C.18.6.1.1)."""
    left, top, right, bottom = region.column_min, region.row_min, region.column_max, region.row_max
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    header = evidence.headers[region.sop_instance_uid]
    frames = [region.frame + 1] if whole_number(header, "NumberOfFrames", 1) > 1 else None
    return ImageRegion(
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=array(corners),
        source_image=SourceImageForRegion.from_source_image(header, frames),
    )


def tracking_of(item: Statement, number: int, version: tuple[object, ...], place: int) -> TrackingIdentifier:
    """Return what identifies one place of a statement in every object about the same result."""
    identifier, uid = tracked_as(item, number, version, place)
    return TrackingIdentifier(uid=uid, identifier=identifier)


def tracked_as(item: Statement, number: int, version: tuple[object, ...], place: int) -> tuple[str, UID]:
    """Return the tracking identifier of one place of a statement, for people, and the unique one."""
    kind = item.discrepancy.kind.value.replace("_", " ").lower()
    unique = uid_of("tracking", number, place, item.finding.id, item.discrepancy.kind, *version)
    return f"{number + 1}.{place + 1} {item.finding.name}: {kind}"[:64], unique


def algorithm_of(item: Statement) -> AlgorithmIdentification | None:
    """Return which algorithm saw it (TID 4019); None where none did."""
    if item.detector is None:
        return None
    parameters = [f"operating point {item.operating_point}"]
    if item.detector.sha256:
        parameters.append(f"sha256 {item.detector.sha256}")
    return AlgorithmIdentification(
        name=item.detector.name, version=item.detector.version, parameters=parameters
    )


def sites_of(item: Statement) -> list[FindingSite] | None:
    """Return where in the body it is; None where that has no code."""
    site = ours.site_code(item.finding.group)
    side = ours.side_code(item.laterality)
    if site is None:
        return None
    return [FindingSite(concept_of(site), laterality=None if side is None else concept_of(side))]


def _measurements(item: Statement) -> list[Measurement] | None:
    if item.probability is None:
        return None
    certainty = Measurement(
        name=codes.DCM.CertaintyOfFinding,
        value=item.probability * 100,
        unit=codes.UCUM.Percent,
    )
    sizes = [
        Measurement(name=codes.SCT.Diameter, value=size, unit=codes.UCUM.Millimeter) for size in item.size_mm
    ]
    return [certainty, *sizes]


def _evaluations(item: Statement) -> list[QualitativeEvaluation]:
    pairs: list[tuple[Code, Code]] = [
        (codes.DCM.PresenceOfProperty, ours.presence_code(item.presence)),
        (ours.DISCREPANCY_KIND, ours.kind_code(item.discrepancy.kind)),
        (ours.REPORT_SAYS, ours.report_code(item.report_says)),
    ]
    if item.verdict is not None:
        pairs.append((ours.VERDICT, ours.verdict_code(item.verdict)))
    side = ours.side_code(item.laterality)
    if side is not None and ours.site_code(item.finding.group) is None:
        pairs.append((codes.SCT.Laterality, side))
    return [QualitativeEvaluation(concept_of(name), concept_of(value)) for name, value in pairs]


def _with_words(group: Group, words: str) -> Group:
    """Add why it is told, as a comment (TID 1410 and 1501 are extensible)."""
    comment = TextContentItem(
        name=codes.DCM.Comment,
        value=words[:_TEXT_MAX],
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    content = group[0].ContentSequence
    group[0].ContentSequence = ContentSequence([*content, comment])
    return group


def reference_to(subject: Subject, earlier: StoredResult) -> Dataset:
    """Return an earlier result as Predecessor Documents Sequence refers to it (PS3.3 C.17.2)."""
    document = Dataset()
    document.StudyInstanceUID = subject.study.study_instance_uid
    document.SeriesInstanceUID = earlier.series_instance_uid
    document.SOPClassUID = earlier.sop_class_uid
    document.SOPInstanceUID = earlier.sop_instance_uid
    return document


def concept_of(code: Code) -> CodedConcept:
    """Return a code as content items have it."""
    return CodedConcept.from_code(code)
