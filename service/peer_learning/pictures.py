"""Pictures of copied images: as they are, and with what the detector saw of a confirmed finding."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from overread.errors import (
    InvalidDicomError,
    LostProcessError,
    NotFoundError,
    OverLimitError,
    UndecodablePixelsError,
)
from overread.observation import DetectorObservation
from service.confined.limits import Limits
from service.confined.pool import ConfinedPool
from service.desk.words import finding_name
from service.pictures.child import make_decoder
from service.pictures.decoder import Decoder
from service.pictures.drawing import PNG, Drawing, draw
from service.pictures.overlay import Ground, draw_evidence, frame_of

PICTURES_MAX = 6  # of one case
_MAX_SIDE = 900  # pixels, so that a page of ten cases can be sent by mail
_MEMORY_BYTES = 1 << 30
_LIMITS = Limits(wall_seconds=120.0, cpu_seconds=60.0, memory_bytes=_MEMORY_BYTES, answer_bytes=_MEMORY_BYTES)
_NOT_DRAWN = (InvalidDicomError, LostProcessError, NotFoundError, OverLimitError, UndecodablePixelsError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a case."""

    caption: str
    content: bytes = field(repr=False)  # PNG


@contextmanager
def drawing_room() -> Iterator["PictureMaker"]:
    """Give what draws: in a child process, since the images came from elsewhere."""
    with ConfinedPool(partial(make_decoder, _MEMORY_BYTES), what="the decoding of an image", size=1) as pool:
        yield PictureMaker(pool)


class PictureMaker:
    """Draws copied images."""

    def __init__(self, pool: ConfinedPool[Decoder]) -> None:
        """Draw in the children of a pool."""
        self._pool = pool

    def pictures(self, copies: Mapping[str, Path], seen: Sequence[DetectorObservation]) -> list[Picture]:
        """Return the pictures of a case: each confirmed finding unmarked and marked, else its first image.

        What cannot be drawn has no picture; its DICOM copy is there.

        Args:
            copies: by the SOP Instance UID of what was copied.
            seen: what detectors saw of the confirmed findings.
        """
        found = [item for item in seen if item.sop_instance_uid in copies]
        made: list[Picture] = []
        drawn: set[tuple[str, int]] = set()
        for item in found:
            path, frame = copies[item.sop_instance_uid], frame_of(item)
            if (item.sop_instance_uid, frame) not in drawn:
                drawn.add((item.sop_instance_uid, frame))
                made += self._plain(path, frame)
            made += self._marked(path, item)
        if not made and copies:
            made += self._plain(next(iter(copies.values())), 0)
        return made[:PICTURES_MAX]

    def _plain(self, path: Path, frame: int) -> list[Picture]:
        drawing = Drawing(frame=frame, media_type=PNG, max_side=_MAX_SIDE)
        try:
            content = self._pool.call(_LIMITS, draw, path, drawing)
        except _NOT_DRAWN:
            return []
        return [Picture(caption="As it is", content=content)]

    def _marked(self, path: Path, item: DetectorObservation) -> list[Picture]:
        try:
            content = self._pool.call(
                _LIMITS, draw_evidence, path, observation=item, ground=Ground.IMAGE, max_side=_MAX_SIDE
            )
        except _NOT_DRAWN:
            return []
        return [Picture(caption=f"{finding_name(item.finding)}, as the detector saw it", content=content)]
