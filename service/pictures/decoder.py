"""What lives in a child process that decodes pixels."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from models.dicom import read_header
from models.stored import StoredFrames, locate_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenImage:
    """An image that frames are read of."""

    path: Path
    header: Dataset
    frames: StoredFrames


class Decoder:
    """What lives in a child process: it remembers where the frames of the last image lie."""

    def __init__(self) -> None:
        self._last: OpenImage | None = None

    def open(self, path: Path) -> OpenImage:
        """Return the image of a file.

        Raises:
            InvalidDicomError: the header cannot be read.
            UndecodablePixelsError: its frames cannot be told apart.
        """
        if self._last is None or self._last.path != path:
            header = read_header(path)
            opened = OpenImage(path=path, header=header, frames=locate_frames(path, header))
            if opened.frames.inflated is not None:  # no memory is held between two calls
                self._last = None
                return opened
            self._last = opened
        return self._last
