"""The result of a simulation as a picture: who still waits after how long."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.simulation.outcome import Run
from evaluation.simulation.room import orders_of
from evaluation.simulation.scenario import Scenario
from overread.errors import ConfigurationError, InvalidFileError

_POINTS_MAX = 2_000  # of a curve; more cannot be seen


def plot_waits(runs: Sequence[Run], scenario: Scenario, path: Path) -> None:
    """Write a picture with a panel per class: the share of its cases that wait longer than so many minutes.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidFileError: the picture cannot be written there, or not in that format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install 'overread[plots]'") from None

    classes = scenario.classes
    figure = Figure(figsize=(4.5 * len(classes), 4), layout="constrained")
    panels = figure.subplots(1, len(classes), sharey=True, squeeze=False)[0]
    for number, (kind, panel) in enumerate(zip(classes, panels, strict=True)):
        for place, order in enumerate(orders_of(scenario)):
            waits = np.concatenate([run.waits[place][run.truth == number] for run in runs])
            panel.plot(*_survival(waits), label=order.name, drawstyle="steps-post")
        if not math.isinf(kind.cap_minutes):
            panel.axvline(kind.cap_minutes, color="grey", linestyle=":", label="cap of the class")
        panel.set(title=kind.name, xlabel="minutes", yscale="log", xlim=(0, None))
    panels[0].set_ylabel("share of the cases that wait longer")
    panels[-1].legend()
    figure.suptitle(f"{scenario.name}: {len(runs)} runs")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"cannot write the picture {path}: {error}") from error


def _survival(waits: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes, and the share of the waits that are longer."""
    ordered = np.sort(waits)
    shares = 1 - np.arange(1, len(ordered) + 1) / max(1, len(ordered))
    # evenly spaced in the logarithm of the share, so that the tail keeps its points
    ranks = len(ordered) - np.unique(np.geomspace(1, max(1, len(ordered)), _POINTS_MAX).astype(int))[::-1]
    ranks = ranks[: len(ordered)]
    return ordered[ranks], shares[ranks]
