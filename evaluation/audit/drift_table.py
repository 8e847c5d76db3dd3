"""Table of drift: every column of every channel in both windows, and the channels that give an alarm."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.audit.drift_columns import CHANNELS, Windows
from evaluation.audit.result_folder import Table
from overread.drift import Change, changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How drift is looked for."""

    false_alarms: float  # of each channel, share of windows in which nothing changed
    permutations: int
    seed: int


def changes_by_channel(windows: Windows, watch: Watch) -> dict[str, list[Change]]:
    """Return the columns of each channel, those that differ most first."""
    return {
        channel: changes(
            windows.channels[channel].names,
            windows.channels[channel].values,
            (windows.patients, windows.in_window),
            false_alarms=watch.false_alarms,
            permutations=watch.permutations,
            seed=watch.seed + number,
        )
        for number, channel in enumerate(CHANNELS)
    }


def alarms(found: dict[str, list[Change]]) -> list[str]:
    """Return the channels with an alarm."""
    return [channel for channel, own in found.items() if any(change.is_alarm for change in own)]


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


def _row(channel: str, change: Change) -> tuple[str | int | float | bool, ...]:
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
            f"{change.window - change.reference:+.3f} [{change.low:+.3f}, {change.high:+.3f}] "
            f"p={change.p:.4f}"
            for change in own[:shown]
        ]
    return said
