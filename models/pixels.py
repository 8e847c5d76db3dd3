"""The pixel pipeline: files to what people and networks see. The only one; training and serving share it.

    DICOM -> decode -> modality LUT -> pixel padding --+-> window or VOI LUT -> 8 bit           (for people)
    JPEG, PNG -> decode -> grey -----------------------+-> resize -> `intensity.normalise`     (for networks)

A network never sees the window: it was chosen for somebody's eyes and is often missing or wrong, while
`intensity.normalise` gives an 8-bit export and a 16-bit original of one image nearly the same input.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

from models import intensity
from models.codestream import SCANS_MAX, has_many_scans
from models.decoding import decode_frame
from models.dicom import BROKEN_INPUT, is_dicom, numbers, read_header, text, whole_number
from models.framing import AS_STORED, Framing
from overread.errors import UndecodablePixelsError

PIPELINE_VERSION = "1"  # changes whenever a network's input may; a release names the one it was trained with

MAX_PICTURE_PIXELS = 1 << 28  # of a JPEG or PNG
LEAST_SHARE_IN_WINDOW = 0.1  # of the pixels; a window that shows less was not meant for this image

Display = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Grey values that are shown as black and as white."""

    black: float
    white: float

    @classmethod
    def linear(cls, centre: float, width: float, *, exact: bool = False) -> "Window":
        """Return the window of centre and width: PS3.3 C.11.2.1.2, which is half a value off, or exactly."""
        span, middle = (width, centre) if exact else (width - 1, centre - 0.5)
        return cls(black=middle - span / 2, white=middle + span / 2)


def render_for_display(
    path: Path, frame: int = 0, max_side: int | None = None, window: Window | None = None
) -> Display:
    """Return one frame as it should be shown: (rows, columns), or (rows, columns, 3) in RGB.

    Args:
        path: DICOM, JPEG or PNG.
        frame: counted from 0.
        max_side: shrink so that no side is longer, keeping the aspect ratio; None keeps every pixel.
        window: of the rescaled grey values; None takes what the image names. A colour image has none.

    Raises:
        InvalidDicomError: neither DICOM nor a picture, or the header is cut off.
        UndecodablePixelsError: the pixels are absent, truncated or of an undecodable encoding.
    """
    if not is_dicom(path) and _is_picture(path):
        return _fit(_read_picture(path), max_side)
    header = read_header(path)
    stored = decode_frame(path, header, frame)
    if stored.ndim == 3 or photometric_of(header) == "PALETTE COLOR":
        return _fit(colour_of(stored, header), max_side)
    grey = modality_values(stored, header)
    if "VOILUTSequence" not in header:  # a window is a straight line, so it may come after shrinking
        grey = _shrink(grey, max_side)
    shown = _shrink(windowed(grey, header, window), max_side)
    shown = 1 - shown if photometric_of(header) == "MONOCHROME1" else shown
    return np.rint(shown * 255).astype(np.uint8)


def network_input(
    path: Path, *, rows: int, columns: int, frame: int = 0, framing: Framing = AS_STORED
) -> intensity.Grey:
    """Return one frame as a network sees it: shape (rows, columns), in [0, 1], larger is denser.

    Args:
        path: DICOM, JPEG or PNG.
        rows: of the result.
        columns: of the result.
        frame: counted from 0.
        framing: what is cut away, turned and inverted before everything else.

    Raises:
        InvalidDicomError: neither DICOM nor a picture, or the header is cut off.
        UndecodablePixelsError: the pixels are absent, truncated or of an undecodable encoding.
    """
    stored, header = read_stored(path, frame)
    return network_input_from(stored, header, rows=rows, columns=columns, framing=framing)


def read_stored(path: Path, frame: int = 0) -> tuple[NDArray[Any], Dataset]:
    """Return the stored pixels of one frame and the header, which is empty for a picture.

    Raises:
        InvalidDicomError: neither DICOM nor a picture, or the header is cut off.
        UndecodablePixelsError: the pixels are absent, truncated or of an undecodable encoding.
    """
    if is_dicom(path) or not _is_picture(path):
        header = read_header(path)
        return decode_frame(path, header, frame), header
    return _read_picture(path, grey=True), Dataset()


def network_input_from(
    stored: NDArray[Any], header: Dataset, *, rows: int, columns: int, framing: Framing = AS_STORED
) -> intensity.Grey:
    """Return the decoded pixels of a DICOM image as a network sees them; see `network_input`.

    Raises:
        UndecodablePixelsError: a lookup table of the image is broken.
    """
    stored = framing.apply(stored)
    if stored.ndim == 3 or photometric_of(header) == "PALETTE COLOR":
        grey = intensity.resize(_luminance(colour_of(stored, header)), rows=rows, columns=columns)
        return intensity.normalise(-grey if framing.inverted else grey)
    if "ModalityLUTSequence" in header or "PixelPaddingValue" in header:
        grey = intensity.resize(modality_values(stored, header), rows=rows, columns=columns)
    else:  # rescaling is a straight line, so it may come after the costly part
        grey = rescaled(intensity.resize(stored, rows=rows, columns=columns), header)
    inverted = (photometric_of(header) == "MONOCHROME1") != framing.inverted
    return intensity.normalise(-grey if inverted else grey)


def displayed_input_from(
    stored: NDArray[Any], header: Dataset, *, rows: int, columns: int, framing: Framing = AS_STORED
) -> intensity.Grey:
    """Return decoded pixels as the window shows them to people, in [0, 1]; 8-bit exports look like this.

    For networks from elsewhere, which were trained on such exports; see `models.io_format`.

    Raises:
        UndecodablePixelsError: a lookup table of the image is broken.
    """
    stored = framing.apply(stored)
    inverted = framing.inverted
    is_picture = not len(header) and stored.dtype == np.uint8  # 0 is black in it, 255 white
    if is_picture or stored.ndim == 3 or photometric_of(header) == "PALETTE COLOR":
        colours = stored if is_picture else colour_of(stored, header)
        shown = intensity.resize(_luminance(colours), rows=rows, columns=columns)
        shown = _bounded(shown / np.float32(255))
    else:
        inverted = (photometric_of(header) == "MONOCHROME1") != inverted
        grey = modality_values(stored, header)
        if "VOILUTSequence" in header:
            shown = intensity.resize(windowed(grey, header), rows=rows, columns=columns)
        else:  # a window is a straight line, so it may come after the costly part
            shown = windowed(intensity.resize(grey, rows=rows, columns=columns), header)
    return _bounded(1 - shown if inverted else shown)


def _broken(header: Dataset, part: str, error: Exception) -> UndecodablePixelsError:
    """Return the error for a part of the header, without pydicom's text: it repeats values of the header."""
    image, reason = text(header, "SOPInstanceUID"), type(error).__name__
    return UndecodablePixelsError(f"image {image}: its {part} is broken, send it again ({reason})")


def photometric_of(header: Dataset) -> str:
    """Return the Photometric Interpretation (PS3.3 C.7.6.3.1.2) in capitals; empty where it is absent."""
    return text(header, "PhotometricInterpretation").upper()


def modality_values(stored: NDArray[Any], header: Dataset) -> intensity.Grey:
    """Return rescaled values (PS3.3 C.11.1) in which padding has taken the least dense real value."""
    padding = padding_of(stored, header)
    if "ModalityLUTSequence" in header:
        try:
            grey = np.asarray(apply_modality_lut(stored, header), np.float32)
        except BROKEN_INPUT as error:
            raise _broken(header, "modality LUT", error) from error
    else:
        grey = rescaled(stored.astype(np.float32), header)
    if padding is not None:
        darkest = grey[~padding].max() if photometric_of(header) == "MONOCHROME1" else grey[~padding].min()
        grey[padding] = darkest
    return grey


def rescaled(grey: intensity.Grey, header: Dataset) -> intensity.Grey:
    """Return the values after slope and intercept (PS3.3 C.11.1.1.2); a slope of zero is no slope."""
    slope, intercept = numbers(header, "RescaleSlope"), numbers(header, "RescaleIntercept")
    if slope and intercept and (slope[0], intercept[0]) != (1.0, 0.0) and slope[0] != 0:
        return (grey * np.float32(slope[0]) + np.float32(intercept[0])).astype(np.float32)
    return grey


def padding_of(stored: NDArray[Any], header: Dataset) -> NDArray[np.bool_] | None:
    """Return where the image is padded (PS3.3 C.7.5.1.1.2); None where it is nowhere or everywhere."""
    value = numbers(header, "PixelPaddingValue")
    if not value:
        return None
    limit = numbers(header, "PixelPaddingRangeLimit") or value
    low, high = sorted((value[0], limit[0]))
    padded = stored == low if low == high else (stored >= low) & (stored <= high)
    return padded if padded.any() and not padded.all() else None


def windowed(grey: intensity.Grey, header: Dataset, asked: Window | None = None) -> intensity.Grey:
    """Return values in [0, 1] after the VOI LUT or the first window that shows something (PS3.3 C.11.2)."""
    if asked is not None:
        return _bounded((grey - asked.black) / (asked.white - asked.black))
    if "VOILUTSequence" in header:
        try:
            shown = np.asarray(apply_voi_lut(grey.astype(np.int32), header, prefer_lut=True), np.float32)
            bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
            return _bounded(shown / (2**bits - 1))
        except BROKEN_INPUT as error:
            raise _broken(header, "VOI LUT", error) from error
    window = stated_window(grey, header) or fitted_window(grey)
    position = (grey - window.black) / (window.white - window.black)
    if text(header, "VOILUTFunction") == "SIGMOID":  # PS3.3 C.11.2.1.3.1
        position = 1 / (1 + np.exp(-4 * np.clip(position - 0.5, -20, 20)))
    return _bounded(position)


def _bounded(shown: NDArray[np.floating]) -> intensity.Grey:
    result: intensity.Grey = np.clip(shown, 0, 1).astype(np.float32)
    return result


def stated_window(grey: intensity.Grey, header: Dataset) -> Window | None:
    """Return the first window of the header that shows something of the image; None where none does."""
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    linear = text(header, "VOILUTFunction") in {
        "",
        "LINEAR",
    }  # PS3.3 C.11.2.1.2: half a value off the exact form
    sample = grey[::4, ::4]
    for centre, width in zip(centres, widths, strict=False):
        window = Window.linear(centre, width, exact=not linear)
        if (
            window.white > window.black
            and ((sample > window.black) & (sample < window.white)).mean() >= LEAST_SHARE_IN_WINDOW
        ):
            return window
    return None


def fitted_window(grey: intensity.Grey) -> Window:
    """Return a window that shows all but the extreme values of the image itself."""
    share = intensity.CLIPPED_SHARE
    low, high = (float(value) for value in np.percentile(grey[::2, ::2], [share, 100 - share]))
    return Window(black=low, white=high if high > low else low + 1)


def colour_of(stored: NDArray[Any], header: Dataset) -> Display:
    """Return RGB in 8 bits; pydicom has turned YBR into RGB while decoding."""
    bits = whole_number(header, "BitsStored", 8)
    if stored.ndim == 2:
        try:
            stored = apply_color_lut(stored, header)
            if stored.dtype.itemsize == 2 and not UID(header.file_meta.TransferSyntaxUID).is_little_endian:
                stored = stored.byteswap()  # pydicom 3.0 takes every palette for little endian
        except BROKEN_INPUT as error:
            raise _broken(header, "palette", error) from error
        bits = stored.dtype.itemsize * 8
    return (stored >> (bits - 8)).astype(np.uint8) if bits > 8 else stored.astype(np.uint8)


def _luminance(colours: NDArray[Any]) -> intensity.Grey:
    """Return grey by the weights of ITU-R BT.601; grey stays as it is."""
    if colours.ndim == 2:
        return colours.astype(np.float32)
    return (colours[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(
        np.float32
    )


def _shrink(grey: intensity.Grey, max_side: int | None) -> intensity.Grey:
    rows, columns = _fitting(grey.shape, max_side)
    return grey if (rows, columns) == grey.shape else intensity.resize(grey, rows=rows, columns=columns)


def _fit(picture: NDArray[Any], max_side: int | None) -> Display:
    rows, columns = _fitting(picture.shape, max_side)
    if picture.dtype != np.uint8:  # a grey picture of 16 bits
        picture = np.rint(windowed(picture.astype(np.float32), Dataset()) * 255).astype(np.uint8)
    if (rows, columns) == picture.shape[:2]:
        return picture
    return np.asarray(
        Image.fromarray(picture).resize((columns, rows), Image.Resampling.BILINEAR, reducing_gap=2.0)
    )


def _fitting(shape: tuple[int, ...], max_side: int | None) -> tuple[int, int]:
    rows, columns = shape[:2]
    longest = max(rows, columns)
    if max_side is None or longest <= max_side:
        return rows, columns
    return max(1, round(rows * max_side / longest)), max(1, round(columns * max_side / longest))


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UndecodablePixelsError(f"{path.name} cannot be opened: {error.strerror}") from error
    return start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _read_picture(path: Path, *, grey: bool = False) -> NDArray[Any]:
    """Return a JPEG or PNG as 8-bit RGB or grey, or as grey of 16 bits."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as picture:
            if picture.width * picture.height > MAX_PICTURE_PIXELS:
                raise UndecodablePixelsError(f"{path.name} has more than {MAX_PICTURE_PIXELS} pixels")
            if picture.format == "JPEG" and has_many_scans(path.read_bytes()):
                raise UndecodablePixelsError(f"{path.name} has more than {SCANS_MAX} scans")
            if picture.mode.startswith("I"):
                return np.asarray(picture)
            return np.asarray(picture.convert("L" if grey or picture.mode in {"L", "LA", "1"} else "RGB"))
    except (*BROKEN_INPUT, SyntaxError, Image.DecompressionBombError) as error:
        raise UndecodablePixelsError(
            f"{path.name} cannot be decoded, send it again ({type(error).__name__})"
        ) from error
