"""Places in the images as FHIR R5 ImagingSelections (imagingselection.html); R4 has no such resource.

One for each series in which a disagreement shows: the very instances, frames and boxes. A box is the closed
polyline that the DICOM structured report has: columns and rows from the outer corner of the first pixel.
"""

from collections.abc import Sequence

from pydicom.sr.codedict import codes

from overread.observation import ImageRegion
from service.fhir.elements import (
    WITHDRAWN,
    Json,
    Result,
    concept_of,
    meta_of,
    patient_of,
    study_identifier,
)
from service.store.records import InstanceRecord

_URI = "urn:ietf:rfc:3986"


def imaging_selections(result: Result, number: int) -> list[Json]:
    """Return the places of a disagreement, counted from 1, one resource for each series.

    None where it has no place, or a person added it.
    """
    if number > len(result.statements):
        return []
    images = {item.sop_instance_uid: item for item in result.subject.images}
    of_series: dict[str, list[ImageRegion]] = {}
    for region in result.statements[number - 1].regions:
        if (image := images.get(region.sop_instance_uid)) is not None:
            of_series.setdefault(image.series_instance_uid, []).append(region)
    name = f"case-{result.subject.occasion.case_id}-{number}"
    is_left = result.status_of(number) != WITHDRAWN
    return [
        {
            "resourceType": "ImagingSelection",
            "id": f"{name}-{place}",
            "meta": meta_of(result),
            "status": "available" if is_left else WITHDRAWN,
            "subject": patient_of(result.subject),
            "issued": result.changed_at.isoformat(),
            "code": concept_of(codes.DCM.ImageRegion),
            "studyUid": result.subject.study.study_instance_uid,
            "derivedFrom": [{"identifier": study_identifier(result.subject)}],
            "seriesUid": series,
            "instance": [
                _instance(images[uid], frame, regions) for (uid, frame), regions in _by_frame(found).items()
            ],
        }
        for place, (series, found) in enumerate(of_series.items(), 1)
    ]


def _by_frame(regions: Sequence[ImageRegion]) -> dict[tuple[str, int], list[ImageRegion]]:
    frames: dict[tuple[str, int], list[ImageRegion]] = {}
    for region in regions:
        frames.setdefault((region.sop_instance_uid, region.frame), []).append(region)
    return frames


def _instance(image: InstanceRecord, frame: int, regions: Sequence[ImageRegion]) -> Json:
    """Return one frame with its boxes; frames count from 1 (PS3.3)."""
    return {
        "uid": image.sop_instance_uid,
        "sopClass": {"system": _URI, "code": f"urn:oid:{image.sop_class_uid}"},
        "subset": [str(frame + 1)],
        "imageRegion2D": [_box(region) for region in regions],
    }


def _box(region: ImageRegion) -> Json:
    left, top, right, bottom = region.column_min, region.row_min, region.column_max, region.row_max
    corners = (left, top, right, top, right, bottom, left, bottom, left, top)
    return {"regionType": "polyline", "coordinate": list(corners)}
