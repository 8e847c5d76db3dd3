"""The watch for drift: every channel of two windows compared, at one false alarm rate for each channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overread.drift import Change, changes, distance
from overread.drift_columns import CHANNELS, EMBEDDING, Columns, Windows

DISTANCE = "distance"
"""Column of the embedding, whose numbers are compared together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How drift is looked for."""

    false_alarms: float  # of each channel, share of windows in which nothing changed
    permutations: int
    seed: int


def changes_by_channel(windows: Windows, watch: Watch) -> dict[str, list[Change]]:
    """Return the columns of each channel, those that differ most first."""
    return {
        channel: _changes_of(channel, windows.channels[channel], windows, watch, watch.seed + number)
        for number, channel in enumerate(CHANNELS)
    }


def alarms(found: Mapping[str, Sequence[Change]]) -> list[str]:
    """Return the channels with an alarm."""
    return [channel for channel, own in found.items() if any(change.is_alarm for change in own)]


def _changes_of(channel: str, columns: Columns, windows: Windows, watch: Watch, seed: int) -> list[Change]:
    units = (windows.patients, windows.in_window)
    if channel != EMBEDDING:
        return changes(
            columns.names,
            columns.values,
            units,
            false_alarms=watch.false_alarms,
            permutations=watch.permutations,
            seed=seed,
        )
    whole = distance(
        DISTANCE,
        columns.values,
        units,
        false_alarms=watch.false_alarms,
        permutations=watch.permutations,
        seed=seed,
    )
    return [] if whole is None else [whole]
