"""Adjudication model: what a site's own second reads teach about how often a discrepancy is confirmed.

For each kind of discrepancy the log odds of the explicit evidence are corrected by a line that all findings
share, a line of each finding's own, and by whether the report names a related finding. Gaussian priors hold
the correction at "none" (see `overread.logistic`), the finding's own line more strongly the less has been
adjudicated of it, so that it takes over as adjudications accumulate. Only what was looked at is
adjudicated: the correction speaks of such cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.discrepancy import DiscrepancyKind
from overread.logistic import fit_logistic

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_INTERCEPT, _SLOPE, _RELATED = 0.3, 1.0, 2.0  # precisions of what all findings share
_OWN_INTERCEPT, _OWN_SLOPE = 0.5, 3.0  # and of each finding's own
_ARRAYS = ("own_intercepts", "own_slopes", "centres")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correction:
    """The correction of the log odds of one kind of discrepancy."""

    intercept: float
    slope: float  # of the log odds; 1 corrects nothing
    related: float  # added where the report names a related finding
    own_intercepts: Floats  # (findings,)
    own_slopes: Floats  # (findings,) of the distance from `centres`
    centres: Floats  # (findings,) mean log odds of what was adjudicated
    adjudicated: int  # pairs of case and finding

    def apply(self, log_odds: Floats, related: Booleans) -> Floats:
        """Return the corrected log odds; both arrays have shape (cases, findings), NaN stays NaN."""
        corrected: Floats = (
            self.intercept
            + self.own_intercepts
            + self.slope * log_odds
            + self.own_slopes * (log_odds - self.centres)
            + self.related * related
        )
        return corrected


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdjudicationModel:
    """The corrections by kind; a kind of which nothing has been adjudicated has none."""

    findings: tuple[str, ...]  # what the columns of the arrays are
    corrections: Mapping[DiscrepancyKind, Correction]

    def correct(self, kind: DiscrepancyKind, log_odds: Floats, related: Booleans) -> Floats:
        """Return the corrected log odds of one kind, (cases, findings); NaN stays NaN."""
        correction = self.corrections.get(kind)
        return log_odds if correction is None else correction.apply(log_odds, related)


def fit_correction(log_odds: Floats, related: Booleans, confirmed: Floats) -> Correction | None:
    """Return what the adjudications of one kind teach; None where there are none.

    Args:
        log_odds: (cases, findings) of the explicit evidence; NaN where there can be no such discrepancy.
        related: (cases, findings) whether the report names a related finding.
        confirmed: (cases, findings) 1 or 0 as adjudicated; NaN where nobody looked.
    """
    rows, columns = np.nonzero(np.isfinite(log_odds) & np.isfinite(confirmed))
    if not len(rows):
        return None
    findings = log_odds.shape[1]
    own = np.zeros((len(rows), findings))
    own[np.arange(len(rows)), columns] = 1.0
    odds = log_odds[rows, columns]
    counts = own.sum(axis=0)
    centres = own.T @ odds / np.maximum(counts, 1)
    features = np.column_stack(
        [odds, related[rows, columns].astype(np.float64), own, own * (odds - centres[columns])[:, None]]
    )
    precision = np.r_[
        _INTERCEPT, _SLOPE, _RELATED, np.full(findings, _OWN_INTERCEPT), np.full(findings, _OWN_SLOPE)
    ]
    held = np.zeros(len(precision))
    held[1] = 1.0
    fitted = fit_logistic(features, confirmed[rows, columns], precision, held)
    return Correction(
        intercept=float(fitted[0]),
        slope=float(fitted[1]),
        related=float(fitted[2]),
        own_intercepts=fitted[3 : 3 + findings],
        own_slopes=fitted[3 + findings :],
        centres=centres,
        adjudicated=len(rows),
    )


def adjudication_record(model: AdjudicationModel) -> dict[str, Any]:
    """Return the model as plain JSON values; the inverse of `adjudication_model_of`."""
    return {
        "findings": list(model.findings),
        "corrections": {
            kind.value: {
                name: value.tolist() if isinstance(value := getattr(item, name), np.ndarray) else value
                for name in Correction.__slots__
            }
            for kind, item in model.corrections.items()
        },
    }


def adjudication_model_of(record: Mapping[str, Any]) -> AdjudicationModel:
    """Return the model that plain JSON values describe.

    Raises:
        KeyError: a part is missing.
        TypeError: a part is unknown.
        ValueError: the parts do not fit together or are not numbers.
    """
    findings = tuple(record["findings"])
    corrections = {DiscrepancyKind(kind): _correction(item) for kind, item in record["corrections"].items()}
    for item in corrections.values():
        arrays = [getattr(item, name) for name in _ARRAYS]
        numbers = np.r_[item.intercept, item.slope, item.related, *arrays]
        if any(values.shape != (len(findings),) for values in arrays) or not np.isfinite(numbers).all():
            raise ValueError("the parts of the adjudication model do not fit together")
    return AdjudicationModel(findings=findings, corrections=MappingProxyType(corrections))


def _correction(record: Mapping[str, Any]) -> Correction:
    arrays = {name: np.array(record[name], dtype=np.float64) for name in _ARRAYS}
    return Correction(
        intercept=float(record["intercept"]),
        slope=float(record["slope"]),
        related=float(record["related"]),
        adjudicated=int(record["adjudicated"]),
        **arrays,
    )
