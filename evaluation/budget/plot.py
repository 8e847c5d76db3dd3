"""The preview of a budget as a picture: what more looks would bring, and what each day would have held."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.budget.past import Calendar, Past
from evaluation.budget.preview import Budget, curve
from evaluation.budget.solver import Solution
from overread.errors import ConfigurationError, InvalidFileError

_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # of the looks a day that are asked for


def plot_budget(past: Past, calendar: Calendar, budget: Budget, solution: Solution, path: Path) -> None:
    """Write a picture of the benefit over looks a day and, where the days are known, of looks on each day.

    Raises:
        ConfigurationError: matplotlib is not installed.
        InvalidFileError: the picture cannot be written there, or not in that format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install 'overread[plots]'") from None

    figure = Figure(figsize=(10, 4), layout="constrained")
    benefit, days = figure.subplots(1, 2)
    looks = [share * budget.per_day for share in _SHARES]
    whole = float(past.rows.benefit.sum()) or 1.0
    solved, single = _shares(tuple(curve(past, calendar, looks)), whole)
    benefit.plot(looks, solved, marker=".", label="a threshold for each finding and kind")
    benefit.plot(looks, single, linestyle="--", label="one threshold on priority for all")
    benefit.axvline(budget.per_day, color="grey", linestyle=":", label="the budget")
    benefit.set(xlabel="looks a day, on average", ylabel="share of the expected benefit", ylim=(0, 1))
    benefit.legend()
    counts = calendar.per_day(solution.looked_at)
    if counts is None:
        days.text(0.5, 0.5, "looks on each day:\nneeds --dates", ha="center", va="center")
        days.set_axis_off()
    else:
        days.bar(range(1, calendar.days + 1), counts, width=1.0)
        days.axhline(budget.per_day, color="grey", linestyle=":")
        days.set(xlabel="day", ylabel="cases looked at")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"cannot write the picture {path}: {error}") from error


def _shares(points: Sequence[tuple[Solution, float]], whole: float) -> tuple[list[float], list[float]]:
    return [solution.benefit / whole for solution, _ in points], [single / whole for _, single in points]
