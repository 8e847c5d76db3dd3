"""How often the intervals of a scorecard hold the truth: `python -m evaluation.audit.scorecard_coverage`.

Scores are normal, so that areas under the curve are known. Patients have one case, or one to four that are
alike; readers in two tests that do not differ have effects of reader, of case, of their meetings and of
chance (Roe and Metz, Acad Radiol 1997;4:298-303). Prints the share of 95 % intervals that hold the truth,
with its own interval; beside clustered areas that of cases taken for independent.
"""

import math
import sys
from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.coverage import Tally
from evaluation.audit.estimator_coverage import print_simulations
from overread.clustered_auc import ScoredCases, auc_difference, auc_estimate
from overread.multireader import compare_tests, difference_of_tests, one_test, reader_areas
from overread.statistics import Estimate

Floats = NDArray[np.float64]
Tallies = dict[str, Tally]

_READERS, _CASES = 5, 60
_READER, _CASE, _READER_CASE, _CHANCE = 0.03, 0.3, 0.2, 0.3  # variances; those of tests within are the same


def of_areas(area: float, patients: int, largest: int, repetitions: int, seed: int) -> Tallies:
    """Return how the area of one score fares, and the difference of two that tell equally well.

    Args:
        area: true one of both scores.
        patients: of each archive.
        largest: number of cases of a patient; 1 makes all independent.
        repetitions: archives.
        seed: of them.
    """
    names = ("area", "area, cases taken for independent", "difference of two areas")
    tallies = {name: Tally() for name in names}
    random = np.random.default_rng(seed)
    apart = math.sqrt(2) * NormalDist().inv_cdf(area)
    for _ in range(repetitions):
        owner = np.repeat(np.arange(patients), random.integers(1, largest + 1, patients))
        ill = random.random(patients) < 0.3
        positive = np.where(random.random(len(owner)) < 0.8, ill[owner], random.random(len(owner)) < 0.3)
        alike = random.normal(0, math.sqrt(0.6), patients)[owner] if largest > 1 else 0.0
        own = math.sqrt(0.4 if largest > 1 else 1.0)
        scores = positive * apart + alike + random.normal(0, own, (2, len(owner)))
        try:
            found = [
                auc_estimate(scores[0], positive, owner),
                auc_estimate(scores[0], positive, np.arange(len(owner))),
                auc_difference(scores, positive, owner),
            ]
        except ValueError:
            continue
        for name, estimate, truth in zip(names, found, (area, area, 0.0), strict=True):
            tallies[name].add(estimate, truth, estimate.value)
    return tallies


def of_readers(area: float, repetitions: int, seed: int) -> Tallies:
    """Return how the mean area of readers fares, the difference of two tests, and its test at 5 %."""
    tallies = {name: Tally() for name in ("mean area of a test", "difference of two tests")}
    random = np.random.default_rng(seed)
    whole = 2 * (_READER + _CASE + _READER_CASE) + _CHANCE
    apart = math.sqrt(2 * whole) * NormalDist().inv_cdf(area)
    positive = np.repeat([False, True], _CASES)
    rejected = 0
    for _ in range(repetitions):
        scores = apart * positive + sum(_effects(random))
        cases = ScoredCases.of(scores.reshape(2 * _READERS, -1), positive, range(2 * _CASES))
        study = reader_areas(cases, tests=2)
        alone, lead = one_test(study), difference_of_tests(study, 0, 1)
        for name, found, truth in zip(tallies, (alone, lead), (area, 0.0), strict=True):
            estimate = Estimate(value=found.value, low=found.low, high=found.high, n=2 * _CASES)
            tallies[name].add(estimate, truth, found.value)
        rejected += compare_tests(study).p < 0.05
    sys.stdout.write(f"  {rejected} of {repetitions} tests of equal areas give p < .05\n")
    return tallies


def _effects(random: np.random.Generator) -> Iterator[Floats]:
    """Yield effects of shape (tests, readers, cases), for all tests and within each; a reader's by truth."""
    for tests in (1, 2):
        yield np.repeat(random.normal(0, math.sqrt(_READER), (tests, _READERS, 2)), _CASES, axis=2)
        yield random.normal(0, math.sqrt(_CASE), (tests, 1, 2 * _CASES))
        yield random.normal(0, math.sqrt(_READER_CASE), (tests, _READERS, 2 * _CASES))
    yield random.normal(0, math.sqrt(_CHANCE), (2, _READERS, 2 * _CASES))


def settings(repetitions: int, seed: int) -> Iterator[tuple[str, Callable[[], Tallies]]]:
    """Yield what is simulated, in words, and what simulates it."""
    for area in (0.75, 0.95):
        for patients, largest in ((100, 1), (400, 1), (100, 4)):
            words = f"area {area}, {patients} patients of 1 to {largest} cases, 3 of 10 positive"
            yield words, lambda a=area, p=patients, m=largest: of_areas(a, p, m, repetitions, seed)  # type: ignore[misc]
        words = f"area {area}, {_READERS} readers in 2 tests, {_CASES} cases with and as many without"
        yield words, lambda a=area: of_readers(a, repetitions, seed)  # type: ignore[misc]


if __name__ == "__main__":
    print_simulations(__doc__, settings)
