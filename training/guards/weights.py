"""The guard's weights as the file that `models.guards` reads."""

from pathlib import Path
from typing import Any

import numpy as np

from models.guards import Guard


def save_guard(guard: Guard, path: Path) -> None:
    """Write the weights in 16 bits; the same guard always gives the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        f"{name}_{part}": np.asarray(getattr(scorer, part), np.float16)
        for name, scorer in (("upright", guard.upright), ("situs", guard.situs))
        for part in ("hidden", "hidden_bias", "output", "output_bias")
    }
    for name in ("sure_of_other", "sure_of_turn", "sure_of_mirror"):
        arrays[name] = np.float64(getattr(guard, name))
    np.savez_compressed(path, **arrays)
