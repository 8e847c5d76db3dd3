"""Who is trained on and who tests: decided per patient, once, by a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.datasets import Radiograph


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Two groups of radiographs without a common patient."""

    training: tuple[Radiograph, ...]
    test: tuple[Radiograph, ...]  # figures only


def split_by_patient(radiographs: Sequence[Radiograph], *, salt: str, test_share: float) -> Split:
    """Return the split. A patient's group depends on salt and patient alone, so more data moves nobody."""
    kept = [_position(salt, radiograph.patient) < test_share for radiograph in radiographs]
    pairs = list(zip(radiographs, kept, strict=True))
    return Split(
        training=tuple(radiograph for radiograph, test in pairs if not test),
        test=tuple(radiograph for radiograph, test in pairs if test),
    )


def assign_parts(radiographs: Sequence[Radiograph], parts: int) -> NDArray[np.intp]:
    """Return the part in [0, parts) of every radiograph; all those of a patient are in one."""
    places = [int(_position("fold", radiograph.patient) * parts) for radiograph in radiographs]
    return np.array(places, np.intp)


def _position(salt: str, patient: str) -> float:
    """Return a number in [0, 1) that is uniform over patients."""
    digest = hashlib.sha256(f"{salt}/{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
