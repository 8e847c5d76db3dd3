"""The order of a whole cohort: the evidence of `overread.evidence` and the policy, on arrays.

The numbers are those that `overread.triage` gives case by case; tests hold the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overread.adjudicated import correct
from overread.casetable import CaseTable, some_rows
from overread.discrepancy import DiscrepancyKind
from overread.evidence import presence_odds, silence_ratio
from overread.expectation import Expectation, expected_statements
from overread.finding import ANY_ABNORMALITY, Vocabulary
from overread.priority import MAXIMUM_PRIORITY, Policy, least_odds, priority_factor
from overread.studies import Booleans, Floats, Ratios

_BLOCK_CASES = 50_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """Odds and priorities of the cases of a table; NaN where a pair of case and family is not eligible."""

    families: tuple[str, ...]
    miss_odds: Ratios  # (cases, families)
    overcall_odds: Ratios  # (cases, families)
    miss_worth: Floats  # (families,) priority of a certain miss, at most 100
    overcall_worth: Floats  # (families,) and of a certain overcall
    priorities: Floats  # (cases,) in [0, 100]; what is below the policy's odds counts nothing


def order_cases(
    table: CaseTable, policy: Policy, vocabulary: Vocabulary, expectation: Expectation | None = None
) -> Order:
    """Return how the cases come in order, higher priority first.

    Args:
        table: the cases, with the patients' earlier studies among them.
        policy: how evidence is weighed.
        vocabulary: with the families of the table.
        expectation: fitted on the site's past cases; without one the detector's own calibration counts.

    Raises:
        InputError: the expectation is for other outputs.
    """
    families = table.studies.columns.families
    expected = None if expectation is None else expected_statements(expectation, table.studies)
    miss, overcall = np.empty((2, len(table), len(families)), dtype=np.float32)
    for start in range(0, len(table), _BLOCK_CASES):
        rows = slice(start, start + _BLOCK_CASES)
        block = some_rows(table, rows)
        overcall[rows] = overcall_odds(block, policy)
        miss[rows] = miss_odds(block, policy, None if expected is None else expected[rows])
        if ANY_ABNORMALITY in families:
            _leave_the_named(miss[rows], overcall[rows], families, policy)
    factors = np.array([priority_factor(vocabulary[family], policy) for family in families])
    order = Order(
        families=families,
        miss_odds=miss,
        overcall_odds=overcall,
        miss_worth=MAXIMUM_PRIORITY * factors,
        overcall_worth=MAXIMUM_PRIORITY * policy.overcall.benefit * factors,
        priorities=np.zeros(len(table)),
    )
    return replace(order, priorities=priorities_of(order, policy))


def corrected_order(order: Order, table: CaseTable, corrections: Floats, policy: Policy) -> Order:
    """Return the order with what adjudications teach (see `overread.adjudicated`)."""
    corrected = replace(
        order,
        miss_odds=correct(order.miss_odds, table.reports.beside, corrections).astype(np.float32),
    )
    return replace(corrected, priorities=priorities_of(corrected, policy))


def priorities_of(order: Order, policy: Policy) -> Floats:
    """Return the priority of each case by the odds of its pairs, as `overread.priority.joint_priority`."""
    left = np.ones(len(order.miss_odds))
    for kind, odds, worth in (
        (DiscrepancyKind.POSSIBLE_MISS, order.miss_odds, order.miss_worth),
        (DiscrepancyKind.POSSIBLE_OVERCALL, order.overcall_odds, order.overcall_worth),
    ):
        for column, family in enumerate(order.families):
            listed = odds[:, column] >= least_odds(family, kind, policy)
            counted = np.where(listed, odds[:, column], 0.0)
            left *= 1 - counted / (1 + counted) * worth[column] / MAXIMUM_PRIORITY
    return MAXIMUM_PRIORITY * (1 - left)


def miss_odds(table: CaseTable, policy: Policy, expected: Floats | None) -> Floats:
    """Return the odds of a miss, (cases, families); NaN where the report states the family.

    Args:
        table: the cases.
        policy: how evidence is weighed.
        expected: (cases, families) share of reports that would state the family; None without a fit.
    """
    families = table.studies.columns.families
    silence = np.array([silence_ratio(policy.reader.of(family)) for family in families])
    beside = np.array([policy.report.accompanied.get(family, 1.0) for family in families])
    report = silence * table.reports.nudge
    report = report * np.where(table.reports.denied, policy.report.denied, 1.0)
    report = report * np.where(table.reports.hedged, policy.report.hedged, 1.0)
    report = report * np.where(table.reports.beside, beside, 1.0)
    return np.where(_eligible(table, expected), _there(table, policy, expected) * report, np.nan)


def overcall_odds(table: CaseTable, policy: Policy) -> Floats:
    """Return the odds of an overcall, (cases, families); NaN where little stands against a statement."""
    calibration = table.calibration
    against = ~calibration.seen & (calibration.ratio <= policy.overcall.maximum_ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = policy.overcall.prior_odds / calibration.ratio
    return np.where(table.reports.stated & against, odds, np.nan)


def _there(table: CaseTable, policy: Policy, expected: Floats | None) -> Floats:
    """Return the odds that a finding of the family is there, before the report is looked at."""
    if expected is None:
        return (table.calibration.prior_odds * table.calibration.ratio).astype(np.float64)
    sensitivity = np.array([policy.reader.of(family) for family in table.studies.columns.families])
    return presence_odds(expected, sensitivity)


def _eligible(table: CaseTable, expected: Floats | None) -> Booleans:
    """Return where a miss can be; what a site's reports let one expect needs no threshold."""
    scored = np.isfinite(table.studies.scores).any(axis=1, keepdims=True)
    silent = ~table.reports.stated & scored
    if expected is not None:
        return silent
    return silent & (table.calibration.seen | ~table.calibration.has_point)


def _leave_the_named(miss: Ratios, overcall: Ratios, families: Sequence[str], policy: Policy) -> None:
    """Take the odds of any abnormality out, where another discrepancy names it."""
    column = families.index(ANY_ABNORMALITY)
    listed = np.zeros(miss.shape, dtype=np.int64)
    for kind, odds in (
        (DiscrepancyKind.POSSIBLE_MISS, miss),
        (DiscrepancyKind.POSSIBLE_OVERCALL, overcall),
    ):
        least = np.array([least_odds(family, kind, policy) for family in families])
        listed += odds >= least  # NaN is not
    others = listed.sum(axis=1) - listed[:, column]
    miss[others > 0, column] = np.nan
