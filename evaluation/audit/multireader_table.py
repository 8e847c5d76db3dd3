"""Table of a scorecard: tests compared by several readers and cases."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from evaluation.audit.ratings import Ratings, on_common_cases
from evaluation.audit.result_folder import Cell, Table
from overread.clustered_auc import ScoredCases
from overread.multireader import (
    LEAST_READERS,
    Comparison,
    ReaderAreas,
    compare_pseudovalues,
    compare_tests,
    difference_of_tests,
    one_test,
    reader_areas,
)

_COLUMNS = (
    "finding",
    "figure",
    "test",
    "readers",
    "cases",
    "positives",
    "patients",
    "value",
    "low",
    "high",
    "degrees",
    "F",
    "p",
    "remark",
)


def multireader_table(sets: Sequence[Ratings]) -> Table:
    """Return the mean area of every test with several readers, and by how much tests differ."""
    rows: list[tuple[Cell, ...]] = []
    for finding in dict.fromkeys(item.observer.finding for item in sets):
        rows += _of_finding(finding, [item for item in sets if item.observer.finding == finding])
    return Table(
        name="multireader",
        meaning="Mean area under the ROC curve of the readers of a test, and differences of tests, for "
        "readers and cases like these: Obuchowski and Rockette's method with Hillis' degrees of freedom, "
        "covariances by leaving out one patient at a time. Cases that every reader of the test rated",
        columns=_COLUMNS,
        rows=rows,
    )


def _of_finding(finding: str, sets: Sequence[Ratings]) -> Iterator[tuple[Cell, ...]]:
    tests: dict[str, dict[str, Ratings]] = {}
    for item in sets:
        tests.setdefault(item.observer.test, {})[item.observer.reader] = item
    several = {test: readers for test, readers in tests.items() if len(readers) >= LEAST_READERS}
    for test, readers in several.items():
        yield from _rows(finding, {test: list(readers.values())})
    for first, second in combinations(several, 2):
        both = [reader for reader in several[first] if reader in several[second]]
        if len(both) >= LEAST_READERS:
            yield from _rows(
                finding, {test: [several[test][reader] for reader in both] for test in (first, second)}
            )


def _rows(finding: str, tests: dict[str, list[Ratings]]) -> Iterator[tuple[Cell, ...]]:
    names, readers = list(tests), len(next(iter(tests.values())))
    figure = "difference" if len(names) > 1 else "mean_AUC"
    common = on_common_cases([item for items in tests.values() for item in items])
    one = common[0]
    counts = (readers, len(one), int(one.positive.sum()), len(np.unique(one.patients)))
    head: tuple[Cell, ...] = (finding, figure, " less ".join(reversed(names)), *counts)
    if any((item.positive != one.positive).any() for item in common):
        yield (*head, *[None] * 6, "the readers' cases have different reference standards")
        return
    try:
        cases = ScoredCases.of([item.scores for item in common], one.positive, one.patients)
        study = reader_areas(cases, tests=len(names))
    except ValueError as error:
        yield (*head, *[None] * 6, str(error))
        return
    yield (*head, *(_difference(study) if len(names) > 1 else (*_ends(one_test(study)), None, None, None)))


def _difference(study: ReaderAreas) -> tuple[Cell, ...]:
    result = compare_tests(study)
    ratio, _, p = compare_pseudovalues(study)
    remark = f"Dorfman, Berbaum and Metz: F = {ratio:.4g}, p = {p:.3g}"
    return *_ends(difference_of_tests(study, 0, 1)), result.ratio, result.p, remark


def _ends(found: Comparison) -> tuple[Cell, ...]:
    return found.value, found.low, found.high, found.degrees
