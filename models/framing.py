"""Framing of a stored image for the network, which way up, and the way back for its regions."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.localisation import Box

WHOLE = Box(left=0.0, top=0.0, right=1.0, bottom=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """A cut, then quarter turns, then an inversion. The defaults change nothing."""

    field: Box = WHOLE  # what is kept, in shares of the stored image
    quarter_turns: int = 0  # counter-clockwise, 0 to 3
    inverted: bool = False  # black for white, after what Photometric Interpretation asks for

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the field of (rows, columns, ...) the right way up; grey values are left alone."""
        rows, columns = stored.shape[:2]
        kept = stored[
            round(self.field.top * rows) : round(self.field.bottom * rows),
            round(self.field.left * columns) : round(self.field.right * columns),
        ]
        return np.rot90(kept, self.quarter_turns)

    def then(self, *, quarter_turns: int, inverted: bool) -> Self:
        """Return this framing followed by further turns and, where asked for, an inversion."""
        return replace(
            self,
            quarter_turns=(self.quarter_turns + quarter_turns) % 4,
            inverted=self.inverted != inverted,
        )

    def to_stored(self, box: Box) -> Box:
        """Return a box in shares of the framed image as shares of the stored one."""
        for _ in range(self.quarter_turns):
            box = Box(left=1 - box.bottom, top=box.left, right=1 - box.top, bottom=box.right)
        width, height = self.field.right - self.field.left, self.field.bottom - self.field.top
        return Box(
            left=self.field.left + box.left * width,
            top=self.field.top + box.top * height,
            right=self.field.left + box.right * width,
            bottom=self.field.top + box.bottom * height,
        )

    def map_to_stored(self, grid: NDArray[Any]) -> NDArray[Any]:
        """Return a grid over the framed image as one over `field`, turned as the image is stored."""
        return np.rot90(grid, -self.quarter_turns)

    def cut(self, field: Box) -> Self:
        """Return this framing with only a part of what it keeps, given in shares of the framed image."""
        return replace(self, field=self.to_stored(field))


AS_STORED = Framing()
