"""Image of the case page, and the source of its overlay."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from overread.discrepancy import Discrepancy
from overread.observation import DetectorObservation
from service.pictures.overlay import frame_of
from service.store.records import CaseDetail, InstanceRecord
from service.web.picture_size import PictureSize

FIT_PIXELS = 1024
FULL_PIXELS = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """The image on the page."""

    sop_instance_uid: str
    frame: int  # counted from 0
    is_first: bool  # whether a viewer begins with it; else it begins where the series does
    address: str
    full_address: str
    overlay_address: str | None
    width: int
    height: int
    description: str
    overlay_description: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmChoice:
    """A link to one of the images of the study."""

    name: str
    address: str
    current: bool


def films_of(
    detail: CaseDetail,
    sizes: Mapping[str, PictureSize],
    chosen: Discrepancy | None,
    image: int | None,
    address: str,
) -> tuple[Film | None, tuple[FilmChoice, ...]]:
    """Return the image to show and links to all that can be shown; None where none can.

    Args:
        detail: the case.
        sizes: of the images that can be shown, by SOP Instance UID.
        chosen: the discrepancy whose image is shown unless another is asked for.
        image: number of the image that is asked for, from 1; None asks for none.
        address: of this page, for links to the other images.
    """
    shown = [
        (instance, size)
        for instance in detail.instances
        if (size := sizes.get(instance.sop_instance_uid)) is not None
    ]
    if not shown:
        return None, ()
    observation = chosen.detector_observation if chosen else None
    at = _position(shown, observation, image)
    choices = tuple(
        FilmChoice(name=f"Image {number}", address=f"{address}&image={number}", current=number == at + 1)
        for number in range(1, len(shown) + 1)
    )
    instance, size = shown[at]
    film = _film(detail, instance, size, observation)
    supports = observation is not None and observation.sop_instance_uid == instance.sop_instance_uid
    return replace(film, is_first=supports or image is not None or len(shown) == 1), choices


def _position(
    shown: list[tuple[InstanceRecord, PictureSize]],
    observation: DetectorObservation | None,
    image: int | None,
) -> int:
    if image is not None and 1 <= image <= len(shown):
        return image - 1
    uids = [instance.sop_instance_uid for instance, _ in shown]
    if observation is not None and observation.sop_instance_uid in uids:
        return uids.index(observation.sop_instance_uid)
    return 0


def _film(
    detail: CaseDetail, instance: InstanceRecord, size: PictureSize, observation: DetectorObservation | None
) -> Film:
    rendered = f"/api/v1/instances/{instance.sop_instance_uid}/rendered.png"
    width, height = size.fitted(FIT_PIXELS)
    overlay, frame = None, 0
    if observation is not None and observation.sop_instance_uid == instance.sop_instance_uid:
        frame = frame_of(observation)
        finding = quote(observation.finding, safe="")
        revision = detail.summary.revision  # a new result has a new address
        overlay = (
            f"/api/v1/cases/{detail.summary.case_id}/overlay.png"
            f"?finding={finding}&ground=transparent&max_side={FIT_PIXELS}&revision={revision}"
        )
    kind = instance.modality or "image"
    return Film(
        sop_instance_uid=instance.sop_instance_uid,
        frame=frame,
        is_first=False,
        address=f"{rendered}?max_side={FIT_PIXELS}",
        full_address=f"{rendered}?max_side={FULL_PIXELS}",
        overlay_address=overlay,
        width=width,
        height=height,
        description=f"{kind} image of the study, {size.columns} by {size.rows} pixels",
        overlay_description="Where the detector's evidence for the finding lies",
        caption=f"{kind}, {size.columns} × {size.rows}",
    )
