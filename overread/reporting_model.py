"""Reporting model: what share of a site's reports would state a finding, given what a detector scores.

A logistic regression for each finding on the detector's own score for it, calibrated where it is and raw
where it is not, learned from past reports without adjudication. It brings the outputs of any detector,
calibrated or not, to one scale, and never changes the order of the cases within a finding. It is held at
its prior as if some thirty reports had been seen, so that a few dozen past cases help and ten do no harm.
What the reports leave out is another matter: see `overread.evidence`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from overread.adjudication_model import AdjudicationModel, adjudication_model_of, adjudication_record
from overread.errors import ConfigurationError
from overread.logistic import fit_logistic, sigmoid

Floats = NDArray[np.float64]
Ratios = NDArray[np.float32]
Booleans = NDArray[np.bool_]

FORMAT = 2
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # no path
_LEAST_SCORE = 1e-6  # a score of 0 or 1 is a rounded one
_MAXIMUM_DEVIATION = 4.0  # in standard deviations; scores beyond it count as this far
_TYPICAL_INTERCEPT = -2.0  # log odds: one report in eight states a finding, before anything is known
_TYPICAL_SLOPE = 1.0  # of the log odds for each standard deviation of the score
_PRECISION = 3.0  # of both priors: a variance of a third
_LEAST_SLOPE = 0.05  # a higher score never speaks against a finding
_MAXIMUM_STUDIES = 200_000  # more sharpen nothing and take minutes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportingModel:
    """The fitted regressions for the outputs of one detector; the arrays have shape (findings,)."""

    detector: str  # name of the detector whose scores it understands
    version: str | None  # of the detector; None where the model holds for every version
    findings: tuple[str, ...]
    mean: Floats  # of the log odds of the score in the past cases
    scale: Floats  # their standard deviation, > 0
    intercept: Floats
    slope: Floats  # for each standard deviation, > 0
    base_rates: Floats  # share of the past reports that state the finding, in (0, 1)
    studies: int  # past cases that it was fitted on
    patients: int
    adjudications: AdjudicationModel | None = None  # what the site's second reads teach; None without any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReportingModel) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def sha256(self) -> str:
        """Hash of all that decides a number, its first twelve digits, for provenance."""
        return hashlib.sha256(encode_reporting_model(self).encode()).hexdigest()[:12]

    def fits(self, detector: str, version: str) -> bool:
        """Whether it understands the scores of this detector."""
        return self.detector == detector and self.version in (None, version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PastReports:
    """Past cases that a reporting model is learned from, a row a study."""

    scores: Floats | Ratios  # (studies, findings) in [0, 1]; NaN where the detector gave none
    stated: Booleans  # (studies, findings) whether the report states the finding as present
    patients: Sequence[str]  # (studies,) equal for studies of one patient


def stated_share(model: ReportingModel, scores: Floats | Ratios) -> Floats:
    """Return the share of reports that would state each finding, (studies, findings) in (0, 1).

    Args:
        model: fitted on the same findings.
        scores: (studies, findings); NaN stays NaN.
    """
    deviations = _deviations(scores, model.mean, model.scale)
    shares = sigmoid(model.intercept + model.slope * np.nan_to_num(deviations))
    result: Floats = np.where(np.isnan(deviations), np.nan, shares)
    return result


def fit_reporting_model(
    detector: str,
    version: str | None,
    findings: tuple[str, ...],
    past: PastReports,
    *,
    prior: ReportingModel | None = None,
) -> ReportingModel:
    """Return the model fitted on past cases; without reports it ranks the cases within each finding.

    Args:
        detector: name of the detector that gave the scores.
        version: of the detector; None where the scores of every version are alike.
        findings: columns of the scores.
        past: past cases; the latest are used where there are very many. Their scores alone say what is
            typical.
        prior: fitted elsewhere for the same detector, which is held at; None where there is none.
    """
    scores = past.scores[-_MAXIMUM_STUDIES:]
    stated = past.stated[-_MAXIMUM_STUDIES:].astype(np.float64)
    patients = past.patients[-_MAXIMUM_STUDIES:]
    mean, scale = _typical(scores) if prior is None else _columns_of(prior, findings, _typical(scores))
    deviations = _deviations(scores, mean, scale)
    held = _held(prior, findings)
    fitted = [
        _fit(deviations[:, column], stated[:, column], held[:, column]) for column in range(len(findings))
    ]
    coefficients = np.array(fitted).reshape(len(findings), 2)
    return ReportingModel(
        detector=detector,
        version=version,
        findings=findings,
        mean=mean,
        scale=scale,
        intercept=coefficients[:, 0],
        slope=np.maximum(coefficients[:, 1], _LEAST_SLOPE),
        base_rates=_base_rates(deviations, stated),
        studies=len(scores),
        patients=len(set(patients)),
    )


def with_adjudications(model: ReportingModel, adjudications: AdjudicationModel) -> ReportingModel:
    """Return the model with what second reads teach."""
    return replace(model, adjudications=adjudications)


def encode_reporting_model(model: ReportingModel) -> str:
    """Return the model as JSON text."""
    record = {
        "format": FORMAT,
        "detector": model.detector,
        "version": model.version,
        "findings": model.findings,
        "studies": model.studies,
        "patients": model.patients,
        **{name: getattr(model, name).tolist() for name in _ARRAYS},
        "adjudications": None if model.adjudications is None else adjudication_record(model.adjudications),
    }
    return json.dumps(record, indent=1)


def parse_reporting_model(text: str) -> ReportingModel:
    """Return the model that `encode_reporting_model` wrote.

    Raises:
        ConfigurationError: not such a text, or its parts do not fit together.
    """
    try:
        table = json.loads(text)
        if table["format"] != FORMAT:
            raise ConfigurationError(
                f"the reporting model has format {table['format']!r}, not {FORMAT}; "
                "learn it again with `overread rank --fit ... --save-fit`"
            )
        adjudications = table["adjudications"]
        model = ReportingModel(
            detector=str(table["detector"]),
            version=None if table["version"] is None else str(table["version"]),
            findings=tuple(table["findings"]),
            studies=int(table["studies"]),
            patients=int(table["patients"]),
            adjudications=None if adjudications is None else adjudication_model_of(adjudications),
            **{name: np.array(table[name], dtype=np.float64) for name in _ARRAYS},
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"the reporting model is malformed: {error}") from error
    _check(model)
    return model


@cache
def shipped_reporting_model(detector: str) -> ReportingModel | None:
    """Return the model for a detector that comes with overread; None where there is none."""
    if not _PLAIN_NAME.fullmatch(detector):
        return None
    source = files("overread") / "data" / "reporting_models" / f"{detector}.json"
    return parse_reporting_model(source.read_text(encoding="utf-8")) if source.is_file() else None


_ARRAYS = ("mean", "scale", "intercept", "slope", "base_rates")


def _check(model: ReportingModel) -> None:
    arrays = [getattr(model, name) for name in _ARRAYS]
    if any(values.shape != (len(model.findings),) for values in arrays):
        raise ConfigurationError("the parts of the reporting model do not fit together")
    if not all(np.isfinite(values).all() for values in arrays):
        raise ConfigurationError("the reporting model holds numbers that are not finite")
    if (model.scale <= 0).any() or (model.slope <= 0).any():
        raise ConfigurationError("the reporting model has a scale or a slope that is not positive")
    if (model.base_rates <= 0).any() or (model.base_rates >= 1).any():
        raise ConfigurationError("the reporting model has a base rate outside (0, 1)")


def _deviations(scores: Floats | Ratios, mean: Floats, scale: Floats) -> Floats:
    """Return the log odds of the scores in standard deviations; NaN stays NaN."""
    deviations: Floats = (_log_odds(scores) - mean) / scale
    return np.clip(deviations, -_MAXIMUM_DEVIATION, _MAXIMUM_DEVIATION)


def _typical(scores: Floats | Ratios) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the log odds; 0 and 1 for a column without two known scores."""
    raw = _log_odds(scores)
    known = np.isfinite(raw)
    count = known.sum(axis=0)
    filled = np.where(known, raw, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (raw - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count, 1))
    return mean, np.where((count > 1) & (spread > 1e-9), spread, 1.0)


def _log_odds(scores: Floats | Ratios) -> Floats:
    bounded = np.clip(scores.astype(np.float64), _LEAST_SCORE, 1 - _LEAST_SCORE)
    logits: Floats = np.log(bounded / (1 - bounded))
    return logits


def _columns_of(
    prior: ReportingModel, findings: tuple[str, ...], typical: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Return the scale of the prior for the findings that it knows, and what is typical for the others."""
    mean, scale = typical[0].copy(), typical[1].copy()
    for column, finding in enumerate(findings):
        if finding in prior.findings:
            at = prior.findings.index(finding)
            mean[column], scale[column] = prior.mean[at], prior.scale[at]
    return mean, scale


def _held(prior: ReportingModel | None, findings: tuple[str, ...]) -> Floats:
    """Return intercept and slope that each finding is held at, (2, findings)."""
    held = np.tile([[_TYPICAL_INTERCEPT], [_TYPICAL_SLOPE]], (1, len(findings)))
    for column, finding in enumerate(findings):
        if prior is not None and finding in prior.findings:
            at = prior.findings.index(finding)
            held[:, column] = prior.intercept[at], prior.slope[at]
    return held


def _fit(deviations: Floats, stated: Floats, held: Floats) -> Floats:
    known = np.isfinite(deviations)
    return fit_logistic(deviations[known, None], stated[known], np.full(2, _PRECISION), held)


def _base_rates(deviations: Floats, stated: Floats) -> Floats:
    """Return the share of reports that state each finding; half a report either way keeps it off 0 and 1."""
    known = np.isfinite(deviations)
    rates: Floats = (np.where(known, stated, 0.0).sum(axis=0) + 0.5) / (known.sum(axis=0) + 1)
    return rates
