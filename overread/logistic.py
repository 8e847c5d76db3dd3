"""Logistic regression with a Gaussian prior on each coefficient (ridge), by Newton's method.

The posterior mode is unique: the penalised log-likelihood is strictly concave (Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, 2nd ed., section 4.4), where steps that overshoot are halved.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 50
_TOLERANCE = 1e-7
_HALVINGS = 30
_BLOCK_ROWS = 16_384  # rows weighed at once: bounds the memory of a fit on millions of studies


def sigmoid(logits: Floats) -> Floats:
    """Return the probabilities that the log odds stand for."""
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))
    return probabilities


def fit_logistic(features: Floats, outcomes: Floats, precision: Floats, mode: Floats | None = None) -> Floats:
    """Return the coefficients that explain the outcomes best, the intercept first.

    Args:
        features: (rows, columns).
        outcomes: (rows,) 0 or 1, or a share between.
        precision: (1 + columns,) how strongly each coefficient, the intercept first, is held at `mode`; > 0.
        mode: (1 + columns,) what the coefficients are held at; zeros where None.

    Raises:
        FloatingPointError: the fit does not converge, as with features that are not finite.
    """
    held = np.zeros(features.shape[1] + 1) if mode is None else mode
    coefficients = held.copy()
    for _ in range(_ROUNDS):
        gradient, hessian = _derivatives(features, outcomes, coefficients)
        gradient += precision * (coefficients - held)
        hessian[np.diag_indices_from(hessian)] += precision
        step = np.linalg.solve(hessian, gradient).astype(np.float64)
        if not np.isfinite(step).all():
            break
        if np.abs(step).max() < _TOLERANCE:
            return coefficients - step
        coefficients = _descend(features, outcomes, coefficients, step, (precision, held))
    raise FloatingPointError("the logistic regression does not converge; are all features finite?")


def predict(features: Floats, coefficients: Floats) -> Floats:
    """Return the probability of each row; the intercept is the first coefficient."""
    return sigmoid(features @ coefficients[1:] + coefficients[0])


def _descend(
    features: Floats, outcomes: Floats, coefficients: Floats, step: Floats, prior: tuple[Floats, Floats]
) -> Floats:
    """Return the coefficients after as much of the step as does not lead uphill; all of it near the mode."""
    now = _loss(features, outcomes, coefficients, prior)
    for _ in range(_HALVINGS):
        moved = coefficients - step
        if _loss(features, outcomes, moved, prior) <= now:
            break
        step = step / 2
    return moved


def _loss(features: Floats, outcomes: Floats, coefficients: Floats, prior: tuple[Floats, Floats]) -> float:
    """Return the negative log-likelihood with its penalty."""
    precision, held = prior
    logits = features @ coefficients[1:] + coefficients[0]
    likelihood = (np.logaddexp(0.0, logits) - outcomes * logits).sum()
    return float(likelihood + (precision * (coefficients - held) ** 2).sum() / 2)


def _derivatives(features: Floats, outcomes: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    size = features.shape[1] + 1
    gradient, hessian = np.zeros(size), np.zeros((size, size))
    for start in range(0, len(features), _BLOCK_ROWS):
        block = features[start : start + _BLOCK_ROWS]
        rows = np.hstack([np.ones((len(block), 1)), block])
        probability = sigmoid(rows @ coefficients)
        gradient += rows.T @ (probability - outcomes[start : start + _BLOCK_ROWS])
        hessian += (rows * (probability * (1 - probability))[:, None]).T @ rows
    return gradient, hessian
