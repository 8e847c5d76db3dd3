"""The release gate: whether a candidate may take the place of the active release.

Both releases look at the same cases of a cohort; what the reports state are the labels. The lead of the
candidate is resampled by patient, in pairs. The candidate passes where it is shown not to be worse by more
than a margin (non-inferiority); where it is shown to be worse, or the cohort is too small to tell, it fails.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evaluation.ranking_metrics import Floats, average_precision
from models.gate_record import GateFigure, Verdict
from overread.errors import InvalidFileError
from overread.statistics import Figure, Rows, bootstrap, mean_of_defined, percentile_interval, roc_auc

LEVEL = 0.05
LEAST_OF_EACH = 5
"""Fewer cases with, or without, a finding say nothing of it; it is then left out of every figure."""

Merit = Callable[[Floats, NDArray[np.bool_]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Outputs of one release for the cases, in their order."""

    findings: tuple[str, ...]
    probabilities: Mapping[str, Floats]  # (cases,) by finding; NaN where it said nothing
    applicable: NDArray[np.bool_]  # (cases,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Two releases on the same labelled cases."""

    patients: NDArray[np.str_]  # (cases,)
    labels: Mapping[str, Floats]  # (cases,) by finding: 1 stated, 0 not stated, NaN stated with reserve
    active: Outputs
    candidate: Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of the trial."""

    margin: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Judgement of the trial."""

    verdict: Verdict
    reasons: tuple[str, ...]
    figures: tuple[GateFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One finding on the cases that both releases spoke of."""

    finding: str
    rows: NDArray[np.bool_]  # (cases,)
    positive: NDArray[np.bool_]  # (cases,)
    active: Floats
    candidate: Floats

    def lead(self, merit: Merit, rows: NDArray[np.intp]) -> float:
        """Return candidate minus active on some cases, repeats allowed.

        Raises:
            ValueError: the figure is not defined on them.
        """
        chosen = rows[self.rows[rows]]
        positive = self.positive[chosen]
        if not 0 < positive.sum() < len(positive):
            raise ValueError("one class is missing")
        return merit(self.candidate[chosen], positive) - merit(self.active[chosen], positive)


def judge(trial: Trial, terms: Terms) -> Judgement:
    """Return what a trial shows, with its figures.

    Raises:
        InvalidFileError: no finding has enough cases with and without it.
    """
    columns = _columns(trial)
    if not columns:
        raise InvalidFileError(
            f"no finding that both releases see has {LEAST_OF_EACH} cases with and as many without it"
        )
    means = [
        _mean_figure("mean AUC", roc_auc, columns, trial, terms),
        _mean_figure("mean average precision", _precision, columns, trial, terms),
    ]
    share = _applicable_figure(trial, terms)
    # Several findings are looked at: each interval is so wide that all hold together (Bonferroni).
    level = LEVEL / len(columns)
    singles = [
        _figure(f"AUC {column.finding}", roc_auc, (column,), trial, (terms, level)) for column in columns
    ]
    verdict, reasons = _verdict(trial, means, [share, *singles], terms.margin)
    return Judgement(verdict=verdict, reasons=reasons, figures=(*means, share, *singles))


def _verdict(
    trial: Trial, means: Sequence[GateFigure], others: Sequence[GateFigure], margin: float
) -> tuple[Verdict, tuple[str, ...]]:
    lost = [finding for finding in trial.active.findings if finding not in trial.candidate.findings]
    worse = [f"it no longer sees {finding.replace('_', ' ')}" for finding in lost]
    worse += [f"{_words(figure)}: worse" for figure in means if figure.high < 0 and figure.low < -margin]
    worse += [f"{_words(figure)}: worse" for figure in others if figure.high < -margin]
    if worse:
        return Verdict.WORSE, tuple(worse)
    open_ones = [figure for figure in means if figure.low < -margin]
    if open_ones:
        said = (f"{_words(figure)}: may be worse by more than {margin:g}" for figure in open_ones)
        return Verdict.UNDECIDED, tuple(said)
    return Verdict.PASSED, tuple(_words(figure) for figure in means)


def _words(figure: GateFigure) -> str:
    lead = figure.candidate - figure.active
    return f"{figure.name} {lead:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}], n = {figure.cases}"


def _columns(trial: Trial) -> tuple[_Column, ...]:
    both = trial.active.applicable & trial.candidate.applicable
    found = []
    for finding in trial.active.findings:
        if finding not in trial.candidate.findings or finding not in trial.labels:
            continue
        active, candidate = trial.active.probabilities[finding], trial.candidate.probabilities[finding]
        labels = trial.labels[finding]
        rows = both & ~np.isnan(active) & ~np.isnan(candidate) & ~np.isnan(labels)
        positive = rows & (labels == 1)
        if min(positive.sum(), (rows & ~positive).sum()) >= LEAST_OF_EACH:
            found.append(
                _Column(finding=finding, rows=rows, positive=positive, active=active, candidate=candidate)
            )
    return tuple(found)


def _precision(scores: Floats, positive: NDArray[np.bool_]) -> float:
    return average_precision(scores, positive.astype(np.float64))


def _mean_figure(
    name: str, merit: Merit, columns: Sequence[_Column], trial: Trial, terms: Terms
) -> GateFigure:
    return _figure(f"{name} of {len(columns)} findings", merit, columns, trial, (terms, LEVEL))


def _figure(
    name: str, merit: Merit, columns: Sequence[_Column], trial: Trial, how: tuple[Terms, float]
) -> GateFigure:
    terms, level = how
    low, high = _interval(trial, partial(_mean_lead, columns, merit), terms, level)
    rows = np.logical_or.reduce([column.rows for column in columns])
    return GateFigure(
        name=name,
        cases=int(rows.sum()),
        positives=int(np.logical_or.reduce([column.positive for column in columns]).sum()),
        active=_mean(merit(column.active[column.rows], column.positive[column.rows]) for column in columns),
        candidate=_mean(
            merit(column.candidate[column.rows], column.positive[column.rows]) for column in columns
        ),
        low=low,
        high=high,
    )


def _mean_lead(columns: Sequence[_Column], merit: Merit, rows: Rows) -> float:
    """Return the mean lead over the findings of which the drawn cases hold both kinds.

    Raises:
        ValueError: they hold both kinds of none.
    """
    return mean_of_defined((partial(column.lead, merit) for column in columns), rows)


def _applicable_figure(trial: Trial, terms: Terms) -> GateFigure:
    active, candidate = trial.active.applicable, trial.candidate.applicable
    lead = candidate.astype(np.float64) - active.astype(np.float64)
    low, high = _interval(trial, lambda rows: float(lead[rows].mean()), terms, LEVEL)
    return GateFigure(
        name="share of cases it applies to",
        cases=len(lead),
        positives=int(active.sum()),
        active=float(active.mean()),
        candidate=float(candidate.mean()),
        low=low,
        high=high,
    )


def _interval(trial: Trial, figure: Figure, terms: Terms, level: float) -> tuple[float, float]:
    drawn = bootstrap(trial.patients, figure, resamples=terms.resamples, seed=terms.seed)
    return percentile_interval(drawn, confidence=1 - level)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)
