"""The detector's marks on the images of a case, as the case page lists them and its viewer draws them."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from overread.discrepancy import Discrepancy
from overread.observation import DetectorObservation, ImageRegion
from service.desk.known import finding_words
from service.pictures.overlay import frame_of
from service.store.records import CaseDetail

HEAT_PIXELS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkLine:
    """What a detector marked on one frame."""

    sop_instance_uid: str
    frame: int  # counted from 0
    boxes: str  # left, top, right and bottom in pixels as stored, divided by spaces; boxes by semicolons
    heat_address: str | None
    label: str


def mark_lines(detail: CaseDetail, chosen: Discrepancy | None) -> tuple[MarkLine, ...]:
    """Return the marks of the discrepancy that the reader looks at, by frame."""
    observation = chosen.detector_observation if chosen else None
    if chosen is None or observation is None:
        return ()
    label = f"{finding_words(chosen)} · {observation.probability:.0%} · {_model(detail, observation)}"
    places = {(region.sop_instance_uid, region.frame): None for region in observation.regions}
    own = (observation.sop_instance_uid, frame_of(observation))
    if observation.heat_map is not None:
        places[own] = None
    return tuple(
        MarkLine(
            sop_instance_uid=uid,
            frame=frame,
            boxes=_boxes(
                region
                for region in observation.regions
                if (region.sop_instance_uid, region.frame) == (uid, frame)
            ),
            heat_address=_heat(detail, observation) if (uid, frame) == own else None,
            label=label,
        )
        for uid, frame in places
    )


def _model(detail: CaseDetail, observation: DetectorObservation) -> str:
    for detection in detail.triage.detections if detail.triage else ():
        if observation in detection.observations:
            return f"{detection.detector.name} {detection.detector.version}"
    return "detector"


def _boxes(regions: Iterable[ImageRegion]) -> str:
    return ";".join(
        f"{region.column_min:g} {region.row_min:g} {region.column_max:g} {region.row_max:g}"
        for region in regions
    )


def _heat(detail: CaseDetail, observation: DetectorObservation) -> str | None:
    if observation.heat_map is None:
        return None
    return (
        f"/api/v1/cases/{detail.summary.case_id}/overlay.png?finding={quote(observation.finding, safe='')}"
        f"&ground=transparent&boxes=false&max_side={HEAT_PIXELS}&revision={detail.summary.revision}"
    )
