"""What a person says of a result: Comprehensive SR with the measurement report of TID 1500.

Each statement of the result that was assessed is a group of evaluations (TID 1501) under the tracking
identifiers that it has in the structured report after triage, so that receivers can put the two side by side;
the first group is about the result as a whole. What the person states beyond it has groups of its own, with
a region (TID 1410) where a place is given. The predecessors are the earlier reports of the case.

DICOM has no codes for accepted and rejected that pydicom's tables know: they are of the private scheme. The
person is not named, as authors of reports are told nobody's name.
"""

from collections.abc import Iterator, Sequence

from highdicom.sr import (
    CodedConcept,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from models.dicom import text
from overread.finding import load_vocabulary
from overread.second_read import AddedFinding, Judgement, StatedFinding
from service.results import codes as ours
from service.results.document import Document, make_document
from service.results.evidence import Evidence
from service.results.identifiers import uid_of
from service.results.report import (
    MANUFACTURER,
    Group,
    algorithm_of,
    concept_of,
    describe_equipment,
    device_of,
    reference_to,
    region_item,
    series_uid,
    sites_of,
    stamp,
    tracking_of,
    version_after_triage,
    version_of_result,
)
from service.results.statements import Assessment, Statement, assessment_of
from service.store.results import Form, Subject

SERIES_NUMBER = 9104
READER = "Second reader"  # instead of a name
_LABEL_LENGTH = 64

Evaluations = list[tuple[Code, Code]]


def make_assessment(
    subject: Subject, statements: Sequence[Statement], evidence: Evidence, *, release: str
) -> Dataset:
    """Return the structured report.

    Args:
        subject: what was judged.
        statements: every disagreement of the result, with the verdict on it; at least one.
        evidence: every image that the statements, and what the person states, refer to.
        release: version of overread.
    """
    version = version_of_result(subject)
    judgement = subject.judgement or Judgement()
    groups = [
        _whole(statements, judgement, version, evidence),
        *(_statement(item, number, subject, evidence) for number, item in enumerate(statements)),
        *_stated(statements, judgement, version, evidence),
    ]
    person = PersonObserverIdentifyingAttributes(name=READER)
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=ObserverContext(
                observer_type=codes.DCM.Person, observer_identifying_attributes=person
            ),
            observer_device_context=device_of(release),
        ),
        procedure_reported=ours.procedure_code(text(evidence.first, "Modality")),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    assessed = [item for item in subject.predecessors if item.form in {Form.SR, Form.ASSESSMENT}]
    identity = Document(
        sop_instance_uid=uid_of("result", Form.ASSESSMENT, *version),
        series_instance_uid=series_uid(subject, Form.ASSESSMENT),
        series_number=SERIES_NUMBER,
        series_description="overread: result assessed by a person",
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer=MANUFACTURER,
        predecessors=[reference_to(subject, item) for item in assessed],
    )
    report = make_document(content, evidence, identity)
    describe_equipment(report, release)
    stamp(report, subject, at=subject.occasion.happened_at)
    return report


def stated_on(statements: Sequence[Statement], subject: Subject) -> list[str]:
    """Return the SOP Instance UIDs of the images on which the person marks something."""
    marked = [item.corrected for item in statements]
    if subject.judgement is not None:
        marked += [item.stated for item in subject.judgement.added]
    return [item.region.sop_instance_uid for item in marked if item is not None and item.region is not None]


def _whole(
    statements: Sequence[Statement], judgement: Judgement, version: tuple[object, ...], evidence: Evidence
) -> Group:
    assessment = assessment_of(statements, adds=bool(judgement.added))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(0, "whole result", version),
        finding_type=concept_of(ours.ASSESSED_WHOLE),
        qualitative_evaluations=_evaluations([(ours.ASSESSMENT, ours.assessment_code(assessment))]),
        source_images=[SourceImageForMeasurementGroup.from_source_image(evidence.first)],
    )


def _statement(item: Statement, number: int, subject: Subject, evidence: Evidence) -> Group:
    said: Evaluations = [
        (ours.ASSESSMENT, ours.assessment_code(item.assessment)),
        (ours.DISCREPANCY_KIND, ours.kind_code(item.discrepancy.kind)),
    ]
    if item.cause is not None:
        said.append((ours.REJECTED_BECAUSE, ours.cause_code(item.cause)))
    image = evidence.headers.get(item.image or "", evidence.first)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking_of(item, number, version_after_triage(subject), 0),
        finding_type=concept_of(ours.finding_code(item.finding)),
        algorithm_id=algorithm_of(item),
        finding_sites=sites_of(item),
        qualitative_evaluations=_evaluations(said),
        source_images=[SourceImageForMeasurementGroup.from_source_image(image)],
    )


def _stated(
    statements: Sequence[Statement],
    judgement: Judgement,
    version: tuple[object, ...],
    evidence: Evidence,
) -> Iterator[Group]:
    """Give what the person states: flags as they are in truth, then what nothing had flagged."""
    corrected = [
        AddedFinding(stated=item.corrected, kind=item.discrepancy.kind)
        for item in statements
        if item.corrected is not None
    ]
    for number, item in enumerate([*corrected, *judgement.added], 1):
        stated = item.stated
        finding = load_vocabulary()[stated.finding]
        said: Evaluations = [
            (ours.ASSESSMENT, ours.assessment_code(Assessment.SUPPLEMENTED)),
            (ours.DISCREPANCY_KIND, ours.kind_code(item.kind)),
        ]
        if (side := ours.side_code(stated.laterality)) is not None:
            said.append((codes.SCT.Laterality, side))
        tracking = _tracking(number, finding.name, version)
        yield _group(stated, tracking, concept_of(ours.finding_code(finding)), said, evidence)


def _group(
    stated: StatedFinding,
    tracking: TrackingIdentifier,
    finding: CodedConcept,
    said: Evaluations,
    evidence: Evidence,
) -> Group:
    if stated.region is not None and stated.region.sop_instance_uid in evidence.headers:
        return PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region_item(stated.region, evidence),
            tracking_identifier=tracking,
            finding_type=finding,
            qualitative_evaluations=_evaluations(said),
        )
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        finding_type=finding,
        qualitative_evaluations=_evaluations(said),
        source_images=[SourceImageForMeasurementGroup.from_source_image(evidence.first)],
    )


def _tracking(number: int, label: str, version: tuple[object, ...]) -> TrackingIdentifier:
    return TrackingIdentifier(
        uid=uid_of("tracking", "assessment", number, *version),
        identifier=f"assessment {number}: {label}"[:_LABEL_LENGTH],
    )


def _evaluations(said: Evaluations) -> list[QualitativeEvaluation]:
    return [QualitativeEvaluation(concept_of(name), concept_of(value)) for name, value in said]
