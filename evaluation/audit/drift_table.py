"""Table of drift: every column of every channel in both windows."""

from collections.abc import Sequence

from evaluation.audit.result_folder import Table
from overread.drift import Change


def drift_table(found: dict[str, list[Change]]) -> Table:
    """Return all columns."""
    rows = [_row(channel, change) for channel, own in found.items() for change in own]
    return Table(
        name="drift",
        meaning="Means and shares of the reference and of the window, their difference with its 95 % "
        "interval by patients, and how probable any column of the channel differs so much by chance",
        columns=(
            "channel",
            "column",
            "reference",
            "window",
            "difference",
            "low",
            "high",
            "reference_units",
            "window_units",
            "p",
            "alarm",
        ),
        rows=rows,
    )


def _row(channel: str, change: Change) -> tuple[str | int | float | bool | None, ...]:
    return (
        channel,
        change.column,
        change.reference,
        change.window,
        change.window - change.reference,
        change.low,
        change.high,
        change.reference_units,
        change.window_units,
        change.p,
        change.is_alarm,
    )


def lines(found: dict[str, list[Change]], shown: int = 5) -> Sequence[str]:
    """Return the first columns of each channel, in words."""
    said = []
    for channel, own in found.items():
        alarm = any(change.is_alarm for change in own)
        said.append(f"{channel}: {'ALARM' if alarm else 'no alarm' if own else 'nothing to compare'}")
        said += [
            f"  {change.column:32} {change.reference:9.3f} -> {change.window:9.3f}  "
            f"{change.window - change.reference:+.3f}{_interval(change)} p={change.p:.4f}"
            for change in own[:shown]
        ]
    return said


def _interval(change: Change) -> str:
    if change.low is None or change.high is None:
        return ""
    return f" [{change.low:+.3f}, {change.high:+.3f}]"
