"""Gate of a golden set: whether a release is worse than the one before on the same cases.

A release here is anything that gives ratings of the golden set: a model, a vocabulary or report reader, a
policy. The ratings of both are compared in pairs, on the cases that both rate; the interval is by bootstrap
of patients, of one area by DeLong. The later one is refused where a figure is shown to be lower
and may be so by more than the margin, and where the set is too small to exclude that.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.ratings import Ratings, on_common_cases
from evaluation.audit.scorecard_tables import Drawing
from overread.clustered_auc import auc_difference
from overread.errors import InvalidFileError
from overread.statistics import patient_samples, percentile_interval, roc_auc

Figure = Callable[[Ratings, NDArray[np.intp]], float]  # on these cases; NaN where it is not defined on them
LEAST_OF_EACH = 5
"""Fewer patients with, or without, a finding say nothing of it; it is then left out."""


class Outcome(StrEnum):
    """What the comparison shows."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    UNDECIDED = "undecided"  # too few cases to exclude that it is worse by more than the margin


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFigure:
    """A figure before and after, on the same cases."""

    name: str
    cases: int
    positives: int
    patients: int
    before: float
    after: float
    low: float  # of after less before, 95 %
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenResult:
    """Outcome of a comparison, why, and the figures."""

    outcome: Outcome
    reasons: tuple[str, ...]
    means: tuple[PairedFigure, ...]  # decide
    singles: tuple[PairedFigure, ...]  # by finding, for people to look at


def compare_ratings(
    before: Sequence[Ratings], after: Sequence[Ratings], margin: float, drawing: Drawing
) -> GoldenResult:
    """Return whether the later ratings are worse.

    For each kind of observer, such as the report reader, the mean area over its findings decides; where it
    calls findings, as a report reader does, the mean sensitivity and specificity do too.

    Args:
        before: ratings of the golden set by the release that is in use.
        after: by the one that may take its place.
        margin: loss that is borne, above 0.
        drawing: of the intervals.

    Raises:
        InvalidFileError: nothing can be compared, or the two were given different reference standards.
    """
    pairs, lost = _pairs(before, after)
    means: list[PairedFigure] = []
    singles: list[PairedFigure] = []
    for kind in dict.fromkeys(_kind(pair) for pair in pairs):
        own = [pair for pair in pairs if _kind(pair) == kind]
        names: list[tuple[str, Figure]] = [("AUC", _areas)]
        if all(_is_called(item) for pair in own for item in pair):
            names += [("sensitivity", _sensitivities), ("specificity", _specificities)]
        means += [_mean_figure(f"{kind}: mean {name}", own, figure, drawing) for name, figure in names]
        singles += [_single(pair) for pair in own]
    reasons = [f"it no longer rates {name}" for name in lost]
    reasons += [f"{figure.name}: worse" for figure in means if figure.high < 0 and figure.low < -margin]
    if reasons:
        return _result(Outcome.WORSE, reasons, means, singles)
    doubtful = [figure for figure in means if figure.low < -margin]
    if doubtful:
        said = [f"{figure.name}: may be lower by more than {margin:g}" for figure in doubtful]
        return _result(Outcome.UNDECIDED, said, means, singles)
    return _result(Outcome.NOT_WORSE, [], means, singles)


def _result(
    outcome: Outcome, reasons: list[str], means: list[PairedFigure], singles: list[PairedFigure]
) -> GoldenResult:
    return GoldenResult(outcome=outcome, reasons=tuple(reasons), means=tuple(means), singles=tuple(singles))


def _pairs(
    before: Sequence[Ratings], after: Sequence[Ratings]
) -> tuple[list[tuple[Ratings, Ratings]], list[str]]:
    """Return what both rate, and what only the former does."""
    same = _same_tests(before, after)
    later = {item.observer: item for item in after}
    pairs, lost = [], []
    for item in before:
        other = later.get(replace(item.observer, test=same.get(item.observer.test, item.observer.test)))
        if other is None:
            lost.append(f"{item.observer.finding} ({item.observer.name})")
            continue
        one, two = on_common_cases([item, other])
        if len(one) < len(item):
            lost.append(f"{len(item) - len(one)} cases of {item.observer.finding} ({item.observer.name})")
        if (one.positive != two.positive).any():
            raise InvalidFileError(
                f"the two were given different reference standards of {item.observer.finding}: "
                "rate the same golden set with both"
            )
        if min(len(np.unique(one.patients[kind])) for kind in (one.positive, ~one.positive)) >= LEAST_OF_EACH:
            pairs.append((one, two))
    if not pairs:
        raise InvalidFileError(f"no finding has {LEAST_OF_EACH} patients with and as many without it in both")
    return pairs, lost


def _same_tests(before: Sequence[Ratings], after: Sequence[Ratings]) -> dict[str, str]:
    """Return the later name of a test that has another one, as a detector's name holds its version."""
    names = [dict.fromkeys(item.observer.test for item in sets) for sets in (before, after)]
    old, new = ([name for name in own if name not in other] for own, other in (names, names[::-1]))
    return {old[0]: new[0]} if len(old) == len(new) == 1 else {}


def _kind(pair: tuple[Ratings, Ratings]) -> str:
    first, second = pair[0].observer, pair[1].observer
    return first.name if first.name == second.name else f"{first.name} -> {second.name}"


def _is_called(item: Ratings) -> bool:
    return set(np.unique(item.scores).tolist()) <= {0.0, 0.5, 1.0}


def _areas(item: Ratings, rows: NDArray[np.intp]) -> float:
    positive = item.positive[rows]
    if not 0 < positive.sum() < len(positive):
        return math.nan
    return roc_auc(item.scores[rows], positive)


def _sensitivities(item: Ratings, rows: NDArray[np.intp]) -> float:
    positive = item.positive[rows]
    return float((item.scores[rows][positive] == 1).mean()) if positive.any() else math.nan


def _specificities(item: Ratings, rows: NDArray[np.intp]) -> float:
    positive = item.positive[rows]
    return float((item.scores[rows][~positive] < 1).mean()) if not positive.all() else math.nan


def _mean_figure(
    name: str, pairs: Sequence[tuple[Ratings, Ratings]], figure: Figure, drawing: Drawing
) -> PairedFigure:
    """Return the mean over findings, with the interval of its lead on the same resamples of patients."""
    patients, numbers = np.unique(np.concatenate([one.patients for one, _ in pairs]), return_inverse=True)
    owners = np.split(numbers, np.cumsum([len(one) for one, _ in pairs])[:-1])
    once = np.ones(len(patients), dtype=np.int64)
    before, after = _means(pairs, owners, figure, once)
    drawn: list[float] = []
    for rows in patient_samples(range(len(patients)), seed=drawing.seed):
        low, high = _means(pairs, owners, figure, np.bincount(rows, minlength=len(patients)))
        if not math.isnan(high - low):
            drawn.append(high - low)
        if len(drawn) == drawing.resamples:
            break
    ends = percentile_interval(np.array(drawn))
    return PairedFigure(
        name=name,
        cases=len({case for one, _ in pairs for case in one.cases}),
        positives=sum(int(one.positive.sum()) for one, _ in pairs),
        patients=len(patients),
        before=before,
        after=after,
        low=ends[0],
        high=ends[1],
    )


def _means(
    pairs: Sequence[tuple[Ratings, Ratings]],
    owners: Sequence[NDArray[np.intp]],
    figure: Figure,
    counts: NDArray[np.int64],
) -> tuple[float, float]:
    """Return the mean before and after over the findings that are defined where patients count so often."""
    values = []
    for pair, owner in zip(pairs, owners, strict=True):
        rows = np.repeat(np.arange(len(owner)), counts[owner])
        values.append([figure(item, rows) for item in pair])
    known = np.array(values)[~np.isnan(values).any(axis=1)]
    if not len(known):
        return math.nan, math.nan
    means = known.mean(axis=0)
    return float(means[0]), float(means[1])


def _single(pair: tuple[Ratings, Ratings]) -> PairedFigure:
    one, two = pair
    scores = np.stack([one.scores, two.scores])
    lead = auc_difference(scores, one.positive, one.patients)
    return PairedFigure(
        name=f"{_kind(pair)}: AUC {one.observer.finding}",
        cases=len(one),
        positives=int(one.positive.sum()),
        patients=lead.n,
        before=roc_auc(one.scores, one.positive),
        after=roc_auc(two.scores, two.positive),
        low=lead.low,
        high=lead.high,
    )
