"""Tables of a scorecard: how well observers tell findings apart, and whether their probabilities hold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.ratings import Ratings
from evaluation.audit.result_folder import Cell, Table
from evaluation.ranking_metrics import average_precision, calibration_error
from overread.audit.clustered import LEAST_PATIENTS, GroupCounts, group_counts
from overread.clustered_auc import auc_estimate
from overread.detection_curves import precision_at_recall, sensitivity_at
from overread.statistics import Estimate, patient_samples, percentile_interval

Floats = NDArray[np.float64]
GRID = np.linspace(0.0, 1.0, 51)
_BINS = 10
_RIGHT = 200  # draws of an outcome from probabilities that are right

_MEANINGS = {
    "AUC": "area under the ROC curve; interval by DeLong's variance over patients, on log odds",
    "average_precision": "mean precision at each positive case; bootstrap by patient",
    "sensitivity": "share of positive cases with at least the score in `from_score`",
    "specificity": "share of negative cases with a lower score",
    "Brier": "mean squared distance of probability and truth; bootstrap by patient",
    "ECE": "expected calibration error, ten bins; bootstrap by patient. It is above 0 for right "
    "probabilities too; the remark says how large on these cases",
    "mean_probability_less_share": "mean probability less share of positive cases; bootstrap by patient",
}

Figures = Callable[[NDArray[np.intp]], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How intervals are drawn."""

    resamples: int
    seed: int


def figures_table(sets: Sequence[Ratings], drawing: Drawing) -> Table:
    """Return the figures of every observer on all its cases."""
    return Table(
        name="figures",
        meaning="; ".join(f"{name}: {words}" for name, words in _MEANINGS.items()),
        columns=(*_HEADS, "figure", "from_score", "value", "low", "high", "remark"),
        rows=[(*_head(item), *row) for item in sets for row in _figures(item, drawing)],
    )


def subgroups_table(sets: Sequence[Ratings]) -> Table:
    """Return area, sensitivity and specificity by circumstance; small groups are left out."""
    rows: list[tuple[Cell, ...]] = []
    for item in sets:
        for name, values in item.circumstances.items():
            for level in np.unique(values[values != ""]).tolist():
                part = item.rows(values == level)
                if len(np.unique(part.patients)) < LEAST_PATIENTS:
                    continue
                rows += [(*_head(part), name, level, *row) for row in _discrimination(part)]
    return Table(
        name="subgroups",
        meaning=f"The same by circumstance, of {LEAST_PATIENTS} patients or more. Intervals are of each "
        "alone: of many compared some lie apart by chance",
        columns=(*_HEADS, "circumstance", "level", "figure", "from_score", "value", "low", "high", "remark"),
        rows=rows,
    )


def curves_table(sets: Sequence[Ratings], drawing: Drawing) -> Table:
    """Return ROC and precision over recall, on a grid, with pointwise bands."""
    rows: list[tuple[Cell, ...]] = []
    for item in sets:
        if item.calls() or not _both_kinds(item):
            continue
        for name, curve in (("ROC", sensitivity_at), ("precision_recall", precision_at_recall)):
            rows += [(*_head(item)[:3], name, *point) for point in _banded(item, curve, drawing)]
    return Table(
        name="curves",
        meaning="ROC (x: false positive rate, y: sensitivity) and precision (y) over recall (x), with the "
        "pointwise 95 % band by bootstrap of patients",
        columns=(*_HEADS[:3], "curve", "x", "y", "low", "high"),
        rows=rows,
    )


def reliability_table(sets: Sequence[Ratings]) -> Table:
    """Return the share of positive cases by probability, for observers that give probabilities."""
    rows: list[tuple[Cell, ...]] = []
    for item in sets:
        if not item.is_probability:
            continue
        places = np.minimum((item.scores * _BINS).astype(np.int64), _BINS - 1)
        counts = _counts(item, item.positive, np.ones(len(item), dtype=bool), places, _BINS)
        for place in np.unique(places).tolist():
            share, own = counts.estimate(place, 0), item.scores[places == place]
            rows.append((*_head(item)[:3], len(own), share.n, float(own.mean()), *_ends(share)))
    return Table(
        name="reliability",
        meaning="Share of positive cases among those of about one probability, with Wilson's interval for "
        "alike patients: right probabilities lie within 95 of 100 of them",
        columns=(*_HEADS[:3], "cases", "patients", "mean_probability", "share", "low", "high"),
        rows=rows,
    )


_HEADS = ("finding", "test", "reader", "cases", "positives", "patients")


def _head(item: Ratings) -> tuple[Cell, ...]:
    observer = item.observer
    patients = len(np.unique(item.patients))
    return observer.finding, observer.test, observer.reader, len(item), int(item.positive.sum()), patients


def _figures(item: Ratings, drawing: Drawing) -> Iterator[tuple[Cell, ...]]:
    yield from _discrimination(item)
    if not _both_kinds(item):
        return
    confirmed = item.positive.astype(np.float64)
    names = ["average_precision"]

    def figures(rows: NDArray[np.intp]) -> Floats:
        scores, found = item.scores[rows], confirmed[rows]
        values = [average_precision(scores, found)]
        if item.is_probability:
            values += [
                float(((scores - found) ** 2).mean()),
                calibration_error(scores, found, bins=_BINS),
                float((scores - found).mean()),
            ]
        return np.array(values)

    if item.is_probability:
        names += ["Brier", "ECE", "mean_probability_less_share"]
    values = figures(np.arange(len(item)))
    drawn = _drawn(item, figures, drawing)
    for place, name in enumerate(names):
        low, high = percentile_interval(drawn[:, place])
        remark = None
        if name == "ECE":
            remark = f"{_error_if_right(item, drawing.seed):.3f} if the probabilities were right"
        yield name, None, float(values[place]), low, high, remark


def _discrimination(item: Ratings) -> Iterator[tuple[Cell, ...]]:
    try:
        yield ("AUC", None, *_ends(auc_estimate(item.scores, item.positive, item.patients)), None)
    except ValueError as error:
        yield "AUC", None, None, None, None, str(error)
    for call in item.calls():
        for name, of, hits in (
            ("sensitivity", item.positive, item.scores >= call),
            ("specificity", ~item.positive, item.scores < call),
        ):
            if of.any():
                counts = _counts(item, hits & of, of, np.zeros(len(item), dtype=np.int64), 1)
                yield name, call, *_ends(counts.estimate(0, 0)), None


def _banded(
    item: Ratings, curve: Callable[[Floats, Floats, NDArray[np.bool_]], Floats], drawing: Drawing
) -> Iterator[tuple[float, ...]]:
    grid = GRID if curve is sensitivity_at else GRID[1:]

    def figures(rows: NDArray[np.intp]) -> Floats:
        return curve(grid, item.scores[rows], item.positive[rows])

    values = figures(np.arange(len(item)))
    low, high = np.percentile(_drawn(item, figures, drawing), (2.5, 97.5), axis=0)
    yield from zip(grid.tolist(), values.tolist(), low.tolist(), high.tolist(), strict=True)


def _drawn(item: Ratings, figures: Figures, drawing: Drawing) -> Floats:
    """Return the figures on resamples of patients, those left out on which they are not defined."""

    def defined() -> Iterator[Floats]:
        for rows in patient_samples(item.patients, seed=drawing.seed):
            if 0 < item.positive[rows].sum() < len(rows):
                yield figures(rows)

    return np.array(list(islice(defined(), drawing.resamples)))


def _error_if_right(item: Ratings, seed: int) -> float:
    """Return the mean calibration error of these probabilities where they are right."""
    random = np.random.default_rng(seed)
    drawn = random.random((_RIGHT, len(item))) < item.scores
    return float(
        np.mean([calibration_error(item.scores, found.astype(float), bins=_BINS) for found in drawn])
    )


def _counts(
    item: Ratings,
    hits: NDArray[np.bool_],
    of: NDArray[np.bool_],
    groups: NDArray[np.int64],
    count: int,
) -> GroupCounts:
    patients = np.unique(item.patients, return_inverse=True)[1]
    return group_counts(hits[:, None], of[:, None], groups, patients, count)


def _both_kinds(item: Ratings) -> bool:
    return bool(0 < item.positive.sum() < len(item))


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high
