"""Patients that a network leaves out: decided per patient, once, by a hash."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.datasets import Radiograph


def assign_folds(radiographs: Sequence[Radiograph], folds: int) -> NDArray[np.intp]:
    """Return the fold in [0, folds) of every radiograph; all those of a patient are in one.

    It depends on the patient alone, so more data moves nobody.
    """
    places = [int(_position(radiograph.patient) * folds) for radiograph in radiographs]
    return np.array(places, np.intp)


def _position(patient: str) -> float:
    """Return a number in [0, 1) that is uniform over patients."""
    digest = hashlib.sha256(f"fold/{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
