"""How large an image is, from its header alone."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError as NotDicom

from overread.errors import UndecodablePixelsError


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    """Pixels of one frame as stored."""

    columns: int
    rows: int

    def fitted(self, max_side: int) -> tuple[int, int]:
        """Return width and height when the longer side may have at most this many pixels; never enlarged."""
        scale = min(1.0, max_side / max(self.columns, self.rows))
        return max(round(self.columns * scale), 1), max(round(self.rows * scale), 1)


def measure(path: Path) -> PictureSize:
    """Return the size of the image in a DICOM file.

    Raises:
        UndecodablePixelsError: the object is no image.
    """
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
    except (OSError, NotDicom) as error:
        raise UndecodablePixelsError("the stored object cannot be read as DICOM") from error
    rows, columns = header.get("Rows"), header.get("Columns")
    if not rows or not columns:
        raise UndecodablePixelsError("the object holds no image")
    return PictureSize(columns=int(columns), rows=int(rows))
