"""Frames for a viewer that windows them itself: 16 bits of grey, or 8 bits of each colour.

They take the same way as a picture (`models.pixels.render_for_display`) up to the window; window, inversion
and the size on the screen are the viewer's, so that a window is moved without asking for pixels again.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT, numbers, text
from models.pixels import (
    Window,
    colour_of,
    fitted_window,
    modality_values,
    padding_of,
    photometric_of,
    stated_window,
    windowed,
)

_SHORT = 65535  # the most that 16 bits hold
_WINDOWS_MAX = 16  # of those that an image names
# Functional groups whose elements a frame of an enhanced object has of its own (PS3.3 C.7.6.16.2).
_GROUPS = (
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWindow:
    """A window that the image names, or one that was fitted to it."""

    name: str  # as the image explains it; empty where it does not
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayFrame:
    """One frame before its window."""

    # Grey: (rows, columns) of uint8, int16 or uint16. Colour: (rows, columns, 3) of uint8, in RGB.
    values: NDArray[Any] = field(repr=False)
    slope: float = 1.0  # grey value, such as HU, of a stored one: value * slope + intercept
    intercept: float = 0.0
    windows: tuple[NamedWindow, ...] = ()  # the first is shown unless another is chosen; none for colour
    sigmoid: bool = False  # whether the windows are curves (PS3.3 C.11.2.1.3.1)
    table: NDArray[np.uint8] | None = field(
        default=None, repr=False
    )  # VOI LUT: shown, per value from `least`
    least: int = 0  # of the values
    most: int = 0
    inverted: bool = False  # MONOCHROME1: the least value is white


def frame_header(header: Dataset, frame: int) -> Dataset:
    """Return the header as it holds for one frame, counted from 0, of an enhanced object; else as it is."""
    groups = [
        *_items(header, "SharedFunctionalGroupsSequence")[:1],
        *_items(header, "PerFrameFunctionalGroupsSequence")[frame : frame + 1],
    ]
    if not groups:
        return header
    merged = Dataset(header)
    merged.file_meta = header.file_meta
    for group in groups:
        for keyword in _GROUPS:
            for item in _items(group, keyword)[:1]:
                merged.update(item)
    return merged


def display_frame(stored: NDArray[Any], header: Dataset) -> DisplayFrame:
    """Return the decoded pixels of one frame as a viewer takes them.

    Args:
        stored: as `models.decoding.decode_frame` gives them.
        header: of the frame (`frame_header`).

    Raises:
        UndecodablePixelsError: a lookup table of the image is broken.
    """
    if stored.ndim == 3 or photometric_of(header) == "PALETTE COLOR":
        return DisplayFrame(values=np.ascontiguousarray(colour_of(stored, header)), most=255)
    grey = modality_values(stored, header)
    values, slope, intercept = _in_16_bits(stored, grey, header)
    least, most = int(values.min()), int(values.max())
    table = None
    if "VOILUTSequence" in header:
        every = np.arange(least, most + 1, dtype=np.float32) * np.float32(slope) + np.float32(intercept)
        table = np.rint(windowed(every, header) * 255).astype(np.uint8)
    return DisplayFrame(
        values=values,
        slope=slope,
        intercept=intercept,
        windows=_windows(grey, header),
        sigmoid=text(header, "VOILUTFunction") == "SIGMOID",
        table=table,
        least=least,
        most=most,
        inverted=photometric_of(header) == "MONOCHROME1",
    )


def _in_16_bits(
    stored: NDArray[Any], grey: NDArray[np.float32], header: Dataset
) -> tuple[NDArray[Any], float, float]:
    """Return values of at most 16 bits with slope and intercept; exact unless the image has more bits."""
    if "ModalityLUTSequence" in header and grey.min() >= 0 and grey.max() <= _SHORT:
        return np.rint(grey).astype(np.uint16), 1.0, 0.0
    if stored.dtype.kind in "ui" and stored.dtype.itemsize <= 2 and "ModalityLUTSequence" not in header:
        native = np.dtype(np.int16) if stored.dtype == np.int8 else stored.dtype.newbyteorder("=")
        values = stored.astype(native)
        padding = padding_of(stored, header)
        if padding is not None:
            real = stored[~padding]
            values[padding] = real.max() if photometric_of(header) == "MONOCHROME1" else real.min()
        return np.ascontiguousarray(values), *_rescale(header)
    low, high = float(grey.min()), float(grey.max())
    slope = (high - low) / _SHORT or 1.0
    return np.rint((grey - low) / slope).astype(np.uint16), slope, low


def _rescale(header: Dataset) -> tuple[float, float]:
    """Return slope and intercept (PS3.3 C.11.1.1.2); a slope of zero is no slope."""
    slope, intercept = numbers(header, "RescaleSlope"), numbers(header, "RescaleIntercept")
    return (slope[0], intercept[0]) if slope and intercept and slope[0] != 0 else (1.0, 0.0)


def _windows(grey: NDArray[np.float32], header: Dataset) -> tuple[NamedWindow, ...]:
    """Return the window of the picture first, then the others that the image names."""
    names = text(header, "WindowCenterWidthExplanation").split("\\")
    exact = text(header, "VOILUTFunction") not in {"", "LINEAR"}
    pairs = zip(numbers(header, "WindowCenter"), numbers(header, "WindowWidth"), strict=False)
    named = [
        NamedWindow(name=names[number] if number < len(names) else "", window=window)
        for number, (centre, width) in enumerate(pairs)
        if (window := Window.linear(centre, width, exact=exact)).white > window.black
    ][:_WINDOWS_MAX]
    first = stated_window(grey, header)
    if first is None:
        return NamedWindow(name="Fitted", window=fitted_window(grey)), *named
    return tuple(sorted(named, key=lambda item: item.window != first))


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is absent or broken."""
    try:
        return list(dataset.get(keyword) or ())
    except BROKEN_INPUT:
        return []
