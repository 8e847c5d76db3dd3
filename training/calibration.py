"""From scores to probabilities and from probabilities to decisions, on patients that were not trained on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.manifest import Calibration, OperatingPoint
from overread.errors import InvalidFileError

PRIOR_STRENGTH = 4.0  # pull of the slope towards 1: a handful of positives cannot say how steep the curve is
LEAST_SLOPE = 0.2
NEWTON_STEPS = 50

SCREENING_SENSITIVITY = 0.90
HIGH_PRECISION_SPECIFICITY = 0.95


def fit_platt(logits: NDArray[np.floating], labels: NDArray[np.floating]) -> Calibration:
    """Return the curve of highest penalised likelihood (Platt 1999).

    Raises:
        InvalidFileError: no positive or no negative to fit on.
    """
    weights = fit_logistic(logits[:, np.newaxis], labels, prior=1.0, strength=PRIOR_STRENGTH)
    return Calibration(
        slope=max(float(weights[0]), LEAST_SLOPE),
        intercept=float(weights[1]),
        prevalence=float(labels.mean()),
    )


def curve_values(curve: Calibration, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities that a curve makes of log odds."""
    bounded = np.clip(curve.slope * logits.astype(np.float64) + curve.intercept, -50, 50)
    values: NDArray[np.float64] = 1 / (1 + np.exp(-bounded))
    return values


def calibrate(
    logits: NDArray[np.floating], labels: NDArray[np.floating], findings: Sequence[str]
) -> dict[str, Calibration]:
    """Return the curve of every finding, a column each.

    Raises:
        InvalidFileError: a finding or its absence is missing.
    """
    return {name: fit_platt(logits[:, at], labels[:, at]) for at, name in enumerate(findings)}


def agreement(logits: NDArray[np.floating]) -> float | None:
    """Return the correlation of what networks say of the same radiographs, the mean over findings.

    Args:
        logits: (networks, radiographs, findings); none of the networks has seen the radiographs.

    Returns:
        None where there is only one network.
    """
    networks, _, findings = logits.shape
    if networks == 1:
        return None
    pairs = np.triu_indices(networks, 1)
    return float(np.mean([np.corrcoef(logits[:, :, at])[pairs].mean() for at in range(findings)]))


def for_more_networks(
    curve: Calibration, logits: NDArray[np.floating], *, alike: float | None, fitted: int, released: int
) -> Calibration:
    """Return the curve for the mean of more networks than it was fitted on.

    The mean of more networks holds less of what is peculiar to each, so its spread is smaller, and what is
    left of it says more: the slope grows by as much as the variance falls (regression dilution, Spearman
    1904; of log odds it is an approximation, a little too cautious). At the mean of the logits the curve
    stays what it was.

    Args:
        curve: fitted on the mean of `fitted` networks.
        logits: those that it was fitted on.
        alike: correlation between networks (see `agreement`); None, unknown, leaves the curve as it is.
        fitted: how many networks spoke of each radiograph.
        released: how many speak together in the release.
    """
    if alike is None:
        return curve
    variance = [alike + (1 - alike) / count for count in (fitted, released)]
    slope = curve.slope * variance[0] / variance[1]
    intercept = curve.intercept + (curve.slope - slope) * float(logits.mean())
    return Calibration(slope=slope, intercept=intercept, prevalence=curve.prevalence)


def fit_logistic(
    values: NDArray[np.floating], labels: NDArray[np.floating], *, prior: float, strength: float
) -> NDArray[np.float64]:
    """Return one weight per column of the values and, last, the intercept, by Newton's method.

    Args:
        values: (samples, columns).
        labels: (samples,), 0 or 1.
        prior: what each weight is drawn to.
        strength: how hard; the intercept is free.

    Raises:
        InvalidFileError: no positive or no negative to fit on.
    """
    _ask_for_both(labels)
    design = np.column_stack([values, np.ones(len(values))]).astype(np.float64)
    expected = np.array([prior] * values.shape[1] + [0.0])
    weights = expected.copy()
    weights[-1] = np.log(labels.mean() / (1 - labels.mean())) - float(
        design.mean(axis=0)[:-1] @ expected[:-1]
    )
    penalty = np.diag([strength] * values.shape[1] + [1e-6])
    for _ in range(NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (fitted - labels) + penalty @ (weights - expected)
        curvature = (design * (fitted * (1 - fitted))[:, np.newaxis]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()))
    return weights


def choose_operating_points(
    probabilities: Mapping[str, NDArray[np.floating]],
    labels: Mapping[str, NDArray[np.floating]],
    *,
    cohort: str,
) -> tuple[OperatingPoint, ...]:
    """Return `balanced`, `screening` and `high_precision`, each with a threshold per finding."""
    rules = {
        "balanced": (balanced_threshold, "sensitivity and specificity as nearly equal as possible"),
        "screening": (
            screening_threshold,
            f"highest threshold with sensitivity >= {SCREENING_SENSITIVITY:.2f}",
        ),
        "high_precision": (
            high_precision_threshold,
            f"lowest threshold with specificity >= {HIGH_PRECISION_SPECIFICITY:.2f}",
        ),
    }
    return tuple(
        OperatingPoint(
            name=name,
            cohort=cohort,
            rule=rule,
            thresholds={
                finding: round(choose(probabilities[finding], labels[finding]), 5) for finding in labels
            },
        )
        for name, (choose, rule) in rules.items()
    )


def balanced_threshold(probabilities: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Return the threshold at which sensitivity and specificity are nearest to each other."""
    _ask_for_both(labels)
    candidates = _candidates(probabilities)
    gaps = [
        abs(_sensitivity(probabilities, labels, at) - _specificity(probabilities, labels, at))
        for at in candidates
    ]
    return float(candidates[int(np.argmin(gaps))])


def screening_threshold(probabilities: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Return the highest threshold that keeps the sensitivity asked for."""
    _ask_for_both(labels)
    kept = [
        at
        for at in _candidates(probabilities)
        if _sensitivity(probabilities, labels, at) >= SCREENING_SENSITIVITY
    ]
    return float(max(kept))


def high_precision_threshold(probabilities: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Return the lowest threshold that keeps the specificity asked for."""
    _ask_for_both(labels)
    kept = [
        at
        for at in _candidates(probabilities)
        if _specificity(probabilities, labels, at) >= HIGH_PRECISION_SPECIFICITY
    ]
    return float(min(kept))


def _candidates(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return thresholds between neighbouring values, and beyond either end."""
    values = np.unique(probabilities)
    return np.concatenate([[0.0], (values[:-1] + values[1:]) / 2, [1.0]])


def _sensitivity(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], threshold: float
) -> float:
    return float((probabilities[labels == 1] >= threshold).mean())


def _specificity(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], threshold: float
) -> float:
    return float((probabilities[labels == 0] < threshold).mean())


def _ask_for_both(labels: NDArray[np.floating]) -> None:
    if not 0 < labels.mean() < 1:
        raise InvalidFileError("the patients lack a finding or its absence; give more radiographs")
