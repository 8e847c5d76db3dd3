"""Who is trained on, who tunes and who tests: decided per patient, once, by a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets import Radiograph


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Three groups of radiographs without a common patient."""

    training: tuple[Radiograph, ...]
    validation: tuple[Radiograph, ...]  # calibration and operating points, nothing else
    test: tuple[Radiograph, ...]  # figures only


def split_by_patient(
    radiographs: Sequence[Radiograph], *, salt: str, validation_share: float, test_share: float
) -> Split:
    """Return the split. A patient's group depends on salt and patient alone, so more data moves nobody."""
    groups: dict[str, list[Radiograph]] = {"training": [], "validation": [], "test": []}
    for radiograph in radiographs:
        position = _position(salt, radiograph.patient)
        if position < test_share:
            group = "test"
        elif position < test_share + validation_share:
            group = "validation"
        else:
            group = "training"
        groups[group].append(radiograph)
    return Split(**{name: tuple(members) for name, members in groups.items()})


def _position(salt: str, patient: str) -> float:
    """Return a number in [0, 1) that is uniform over patients."""
    digest = hashlib.sha256(f"{salt}/{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
