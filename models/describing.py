"""Describes an image as a detector is given it: `overread.appearance.Appearance`, made while it is prepared.

The embedding is the lowest frequencies of the image: the two-dimensional discrete cosine transform (DCT-II,
Ahmed, Natarajan and Rao 1974) of a thumbnail of 32 x 32 cells with mean 0 and standard deviation 1, the first
five frequencies in both directions without the constant one. It sees what fills a tenth of an image and more:
pose, turn, mirroring, inversion, collimation, large bright or dark fields. It sees no texture, noise or sharp
edge, which is what the measures of the pixels are for, nor anything of the size of a nodule.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.dicom import numbers, text, whole_number
from models.framing import WHOLE, Framing
from models.guards import THUMBNAIL, thumbnail
from models.intensity import Grey
from models.pixels import photometric_of
from overread.appearance import Appearance

_FREQUENCIES = 5  # in each direction: overread.appearance.EMBEDDING_SIZE without the constant one
_BINS = 1024  # of the histogram from which measures are taken
_ENTROPY_BINS = 64
_EMPTY = 0.02  # a row or column that is nowhere brighter belongs to an empty border
_SAMPLED_SIDE = 128  # stored values in each direction that are looked at
_WORD = 64  # characters
_EXPOSURE = {
    "kilovolts": "KVP",
    "exposure_index": "ExposureIndex",
    "deviation_index": "DeviationIndex",
}
_PERCENTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the orthonormal DCT-II, (_FREQUENCIES, THUMBNAIL)."""
    places = (np.arange(THUMBNAIL) + 0.5) * np.pi / THUMBNAIL
    rows: NDArray[np.float64] = np.cos(np.outer(np.arange(_FREQUENCIES), places)) * np.sqrt(2 / THUMBNAIL)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


_COSINES = _cosines()


def describe_image(stored: NDArray[Any], header: Dataset, pixels: Grey, framing: Framing) -> Appearance:
    """Return what an image looks like.

    Args:
        stored: its decoded pixels, (rows, columns) or (rows, columns, 3).
        header: of it; empty for a picture.
        pixels: as the network sees them, in [0, 1].
        framing: that was applied.
    """
    bits = whole_number(header, "BitsStored", 0)
    return Appearance(
        view=_word(text(header, "ViewPosition")),
        scanner=_word(f"{_cut(header, 'Manufacturer')} {_cut(header, 'ManufacturerModelName')}"),
        rows=int(stored.shape[0]),
        columns=int(stored.shape[1]),
        bits=bits or None,
        photometric=_word(photometric_of(header)),
        quarter_turns=framing.quarter_turns,
        is_inverted=framing.inverted,
        is_cut=framing.field != WHOLE,
        measures={**_exposure_of(header), **_measures_of(pixels), **_stored_measures(stored, bits)},
        embedding=embedding_of(pixels),
    )


def embedding_of(pixels: Grey) -> tuple[float, ...]:
    """Return the lowest frequencies of what the network sees, row by row; see above."""
    found = (_COSINES @ thumbnail(pixels) @ _COSINES.T).ravel()[1:]
    return tuple(round(float(value), 4) for value in found)


def _measures_of(pixels: Grey) -> dict[str, float]:
    """Return the measures of what the network sees, all but two of them from one histogram."""
    counts = np.bincount((pixels * (_BINS - 1)).astype(np.int64).ravel(), minlength=_BINS)
    shares = counts / pixels.size
    levels = np.arange(_BINS) / (_BINS - 1)
    mean = float(shares @ levels)
    reached = np.cumsum(shares)
    coarse = shares.reshape(_ENTROPY_BINS, -1).sum(axis=1)
    coarse = coarse[coarse > 0]
    found = {
        "mean": mean,
        "spread": math.sqrt(max(float(shares @ (levels - mean) ** 2), 0.0)),
        **{name: float(levels[np.searchsorted(reached, share)]) for name, share in _PERCENTILES.items()},
        "entropy": max(float(-(coarse * np.log2(coarse)).sum()), 0.0),
        "border": _border(pixels),
        "detail": float(np.abs(np.diff(pixels, axis=1)).mean()),
    }
    return {name: round(value, 5) for name, value in found.items()}


def _border(pixels: Grey) -> float:
    """Return the share of the area beside what the first and last row and column with anything enclose."""
    sides = [np.flatnonzero(pixels.max(axis=axis) > _EMPTY) for axis in (0, 1)]
    if not all(len(side) for side in sides):
        return 1.0
    inside = float(np.prod([side[-1] - side[0] + 1 for side in sides]))
    return 1 - inside / pixels.size


def _stored_measures(stored: NDArray[Any], bits: int) -> dict[str, float]:
    """Return percentiles of a part of the stored values, by their order."""
    steps = [max(1, length // _SAMPLED_SIDE) for length in stored.shape[:2]]
    sampled = stored[:: steps[0], :: steps[1]].ravel()
    held = float(2 ** (bits or 8 * stored.dtype.itemsize))
    names = {"stored_low": 0.01, "stored_middle": 0.5, "stored_high": 0.99}
    places = [round(share * (sampled.size - 1)) for share in names.values()]
    ordered = np.partition(sampled, places)
    return {name: round(float(ordered[place]) / held, 5) for name, place in zip(names, places, strict=True)}


def _exposure_of(header: Dataset) -> dict[str, float]:
    stated = {name: numbers(header, keyword) for name, keyword in _EXPOSURE.items()}
    return {name: values[0] for name, values in stated.items() if values}


def _cut(header: Dataset, keyword: str) -> str:
    return text(header, keyword)[:_WORD].strip()


def _word(value: str) -> str | None:
    return " ".join(value[: 2 * _WORD + 1].split()) or None
