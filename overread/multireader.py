"""Several readers and cases: tests, such as with and without a detector, compared for both alike.

The method of Obuchowski and Rockette (Commun Stat Simul Comput 1995;24:285-308) with the degrees of
freedom of Hillis (Stat Med 2007;26:596-619), and that of Dorfman, Berbaum and Metz (Invest Radiol
1992;27:723-731) as unified with it by Hillis et al. (Stat Med 2005;24:1579-1607; Acad Radiol
2008;15:647-661): with covariances by jackknife the two give the same F and the same degrees of
freedom. Every reader reads every case in every test.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.beta import fisher_tail, student_limit
from overread.clustered_auc import ScoredCases, jackknife_areas
from overread.statistics import CONFIDENCE, roc_auc

Floats = NDArray[np.float64]
LEAST_READERS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReaderAreas:
    """Areas under the curve of readers in tests, with what their errors share."""

    areas: Floats  # (tests, readers)
    covariance: Floats  # (tests, readers, tests, readers)
    pseudovalues: Floats | None = None  # (tests, readers, patients) of the jackknife


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A difference of tests, or one test alone, for readers and cases like these."""

    value: float
    low: float  # of the 95 % interval
    high: float
    standard_error: float
    degrees: float  # of freedom


@dataclass(frozen=True, slots=True, kw_only=True)
class MultireaderResult:
    """What a study of readers shows; variance components may come out below 0."""

    ratio: float  # F
    degrees: tuple[float, float]  # of F: of the tests, of the error term
    p: float
    error_term: float  # mean square
    covariances: tuple[float, float, float]  # same reader; same test; neither
    error_variance: float
    reader_variance: float
    test_by_reader_variance: float


def reader_areas(cases: ScoredCases, tests: int) -> ReaderAreas:
    """Return the areas with covariances by leaving out one patient at a time.

    Args:
        cases: one observer for each test and reader: all readers of the first test, of the second, ...
        tests: how many.

    Raises:
        ValueError: see `jackknife_areas`, or there are fewer than `LEAST_READERS` readers.
    """
    readers = len(cases.scores) // tests
    if readers < LEAST_READERS or readers * tests != len(cases.scores):
        raise ValueError(f"needs {LEAST_READERS} readers or more, each in every test")
    left_out = jackknife_areas(cases)
    patients = left_out.shape[1]
    apart = left_out - left_out.mean(axis=1, keepdims=True)
    covariance = (patients - 1) / patients * apart @ apart.T
    areas = np.array([roc_auc(scores, cases.positive) for scores in cases.scores])
    # Their mean is the area itself, as Hillis et al. 2005 centre them; of unlike patients it would not be.
    pseudovalues = areas[:, None] - (patients - 1) * apart
    return ReaderAreas(
        areas=areas.reshape(tests, readers),
        covariance=covariance.reshape(tests, readers, tests, readers),
        pseudovalues=pseudovalues.reshape(tests, readers, patients),
    )


def compare_tests(study: ReaderAreas) -> MultireaderResult:
    """Return whether tests differ for readers and cases like these (Obuchowski and Rockette).

    Raises:
        ValueError: there is one test.
    """
    tests, readers = study.areas.shape
    if tests < 2:
        raise ValueError("one test cannot be compared")
    of_tests, of_readers, crossed = _mean_squares(study.areas)
    error, same_reader, same_test, neither = _covariances(study.covariance)
    term = crossed + readers * max(same_test - neither, 0.0)
    above = float(tests - 1)
    below = _degrees(term, crossed, (tests - 1) * (readers - 1))
    ratio = of_tests / term if term else math.inf
    return MultireaderResult(
        ratio=ratio,
        degrees=(above, below),
        p=fisher_tail(ratio, above, below) if math.isfinite(below) else math.nan,
        error_term=term,
        covariances=(same_reader, same_test, neither),
        error_variance=error,
        reader_variance=(of_readers - crossed) / tests - same_reader + neither,
        test_by_reader_variance=crossed - error + same_reader + max(same_test - neither, 0.0),
    )


def difference_of_tests(study: ReaderAreas, first: int, second: int) -> Comparison:
    """Return by how much the second of two tests exceeds the first, with the error term of all tests."""
    readers = study.areas.shape[1]
    result = compare_tests(study)
    value = float(study.areas[second].mean() - study.areas[first].mean())
    return _compared(value, math.sqrt(2 / readers * result.error_term), result.degrees[1])


def one_test(study: ReaderAreas, test: int = 0) -> Comparison:
    """Return the mean area of a test for readers and cases like these, from its own numbers alone."""
    areas = study.areas[test]
    readers = len(areas)
    own = study.covariance[test, :, test, :]
    shared = float(own[~np.eye(readers, dtype=bool)].mean())
    spread = float(areas.var(ddof=1))
    term = spread + readers * max(shared, 0.0)
    return _compared(float(areas.mean()), math.sqrt(term / readers), _degrees(term, spread, readers - 1))


def compare_pseudovalues(study: ReaderAreas) -> tuple[float, float, float]:
    """Return F, its degrees of freedom below and p by the pseudovalues of Dorfman, Berbaum and Metz.

    Raises:
        ValueError: there is one test, or the areas come without pseudovalues.
    """
    if study.pseudovalues is None or len(study.pseudovalues) < 2:
        raise ValueError("needs pseudovalues of two tests or more")
    values = study.pseudovalues
    tests, readers, patients = values.shape
    grand = values.mean()
    by_test = values.mean(axis=(1, 2))
    by_reader, by_patient = values.mean(axis=(0, 2)), values.mean(axis=(0, 1))
    test_reader = values.mean(axis=2) - by_test[:, None] - by_reader + grand
    test_patient = values.mean(axis=1) - by_test[:, None] - by_patient + grand
    rest = (
        values
        - values.mean(axis=2)[:, :, None]
        - values.mean(axis=1)[:, None, :]
        - values.mean(axis=0)
        + by_test[:, None, None]
        + by_reader[:, None]
        + by_patient
        - grand
    )
    free = tests - 1
    of_tests = readers * patients * float(((by_test - grand) ** 2).sum()) / free
    of_readers = patients * float((test_reader**2).sum()) / (free * (readers - 1))
    of_patients = readers * float((test_patient**2).sum()) / (free * (patients - 1))
    of_rest = float((rest**2).sum()) / (free * (readers - 1) * (patients - 1))
    term = of_readers + max(of_patients - of_rest, 0.0)
    below = _degrees(term, of_readers, free * (readers - 1))
    ratio = of_tests / term if term else math.inf
    return ratio, below, fisher_tail(ratio, free, below) if math.isfinite(below) else math.nan


def _mean_squares(areas: Floats) -> tuple[float, float, float]:
    tests, readers = areas.shape
    grand, by_test, by_reader = areas.mean(), areas.mean(axis=1), areas.mean(axis=0)
    crossed = areas - by_test[:, None] - by_reader + grand
    return (
        readers * float(((by_test - grand) ** 2).sum()) / (tests - 1),
        tests * float(((by_reader - grand) ** 2).sum()) / (readers - 1),
        float((crossed**2).sum()) / ((tests - 1) * (readers - 1)),
    )


def _covariances(covariance: Floats) -> tuple[float, float, float, float]:
    """Return the mean error variance, and the mean covariance of one reader, of one test, of neither."""
    tests, readers = covariance.shape[:2]
    same_test = np.eye(tests, dtype=bool)[:, None, :, None]
    same_reader = np.eye(readers, dtype=bool)[None, :, None, :]
    kinds = (same_test & same_reader, ~same_test & same_reader, same_test & ~same_reader)
    parts = [float(covariance[np.broadcast_to(kind, covariance.shape)].mean()) for kind in kinds]
    neither = np.broadcast_to(~same_test & ~same_reader, covariance.shape)
    return parts[0], parts[1], parts[2], float(covariance[neither].mean())


def _degrees(term: float, square: float, own: int) -> float:
    """Return Hillis' degrees of freedom of a sum of which one part has its own."""
    return math.inf if square <= 0 else term**2 / (square**2 / own)


def _compared(value: float, error: float, degrees: float) -> Comparison:
    half = error * student_limit(min(degrees, 1e6), confidence=CONFIDENCE)
    return Comparison(value=value, low=value - half, high=value + half, standard_error=error, degrees=degrees)
