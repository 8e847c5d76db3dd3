"""Reliability diagram: how often what was called so likely was confirmed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evaluation.ranking import Floats
from overread.errors import ConfigurationError, InvalidFileError

_BINS = 10
_CASES_MIN = 5  # fewer say nothing about a share

Series = Mapping[str, tuple[Floats, Floats]]
"""By name, probabilities and whether each was confirmed, each of shape (cases,)."""


def plot_reliability(panels: Mapping[str, Series], path: Path) -> None:
    """Write a picture with a point for each tenth of the probability.

    Tenths with fewer than five cases are left out.

    Args:
        panels: by title, what is drawn together.
        path: of the picture, by its ending in the format that it names.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidFileError: the picture cannot be written there, or not in that format.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install 'overread[plots]'") from None

    figure = Figure(figsize=(4 * len(panels), 4.4), layout="constrained")
    for (title, series), panel in zip(
        panels.items(), figure.subplots(1, len(panels), squeeze=False)[0], strict=True
    ):
        panel.plot([0, 1], [0, 1], color="grey", linestyle=":")
        for name, (probabilities, confirmed) in series.items():
            expected, observed, counts = reliability(probabilities, confirmed)
            shown = counts >= _CASES_MIN
            panel.plot(expected[shown], observed[shown], label=name, marker="o", markersize=4, linewidth=1)
        cases = len(next(iter(series.values()))[1])
        panel.set(title=f"{title}, n={cases}", xlabel="probability of a miss", xlim=(0, 1), ylim=(0, 1))
        panel.legend(loc="upper left", fontsize="small")
    figure.axes[0].set_ylabel("share confirmed")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"cannot write the picture {path}: {error}") from error


def reliability(probabilities: Floats, confirmed: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean probability, share confirmed and number of cases of each tenth that has any."""
    places = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(places, minlength=_BINS).astype(np.float64)
    used = counts > 0
    expected = np.bincount(places, probabilities, minlength=_BINS)[used] / counts[used]
    observed = np.bincount(places, confirmed, minlength=_BINS)[used] / counts[used]
    return expected, observed, counts[used]
