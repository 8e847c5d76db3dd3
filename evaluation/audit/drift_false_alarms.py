"""How often drift alarms are false, and what they see: `python -m evaluation.audit.drift_false_alarms`.

A reference of 600 and a window of 200 cases of 450 patients whose cases are alike, a quarter of whom have
cases in both. First nothing changes, so that every alarm is false; then one thing changes. Prints the share
of windows with an alarm, by channel, with its interval, beside the rate that was asked for.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overread.appearance import EMBEDDING_SIZE
from overread.drift_columns import (
    CHANNELS,
    EMBEDDING,
    INPUT,
    LANGUAGE,
    PIXELS,
    SCORES,
    Columns,
    Windows,
    with_tenths,
)
from overread.drift_watch import Watch, alarms, changes_by_channel
from overread.statistics import Estimate, proportion

REFERENCE, WINDOW, PATIENTS = 600, 200, 450
_FINDINGS = 12
_VIEWS, _SCANNERS = 3, 6
_MEASURES = 13  # of pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different in the window; 0 is nothing."""

    view: float = 0.0  # share of cases that come in the first view in place of their own
    brightness: float = 0.0  # of every measure of the pixels, in its standard deviations
    contrast: float = 0.0  # share by which the measures spread more
    mirrored: float = 0.0  # share of cases of which every second number of the embedding changes its sign
    score: float = 0.0  # of every score, in its standard deviations
    stated: float = 0.0  # share of statements of the first finding that are left out
    words: float = 0.0  # share by which reports are longer


SCENARIOS: Mapping[str, Change] = {
    "nothing changes": Change(),
    "10 % of the cases change to one view": Change(view=0.1),
    "20 % of the cases change to one view": Change(view=0.2),
    "measures of the pixels rise by 0.2 of their standard deviation": Change(brightness=0.2),
    "measures of the pixels spread by 30 % more": Change(contrast=0.3),
    "10 % of the images are mirrored": Change(mirrored=0.1),
    "20 % of the images are mirrored": Change(mirrored=0.2),
    "scores rise by 0.2 of their standard deviation": Change(score=0.2),
    "scores rise by 0.4 of their standard deviation": Change(score=0.4),
    "reports are longer by 10 %": Change(words=0.1),
    "half of one finding's statements are left out": Change(stated=0.5),
}


def made_windows(change: Change, random: np.random.Generator) -> Windows:
    """Return two windows; cases of one patient are alike in everything."""
    cases = REFERENCE + WINDOW
    patients = random.integers(PATIENTS, size=cases)
    in_window = np.arange(cases) >= REFERENCE
    ill = random.normal(size=(PATIENTS, _FINDINGS))[patients]
    view = random.integers(_VIEWS, size=PATIENTS)[patients]
    view = np.where(in_window & (random.random(cases) < change.view), 0, view)
    scanner = random.integers(_SCANNERS, size=PATIENTS)[patients]
    pixels = _alike(_MEASURES, patients, random) * (1 + change.contrast * in_window[:, None])
    pixels += change.brightness * in_window[:, None]
    embedding = 1.0 + _alike(EMBEDDING_SIZE, patients, random)  # an image has a usual picture
    mirrored = in_window & (random.random(cases) < change.mirrored)
    embedding[:, ::2] *= np.where(mirrored, -1.0, 1.0)[:, None]
    logit = 0.8 * ill + random.normal(size=ill.shape) * 0.6 - 1.5
    scores = 1 / (1 + np.exp(-(logit + change.score * in_window[:, None])))
    stated = (ill + random.normal(size=ill.shape) > 1.8).astype(float)
    left_out = in_window & (random.random(cases) < change.stated)
    stated[left_out, 0] = 0.0
    length = np.exp(4 + 0.3 * random.normal(size=PATIENTS)[patients] + 0.2 * random.normal(size=cases))
    words = np.round(length * (1 + change.words * in_window))
    return Windows(
        patients=patients.astype(np.intp),
        in_window=in_window,
        channels={
            INPUT: _columns(np.column_stack([np.eye(_VIEWS)[view], np.eye(_SCANNERS)[scanner]])),
            PIXELS: with_tenths(_columns(pixels)),
            EMBEDDING: _columns(embedding),
            SCORES: _columns(scores),
            LANGUAGE: _columns(np.column_stack([stated, words, stated.sum(axis=1)])),
        },
    )


def alarm_rates(change: Change, watch: Watch, repetitions: int, seed: int) -> dict[str, Estimate]:
    """Return the share of windows in which each channel gives an alarm."""
    random = np.random.default_rng(seed)
    counts = dict.fromkeys(CHANNELS, 0)
    for number in range(repetitions):
        own = Watch(
            false_alarms=watch.false_alarms,
            permutations=watch.permutations,
            seed=watch.seed + len(CHANNELS) * number,
        )
        for channel in alarms(changes_by_channel(made_windows(change, random), own)):
            counts[channel] += 1
    return {channel: proportion(count, repetitions) for channel, count in counts.items()}


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--change-repetitions", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--false-alarms", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    watch = Watch(false_alarms=given.false_alarms, permutations=given.permutations, seed=given.seed)
    sys.stdout.write(
        f"{given.repetitions} repetitions, {given.change_repetitions} where something changes; "
        f"{given.permutations} exchanges, asked for {given.false_alarms:g}\n"
    )
    for words, change in SCENARIOS.items():
        repetitions = given.repetitions if change == Change() else given.change_repetitions
        rates = alarm_rates(change, watch, repetitions, given.seed)
        said = "; ".join(f"{channel} {rate:.3f}" for channel, rate in rates.items())
        sys.stdout.write(f"{words:64} {said}\n")
        sys.stdout.flush()
    return 0


def _alike(count: int, patients: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return numbers of standard deviation 1, (cases, count); half of their variance is the patient's.

    A third of it is common to all of them, as the measures of one picture go together.
    """
    own, of_case = (
        random.normal(size=(PATIENTS, count + 1))[patients],
        random.normal(size=(len(patients), count + 1)),
    )
    both = (own + of_case) / np.sqrt(2)
    joined: np.ndarray = np.sqrt(2 / 3) * both[:, 1:] + np.sqrt(1 / 3) * both[:, :1]
    return joined


def _columns(values: np.ndarray) -> Columns:
    return Columns(names=tuple(str(number) for number in range(values.shape[1])), values=values)


if __name__ == "__main__":
    sys.exit(main())
