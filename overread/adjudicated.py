"""What a site's own adjudications teach about the odds of a miss.

For each family the log odds of the explicit evidence are corrected by a line, and by whether the report
states another finding beside it. A Gaussian prior holds the correction at "none" (see `overread.logistic`),
so that it takes over as adjudications accumulate. Only what was looked at is adjudicated: the correction
speaks of such cases.
"""

import numpy as np

from overread.logistic import fit_logistic
from overread.studies import Booleans, Floats, Ratios

TERMS = 3
"""Intercept, slope of the log odds, and another finding beside it."""

NO_CORRECTION = (0.0, 1.0, 0.0)
_PRECISION = np.array([1.0, 10.0, 2.0])


def fit_corrections(odds: Floats | Ratios, beside: Booleans, confirmed: Floats | Ratios) -> Floats:
    """Return the correction of each family, (families, TERMS).

    Args:
        odds: (cases, families) of the explicit evidence; NaN where no miss can be.
        beside: (cases, families) whether the report states another finding of lung or pleura.
        confirmed: (cases, families) 1 or 0 as adjudicated; NaN where nobody looked.
    """
    return np.array(
        [_fit(odds[:, column], beside[:, column], confirmed[:, column]) for column in range(odds.shape[1])]
    )


def correct(odds: Floats | Ratios, beside: Booleans, corrections: Floats) -> Floats:
    """Return the corrected odds; the last dimension is the families, NaN stays NaN."""
    intercept, slope, other = corrections.T
    corrected: Floats = np.exp(intercept + slope * np.log(odds.astype(np.float64)) + other * beside)
    return corrected


def _fit(odds: Floats | Ratios, beside: Booleans, confirmed: Floats | Ratios) -> Floats:
    known = ~np.isnan(odds) & ~np.isnan(confirmed)
    features = np.column_stack([np.log(odds[known].astype(np.float64)), beside[known].astype(np.float64)])
    return fit_logistic(features, confirmed[known].astype(np.float64), _PRECISION, np.array(NO_CORRECTION))
