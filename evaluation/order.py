"""How good the order of the list is, against a radiologist panel: `python -m evaluation.order --data FOLDER`.

Every study has a report, the probabilities of an independent published detector, and a panel's read. A miss
is confirmed where the panel saw what the report does not state. The orders of `overread rank` are compared
with orders that need no overread, on the same studies, in pairs. What the reports of the site let one expect
is fitted on the studies of other patients; the corrections by adjudications are cross-validated by patient.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.nih import DETECTOR, PANEL, read_nih
from evaluation.ranking import (
    Floats,
    average_precision,
    calibration_error,
    precision_at,
    recall_at,
    resample_patients,
    reviews_at,
)
from evaluation.reliability import plot_reliability
from overread.adjudicated import correct, fit_corrections
from overread.casetable import CaseReader, CaseTable
from overread.expectation import Expectation, encode_expectation, fit_expectation
from overread.finding import load_vocabulary
from overread.ordering import Order, order_cases, priorities_of
from overread.priority import Policy, default_policy
from overread.report.reader import load_reader
from overread.studies import Columns

SCORES_FILE, READS_FILE = "detector_scores.csv.gz", "expert_reads.csv"
BUDGETS = (0.02, 0.05, 0.10, 0.20)
WEIGHTS = {"pneumothorax": 3, "lung_lesion": 2, "opacity": 1}  # clinical weights of the weighted figures
OTHER_SENSITIVITIES = (0.55, 0.75)  # besides the policy's, to see how much hangs on an assumption
RESAMPLES = 1_000
FOLDS = 10
SEED = 20261123


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """All studies, those that the panel read, and what the reports of other patients let one expect."""

    table: CaseTable
    rows: NDArray[np.intp]  # of the studies that the panel read
    patients: NDArray[np.str_]  # of those
    expectation: Expectation  # fitted on studies of other patients

    @property
    def families(self) -> tuple[str, ...]:
        """Columns of everything that has a family dimension."""
        return self.table.studies.columns.families

    @property
    def missed(self) -> Floats:
        """1 where the panel saw what the report does not state, (studies, families)."""
        missed: Floats = np.nan_to_num(self.table.confirmed[self.rows].astype(np.float64))
        return missed

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Whether the panel judged the family and the report does not state it, (studies, families)."""
        return ~np.isnan(self.table.confirmed[self.rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordering:
    """One way to order the list."""

    name: str
    cases: Floats  # (studies,) higher first
    pairs: Floats  # (studies, families) higher first, within a family


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of merit of an order."""

    name: str
    of: Callable[[Ordering, NDArray[np.intp]], float]  # rows of studies, repeats allowed


def load_panel(folder: Path) -> Panel:
    """Return the studies of a folder in the published layout, with the fit on those of other patients.

    Raises:
        InvalidFileError: a file is missing or malformed.
    """
    vocabulary, policy = load_vocabulary(), default_policy()
    cases = list(read_nih(folder / SCORES_FILE, folder / READS_FILE))
    columns = Columns.of(cases[0].detections[0].scores, vocabulary)
    reader = CaseReader(DETECTOR, columns, vocabulary, policy.assumptions.triggers, load_reader().read)
    table = reader.table(cases)
    rows = np.flatnonzero(table.ordered)
    patients = np.array(table.patients)
    others = np.flatnonzero(~np.isin(patients, patients[rows]))
    return Panel(
        table=table,
        rows=rows,
        patients=patients[rows],
        expectation=fit_expectation(DETECTOR, table.studies.rows(others)),
    )


def orderings(panel: Panel) -> tuple[Ordering, ...]:
    """Return the orders that are compared, the plain one first."""
    policy = default_policy()
    unseen = replace(policy, report=replace(policy.report, accompanied={}))
    return (
        _raw("highest raw score", panel, weighted=False),
        _raw("raw score x weight", panel, weighted=True),
        _thresholds("fixed thresholds", panel),
        _ordered("detector's calibration", panel, _order(panel, policy, None)),
        _ordered("fitted, nothing from panel", panel, _order(panel, unseen, panel.expectation)),
        *(_assuming(share, panel, policy) for share in OTHER_SENSITIVITIES),
        _ordered(f"overread, policy {policy.version}", panel, _order(panel, policy, panel.expectation)),
        corrected("with adjudications, crossed", panel, policy),
    )


def _assuming(share: float, panel: Panel, policy: Policy) -> Ordering:
    """Return the order if first readers stated this share of the lesions and opacities that are there."""
    shares = dict(policy.reader.by_family) | {"opacity": share, "lung_lesion": share}
    other = replace(policy, reader=replace(policy.reader, by_family=shares))
    return _ordered(f"reader sensitivity {share:.2f}", panel, _order(panel, other, panel.expectation))


def corrected(name: str, panel: Panel, policy: Policy) -> Ordering:
    """Return the order with corrections that were learned from the adjudications of other patients."""
    order = _order(panel, policy, panel.expectation)
    odds, beside = order.miss_odds[panel.rows], panel.table.reports.beside[panel.rows]
    confirmed = panel.table.confirmed[panel.rows]
    result = odds.copy()
    folds = _folds(panel.patients)
    for fold in range(FOLDS):
        kept, left = folds != fold, folds == fold
        corrections = fit_corrections(odds[kept], beside[kept], confirmed[kept])
        result[left] = correct(odds[left], beside[left], corrections)
    whole = order.miss_odds.copy()
    whole[panel.rows] = result
    again = replace(order, miss_odds=whole)
    return _ordered(name, panel, replace(again, priorities=priorities_of(again, policy)))


def figures_of(panel: Panel) -> tuple[Figure, ...]:
    """Return what is measured: of cases, plain and weighted, and of each family."""
    missed = panel.missed
    confirmed = missed.max(axis=1)
    weighted = missed @ np.array([WEIGHTS.get(family, 0) for family in panel.families], dtype=float)
    figures = [Figure("average precision", partial(_of_cases, average_precision, confirmed))]
    for share in BUDGETS:
        at = f"at {share:.0%}"
        figures += [
            Figure(f"PPV {at}", partial(_of_cases, partial(precision_at, share=share), confirmed)),
            Figure(
                f"reviews per confirmed miss {at}",
                partial(_of_cases, partial(reviews_at, share=share), confirmed),
            ),
            Figure(f"recall {at}", partial(_of_cases, partial(recall_at, share=share), confirmed)),
            Figure(f"weighted recall {at}", partial(_of_cases, partial(recall_at, share=share), weighted)),
        ]
    for family in PANEL.values():
        column = panel.families.index(family)
        figures += [
            Figure(f"{family}: average precision", partial(_of_pairs, missed[:, column], column)),
            Figure(
                f"{family}: recall at 10% of the cases",
                partial(_of_cases, partial(recall_at, share=0.10), missed[:, column]),
            ),
        ]
    return tuple(figures)


def compare(figure: Figure, candidates: Sequence[Ordering], patients: NDArray[np.str_]) -> Iterator[str]:
    """Yield a line for each order: figure, interval, paired difference from the first."""
    first: Floats | None = None
    for candidate in candidates:
        on = partial(figure.of, candidate)
        drawn = resample_patients(patients, on, resamples=RESAMPLES, seed=SEED)
        low, high = np.percentile(drawn, (2.5, 97.5))
        line = f"  {candidate.name:28} {on(np.arange(len(patients))):.3f} [{low:.3f}, {high:.3f}]"
        if first is None:
            first = drawn
        else:
            below, above = np.percentile(drawn - first, (2.5, 97.5))
            line += f"   difference [{below:+.3f}, {above:+.3f}]"
        yield line


def report(panel: Panel, candidates: Sequence[Ordering]) -> Iterator[str]:
    """Yield the lines of the whole comparison."""
    missed = panel.missed
    counts = ", ".join(
        f"{int(missed[:, panel.families.index(family)].sum())} {name}" for name, family in PANEL.items()
    )
    yield (
        f"{len(panel.rows)} panel-read studies of {len(np.unique(panel.patients))} patients, "
        f"{int(missed.max(axis=1).sum())} with a confirmed miss ({counts})"
    )
    yield f"expectation fitted on {panel.expectation.studies} studies of {panel.expectation.patients} others"
    yield from _companions(panel)
    yield f"95 % intervals from {RESAMPLES} resamples of patients, seed {SEED}; differences in pairs"
    for figure in figures_of(panel):
        yield figure.name
        yield from compare(figure, candidates, panel.patients)
    yield "expected calibration error of the probability of a miss, ten bins"
    for family in PANEL.values():
        for candidate in candidates[-2:]:
            yield _calibration(panel, candidate, family)


def _companions(panel: Panel) -> Iterator[str]:
    """Yield how often a miss was confirmed with and without another stated finding of lung or pleura."""
    beside = panel.table.reports.beside[panel.rows]
    for family in PANEL.values():
        column = panel.families.index(family)
        confirmed, with_other = panel.missed[:, column], beside[:, column]
        judged = panel.is_open[:, column]
        counts = [
            f"{int(confirmed[judged & place].sum())} of {int((judged & place).sum())}"
            for place in (with_other, ~with_other)
        ]
        yield f"{family} confirmed: {counts[0]} beside another stated finding, {counts[1]} without one"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds chexnet_reads/ (default: OVERREAD_DATA)",
    )
    parser.add_argument(
        "--save-fit", type=Path, metavar="JSON", help="write what was fitted on the other patients"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the reliability diagram")
    given = parser.parse_args(arguments)
    panel = load_panel(Path(given.data) / "chexnet_reads")
    if given.save_fit:
        given.save_fit.write_text(encode_expectation(panel.expectation) + "\n", encoding="utf-8")
    candidates = orderings(panel)
    if given.plot:
        plot_reliability(
            {
                family.replace("_", " "): {
                    candidate.name: _judged(panel, candidate, family) for candidate in candidates[-2:]
                }
                for family in PANEL.values()
            },
            given.plot,
        )
    for line in report(panel, candidates):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


def _order(panel: Panel, policy: Policy, expectation: Expectation | None) -> Order:
    return order_cases(panel.table, policy, load_vocabulary(), expectation)


def _ordered(name: str, panel: Panel, order: Order) -> Ordering:
    odds = np.nan_to_num(order.miss_odds[panel.rows].astype(np.float64))
    return Ordering(name=name, cases=order.priorities[panel.rows], pairs=odds / (1 + odds))


def _raw(name: str, panel: Panel, *, weighted: bool) -> Ordering:
    """Return the highest score of any finding that the panel judges and the report does not state."""
    pairs = np.where(panel.is_open, _highest_scores(panel), 0.0)
    weights = np.array([WEIGHTS.get(family, 0) if weighted else 1 for family in panel.families])
    return Ordering(name=name, cases=(pairs * weights).max(axis=1), pairs=pairs)


def _thresholds(name: str, panel: Panel) -> Ordering:
    """Return flagged cases first, in no order: a family is flagged as often as reports state it."""
    scores = _highest_scores(panel)
    every = np.column_stack(
        [panel.table.studies.scores[:, list(members)].max(axis=1) for members in _members(panel)]
    )
    bounds = [
        np.quantile(column, 1 - rate)
        for column, rate in zip(every.T, panel.expectation.base_rates, strict=True)
    ]
    flagged = (panel.is_open & (scores >= np.array(bounds))).astype(np.float64)
    return Ordering(name=name, cases=flagged.max(axis=1), pairs=flagged)


def _highest_scores(panel: Panel) -> Floats:
    scores = panel.table.studies.scores[panel.rows]
    return np.column_stack([scores[:, list(members)].max(axis=1) for members in _members(panel)])


def _members(panel: Panel) -> tuple[tuple[int, ...], ...]:
    return panel.table.studies.columns.members(load_vocabulary())


def _folds(patients: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return a fold for each study; a patient's studies share theirs."""
    names, groups = np.unique(patients, return_inverse=True)
    folds: NDArray[np.intp] = np.random.default_rng(SEED).permutation(len(names))[groups] % FOLDS
    return folds


def _of_cases(
    figure: Callable[[Floats, Floats], float], worth: Floats, ordering: Ordering, rows: NDArray[np.intp]
) -> float:
    return figure(ordering.cases[rows], worth[rows])


def _of_pairs(confirmed: Floats, column: int, ordering: Ordering, rows: NDArray[np.intp]) -> float:
    return average_precision(ordering.pairs[rows, column], confirmed[rows])


def _judged(panel: Panel, ordering: Ordering, family: str) -> tuple[Floats, Floats]:
    """Return probability of a miss and whether it was confirmed, where the panel judged."""
    column = panel.families.index(family)
    eligible = panel.is_open[:, column]
    return ordering.pairs[eligible, column], panel.missed[eligible, column]


def _calibration(panel: Panel, ordering: Ordering, family: str) -> str:
    probability, confirmed = _judged(panel, ordering, family)
    error = calibration_error(probability, confirmed)
    return (
        f"  {family:14} {ordering.name:28} {error:.3f}  n {len(confirmed)}, "
        f"expected {probability.mean():.3f}, confirmed {confirmed.mean():.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
