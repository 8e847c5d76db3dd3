"""From the file of an image to what a network is given, or to the reason why it is given nothing.

The header decides first (`models.applicability`), then the pixels (`models.guards`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.applicability import SMALLEST_SIDE, is_mirrored, quarter_turns, reason_not_applicable
from models.decoding import decode_frame
from models.describing import describe_image
from models.dicom import read_header, text, whole_number
from models.framing import Framing
from models.guards import TURNED, Guard, frame
from models.intensity import Grey
from models.io_format import InputForm
from models.manifest import Manifest
from models.pixels import network_input_from, read_stored
from models.placement import Placement, prepare
from overread.appearance import Appearance
from overread.errors import InvalidDicomError
from overread.observation import ImageRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """One image of a study, ready for the network or for a remark."""

    whole: ImageRegion  # the image from edge to edge
    mirrored: bool  # once it is upright
    placement: Placement
    pixels: Grey | None  # as the network sees them; None where the model is not meant for the image
    reason: str = ""  # why it is not; empty where it is
    remarks: tuple[str, ...] = ()  # what was corrected or looks odd
    appearance: Appearance | None = None  # None where `pixels` is


def prepare_image(path: Path, manifest: Manifest, guard: Guard | None) -> PreparedImage:
    """Return one DICOM image as the network of a release needs it; safe to call from several threads.

    Raises:
        InvalidDicomError: the file is no DICOM image with a SOP Instance UID.
        UndecodablePixelsError: the image is one that the model is meant for, and cannot be decoded.
    """
    header = read_header(path)
    image = text(header, "SOPInstanceUID")
    if not image:
        raise InvalidDicomError(f"{path.name} has no SOP Instance UID; send it again")
    whole = ImageRegion(
        sop_instance_uid=image,
        column_min=0.0,
        row_min=0.0,
        column_max=float(whole_number(header, "Columns", 0)),
        row_max=float(whole_number(header, "Rows", 0)),
    )
    mirrored = is_mirrored(header)
    reason = reason_not_applicable(header, manifest.intended_use)
    if reason is not None:
        return PreparedImage(
            whole=whole, mirrored=mirrored, placement=Placement(), pixels=None, reason=reason
        )
    stored = decode_frame(path, header)
    view = _view(stored, header, manifest, guard)
    return PreparedImage(
        whole=whole,
        mirrored=mirrored,
        placement=view.placement,
        pixels=view.pixels,
        reason=view.reason,
        remarks=view.remarks,
        appearance=_described(view, stored, header),
    )


def prepare_picture(path: Path, manifest: Manifest, guard: Guard | None) -> PreparedImage:
    """Return a PNG or JPEG as the network of a release needs it.

    It has no header to be held to, so its pixels alone decide; its file name stands for its UID.

    Raises:
        InvalidDicomError, UndecodablePixelsError: the picture cannot be read.
    """
    stored, header = read_stored(path)
    view = _view(stored, header, manifest, guard)
    return PreparedImage(
        whole=ImageRegion(
            sop_instance_uid=path.name,
            column_min=0.0,
            row_min=0.0,
            column_max=float(stored.shape[1]),
            row_max=float(stored.shape[0]),
        ),
        mirrored=False,
        placement=view.placement,
        pixels=view.pixels,
        reason=view.reason,
        remarks=view.remarks,
        appearance=_described(view, stored, header),
    )


def _described(view: "_View", stored: NDArray[Any], header: Dataset) -> Appearance | None:
    if view.pixels is None:
        return None
    return describe_image(stored, header, view.pixels, view.placement.framing)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The pixels' part of a prepared image."""

    placement: Placement
    pixels: Grey | None
    reason: str = ""
    remarks: tuple[str, ...] = ()


def _view(stored: NDArray[Any], header: Dataset, manifest: Manifest, guard: Guard | None) -> _View:
    """Return the image upright by its header and, where there is a guard, by its pixels."""
    network, turns = manifest.network, quarter_turns(header)
    stated = Framing(quarter_turns=turns)
    remarks = (f"{TURNED.format(90 * turns)}: its patient orientation says so",) if turns else ()
    if guard is None:
        pixels, placement = prepare(stored, header, network, stated)
        return _View(placement=placement, pixels=pixels, remarks=remarks)

    def look(framing: Framing) -> Grey:
        return network_input_from(stored, header, rows=network.rows, columns=network.columns, framing=framing)

    framed = frame(look, stated, guard, mirrored=is_mirrored(header))
    reason = framed.reason or _too_small(framed.framing, stored)
    if reason or framed.pixels is None:
        return _View(placement=Placement(framing=framed.framing), pixels=None, reason=reason)
    pixels, placement = framed.pixels, Placement(framing=framed.framing)
    if network.input_form != InputForm():  # the network sees it otherwise than the guard does
        pixels, placement = prepare(stored, header, network, framed.framing)
    return _View(placement=placement, pixels=pixels, remarks=(*remarks, *framed.remarks))


def _too_small(framing: Framing, stored: NDArray[Any]) -> str:
    rows, columns = framing.apply(stored).shape[:2]
    if min(rows, columns) >= SMALLEST_SIDE:
        return ""
    return f"shows only {rows} x {columns} pixels within its border; {SMALLEST_SIDE} a side are needed"
