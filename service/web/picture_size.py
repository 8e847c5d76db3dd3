"""Size of an image, and of a picture of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    """Pixels of one frame as stored."""

    columns: int
    rows: int

    def fitted(self, max_side: int) -> tuple[int, int]:
        """Return width and height when the longer side may have at most this many pixels; never enlarged."""
        scale = min(1.0, max_side / max(self.columns, self.rows))
        return max(round(self.columns * scale), 1), max(round(self.rows * scale), 1)
