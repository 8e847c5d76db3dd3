"""Makes one result in one form; pixels are read in a child process, under limits."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Self

from pydicom.dataset import Dataset

from service.confined.confined import Confined
from service.confined.limits import Limits
from service.pictures.child import make_decoder
from service.results.assessment import make_assessment, stated_on
from service.results.capture import boxes_on, caption_of, draw_capture, make_capture, place_of
from service.results.evidence import Evidence, evidence_of
from service.results.message import make_message
from service.results.report import make_report
from service.results.selection import make_selection
from service.results.statements import Statement
from service.store.results import Form, Subject

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

    def make_object(self, subject: Subject, statements: Sequence[Statement], form: Form) -> Dataset:
        """Return the DICOM object of a result.

        Raises:
            NotFoundError: the images are not there any more.
            InputError: an image cannot be read, or its pixels cannot be decoded.
            OutOfResourcesError: an image cannot be fetched now.
            LostProcessError: the child process ended without an answer.
        """
        makers: Mapping[Form, Callable[[Subject, Sequence[Statement], Evidence], Dataset]] = {
            Form.SR: partial(make_report, release=self._release),
            Form.KO: partial(make_selection, release=self._release),
            Form.SC: self._make_capture,
            Form.ASSESSMENT: partial(make_assessment, release=self._release),
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


def referred(statements: Sequence[Statement]) -> list[str]:
    """Return the SOP Instance UIDs of the images on which something shows."""
    places = [region.sop_instance_uid for item in statements for region in item.regions]
    return places + [item.image for item in statements if item.image is not None]
