"""Judged set: cases of which is known what their reports leave out, with the orders that are compared."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.ranking_metrics import average_precision, precision_at, recall_at
from overread.case_arrays import CaseArrays
from overread.cohort_order import order_cases
from overread.finding import load_vocabulary
from overread.priority import default_policy
from overread.reporting_model import ReportingModel

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """One order of a judged set; what is higher comes first."""

    pairs: Floats  # (cases, questions)
    cases: Floats  # (cases,) any discrepancy of the case
    judged: Floats  # (cases,) any of those that were judged
    priorities: Floats  # (cases,) weighted by what a discrepancy is worth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedSet:
    """Cases that were read again, question by question, and the two orders that are compared."""

    name: str
    patients: NDArray[np.str_]  # (cases,)
    confirmed: Floats  # (cases, questions) 1 or 0; NaN where the report states it, or nobody looked
    weights: Floats  # (questions,) clinical weights of the weighted figures
    raw: Scores  # the detector's own score, the highest of those that answer a question
    ours: Scores

    @property
    def is_open(self) -> Booleans:
        """Whether a miss is possible, (cases, questions)."""
        return ~np.isnan(self.confirmed)

    @property
    def missed(self) -> Floats:
        """Whether it was missed, 1 or 0, (cases, questions)."""
        return np.nan_to_num(self.confirmed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Questions:
    """Questions asked of each case."""

    columns: tuple[tuple[int, ...], ...]  # of the outputs that answer each question
    weights: Floats  # (questions,)


def raw_scores(arrays: CaseArrays, confirmed: Floats, questions: Questions) -> Scores:
    """Return the order by the detector's own scores."""
    highest = np.column_stack([arrays.scores[:, list(some)].max(axis=1) for some in questions.columns])
    pairs = np.where(np.isnan(confirmed), 0.0, highest.astype(np.float64))
    cases = pairs.max(axis=1)
    return Scores(pairs=pairs, cases=cases, judged=cases, priorities=(pairs * questions.weights).max(axis=1))


def our_scores(arrays: CaseArrays, model: ReportingModel, confirmed: Floats, questions: Questions) -> Scores:
    """Return the order of overread."""
    order = order_cases(arrays, default_policy(), load_vocabulary(), model)
    odds = np.nan_to_num(order.miss_odds.astype(np.float64))
    chances = odds / (1 + odds)
    joint = np.column_stack([1 - np.prod(1 - chances[:, list(some)], axis=1) for some in questions.columns])
    pairs = np.where(np.isnan(confirmed), 0.0, joint)
    return Scores(
        pairs=pairs,
        cases=order.probabilities,
        judged=1 - np.prod(1 - pairs, axis=1),
        priorities=order.priorities,
    )


Figure = Callable[[JudgedSet, Scores, Rows], float]  # rows of cases, repeats allowed


def pairs_precision(judged: JudgedSet, scores: Scores, rows: Rows) -> float:
    """Return the average precision of pairs of case and question that the report does not state."""
    chosen = judged.is_open[rows]
    return average_precision(scores.pairs[rows][chosen], judged.missed[rows][chosen])


def cases_precision(judged: JudgedSet, scores: Scores, rows: Rows) -> float:
    """Return the average precision of cases, by the probability of any discrepancy."""
    return average_precision(scores.cases[rows], judged.missed[rows].max(axis=1))


def judged_cases_precision(judged: JudgedSet, scores: Scores, rows: Rows) -> float:
    """Return the same by the discrepancies that were judged alone."""
    return average_precision(scores.judged[rows], judged.missed[rows].max(axis=1))


def early_precision(judged: JudgedSet, scores: Scores, rows: Rows) -> float:
    """Return the share of confirmed among the first 5 % of the cases."""
    return precision_at(scores.cases[rows], judged.missed[rows].max(axis=1), 0.05)


def weighted_recall(judged: JudgedSet, scores: Scores, rows: Rows) -> float:
    """Return the share of the weighted misses in the first 10 % by priority."""
    return recall_at(scores.priorities[rows], judged.missed[rows] @ judged.weights, 0.10)


FIGURES: dict[str, Figure] = {
    "pairs, average precision": pairs_precision,
    "cases, average precision": cases_precision,
    "cases, judged findings alone": judged_cases_precision,
    "PPV at 5 %": early_precision,
    "weighted recall at 10 %": weighted_recall,
}
