"""The simulation of drift: no change hardly alarms, a large one does, in its channel alone."""

import numpy as np
import pytest

from evaluation.audit.drift_false_alarms import Change, alarm_rates, made_windows
from overread.drift_columns import CHANNELS, EMBEDDING, INPUT, LANGUAGE, PIXELS, SCORES
from overread.drift_watch import Watch, alarms, changes_by_channel

WATCH = Watch(false_alarms=0.05, permutations=99, seed=3)


def test_where_nothing_changes_alarms_are_as_rare_as_was_asked() -> None:
    rates = alarm_rates(Change(), WATCH, repetitions=60, seed=5)

    assert set(rates) == set(CHANNELS)
    assert all(rate.low <= 0.05 for rate in rates.values())


@pytest.mark.parametrize(
    ("change", "channel"),
    [
        (Change(view=0.6), INPUT),
        (Change(brightness=1.0), PIXELS),
        (Change(contrast=1.0), PIXELS),
        (Change(mirrored=0.6), EMBEDDING),
        (Change(score=1.0), SCORES),
        (Change(words=0.5), LANGUAGE),
    ],
)
def test_a_large_change_alarms_in_its_channel_alone(change, channel) -> None:
    windows = made_windows(change, np.random.default_rng(8))

    assert alarms(changes_by_channel(windows, WATCH)) == [channel]
