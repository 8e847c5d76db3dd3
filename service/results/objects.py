"""Makes one result in one form; pixels are read in a child process, under limits."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT
from overread.errors import UndecodablePixelsError
from service.confined.confined import Confined
from service.confined.limits import Limits
from service.pictures.child import make_decoder
from service.results.assessment import make_assessment, stated_on
from service.results.capture import boxes_on, caption_of, draw_capture, make_capture, place_of
from service.results.evidence import Evidence, evidence_of
from service.results.message import make_message
from service.results.places import places_of
from service.results.presentation import ShownWindow, is_grey, make_presentation, shown_window
from service.results.rejection import make_rejection
from service.results.report import make_report
from service.results.segmentation import make_segmentation
from service.results.selection import make_selection
from service.results.statements import Statement
from service.store.results import Form, Subject

_log = structlog.get_logger("overread.results")
_MEMORY_BYTES = 1 << 30
_LIMITS = Limits(wall_seconds=120.0, cpu_seconds=60.0, memory_bytes=_MEMORY_BYTES)


class Workshop:
    """Where results are made. A context manager: its end ends the child process. One user at a time."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._release = version("overread")
        self._decoder = Confined(partial(make_decoder, _MEMORY_BYTES), what="the pictures of results")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()

    def make_object(self, subject: Subject, statements: Sequence[Statement], form: Form) -> Dataset | None:
        """Return the DICOM object of a result.

        None where the form can tell nothing of it: segmentations and presentation states where no
        disagreement has a place, or where it is on images that such an object cannot be about.

        Raises:
            NotFoundError: the images are not there any more.
            InputError: an image cannot be read, or its pixels cannot be decoded.
            OutOfResourcesError: an image cannot be fetched now.
            LostProcessError: the child process ended without an answer.
        """
        makers: Mapping[Form, Callable[[Subject, Sequence[Statement], Evidence], Dataset | None]] = {
            Form.SR: partial(make_report, release=self._release),
            Form.KO: partial(make_selection, release=self._release),
            Form.SC: self._make_capture,
            Form.ASSESSMENT: partial(make_assessment, release=self._release),
            Form.SEG: self._make_segmentation,
            Form.GSPS: self._make_presentation,
            Form.REJECTION: self._make_rejection,
        }
        evidence = evidence_of(subject.images, [*referred(statements), *stated_on(statements, subject)])
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of names and values as the images have them: patients' among them
            return makers[form](subject, statements, evidence)

    def make_message(self, subject: Subject, statements: Sequence[Statement], *, corrects: bool) -> str:
        """Return the HL7 message of a result.

        Raises:
            NotFoundError: the images are not there any more.
            InputError: an image cannot be read.
            OutOfResourcesError: an image cannot be fetched now.
        """
        evidence = evidence_of(subject.images, referred(statements))
        return make_message(subject, statements, evidence.first, corrects=corrects)

    def _make_capture(self, subject: Subject, statements: Sequence[Statement], evidence: Evidence) -> Dataset:
        image, frame = place_of(statements, evidence)
        pixels = self._decoder.call(
            _LIMITS,
            draw_capture,
            evidence.paths[image],
            frame=frame,
            boxes=boxes_on(statements, image, frame),
            caption=caption_of(statements),
        )
        return make_capture(subject, evidence, image, pixels, release=self._release)

    def _make_segmentation(
        self, subject: Subject, statements: Sequence[Statement], evidence: Evidence
    ) -> Dataset | None:
        places = places_of(statements, evidence)
        if places is None:
            return None
        return _unless_unsuited(
            subject, Form.SEG, partial(make_segmentation, subject, places, release=self._release)
        )

    def _make_presentation(
        self, subject: Subject, statements: Sequence[Statement], evidence: Evidence
    ) -> Dataset | None:
        places = places_of(statements, evidence)
        if places is None or not all(map(is_grey, places.headers)):
            return None
        first_frames = {header.SOPInstanceUID: frame for header, frame in reversed(places.planes)}
        windows = {
            image: self._window_of(evidence.paths[image], frame) for image, frame in first_frames.items()
        }
        return _unless_unsuited(
            subject, Form.GSPS, partial(make_presentation, subject, places, windows, release=self._release)
        )

    def _window_of(self, path: Path, frame: int) -> ShownWindow | None:
        """Return the window in which the desk shows a frame; None where it shows none, or has a table."""
        try:
            return self._decoder.call(_LIMITS, shown_window, path, frame=frame)
        except UndecodablePixelsError:  # nothing of the state needs the pixels
            return None

    def _make_rejection(self, subject: Subject, _: Sequence[Statement], evidence: Evidence) -> Dataset:
        return make_rejection(subject, evidence, release=self._release)


def _unless_unsuited(subject: Subject, form: Form, make: Callable[[], Dataset | None]) -> Dataset | None:
    """Return an object; None, with a line in the log, where highdicom cannot make it of such headers."""
    try:
        return make()
    except BROKEN_INPUT as error:  # no text of it: it repeats values of the headers
        _log.warning(
            "result_unsuited", case=subject.occasion.case_id, form=form.value, reason=type(error).__name__
        )
        return None


def referred(statements: Sequence[Statement]) -> list[str]:
    """Return the SOP Instance UIDs of the images on which something shows."""
    places = [region.sop_instance_uid for item in statements for region in item.regions]
    return places + [item.image for item in statements if item.image is not None]
