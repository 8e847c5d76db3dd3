"""What a site's reports would be expected to state, given what a detector scores.

Fitted on past cases of the site, which need no adjudication: a logistic regression of "the report states this
family of findings" on all outputs of one detector, their products in pairs, age, sex, view, and what earlier
studies of the patient showed and stated. It brings all outputs of a detector, whatever its training, to one
number per family on the site's own scale. It is no probability of disease: a reader misses some of what is
there, and `overread.evidence` says what is made of that.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from overread.errors import ConfigurationError, InputError
from overread.logistic import fit_logistic, predict
from overread.studies import (
    Columns,
    Earlier,
    Floats,
    Integers,
    StudyTable,
    blocks_of_patients,
    earlier_of,
    logits_of,
)

FORMAT = 1
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # no path
MINIMUM_STUDIES = 500
"""Below this a fit of some hundred coefficients says more about its penalty than about the site."""

_MAXIMUM_STUDIES = 200_000  # more sharpen nothing and take minutes
_CONTEXT_PRECISION = 1.0  # of the coefficients of scores, context and history, on standardised columns
_PAIR_PRECISION = 30.0  # of the products: there are many, each may say little
_FREE = 1e-6  # the intercept is hardly held
_MAXIMUM_DEVIATION = 4.0  # standardised scores beyond this count as this much: products would run away
_TYPICAL_AGE_YEARS, _AGE_SCALE_YEARS = 50.0, 20.0
_BLOCK_STUDIES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expectation:
    """The fitted regression for the outputs of one detector at one site."""

    detector: str  # name of the detector whose scores it understands
    columns: Columns
    mean: Floats  # (findings,) of the log odds in the past cases
    scale: Floats  # (findings,) their standard deviation
    coefficients: Floats  # (families, 1 + features), the intercept first
    base_rates: Floats  # (families,) share of the past reports that state each
    studies: int  # past cases that it was fitted on
    patients: int

    @property
    def version(self) -> str:
        """Hash of all that decides a number, for provenance."""
        return hashlib.sha256(encode_expectation(self).encode()).hexdigest()[:12]


def expected_statements(expectation: Expectation, table: StudyTable) -> Floats:
    """Return the share of reports expected to state each family, (studies, families) in (0, 1).

    Args:
        expectation: fitted on the columns of the table.
        table: the studies to judge and, as rows of their own, the patients' earlier ones.

    Raises:
        InputError: the table has other columns.
    """
    if table.columns != expectation.columns:
        raise InputError(f"the expectation is for {expectation.detector}, whose outputs are others")
    result = np.empty((len(table), len(expectation.columns.families)))
    for rows in blocks_of_patients(table, _BLOCK_STUDIES):
        block = table.rows(rows)
        logits = _standardised(block, expectation.mean, expectation.scale)
        features = _features(block, logits, earlier_of(block, logits), slice(None))
        for column, coefficients in enumerate(expectation.coefficients):
            result[rows, column] = predict(features, coefficients)
    return result


def fit_expectation(detector: str, table: StudyTable) -> Expectation:
    """Return the regression fitted on past cases.

    Args:
        detector: name of the detector that gave the scores.
        table: past cases with their reports; the latest ones are used where there are very many.

    Raises:
        InputError: too few studies.
    """
    scored = np.isfinite(table.scores).any(axis=1)
    if scored.sum() < MINIMUM_STUDIES:
        raise InputError(
            f"{int(scored.sum())} past cases with scores of {detector} are too few to learn from; "
            f"at least {MINIMUM_STUDIES} are needed"
        )
    raw = logits_of(table.scores[scored])
    mean, scale = np.nanmean(raw, axis=0), _scale(raw)
    logits = _standardised(table, mean, scale)
    used = np.flatnonzero(scored)[-_MAXIMUM_STUDIES:]
    features = _features(table, logits, earlier_of(table, logits), used)
    precision = _precision(table.columns)
    outcomes = table.stated[used].astype(np.float64)
    coefficients = [fit_logistic(features, column, precision) for column in outcomes.T]
    return Expectation(
        detector=detector,
        columns=table.columns,
        mean=mean,
        scale=scale,
        coefficients=np.array(coefficients),
        base_rates=outcomes.mean(axis=0),
        studies=len(used),
        patients=len(np.unique(table.patients[used])),
    )


def encode_expectation(expectation: Expectation) -> str:
    """Return the expectation as JSON text."""
    return json.dumps(
        {
            "format": FORMAT,
            "detector": expectation.detector,
            "findings": expectation.columns.findings,
            "families": expectation.columns.families,
            "studies": expectation.studies,
            "patients": expectation.patients,
            "base_rates": expectation.base_rates.tolist(),
            "mean": expectation.mean.tolist(),
            "scale": expectation.scale.tolist(),
            "coefficients": expectation.coefficients.tolist(),
        },
        indent=1,
    )


def parse_expectation(text: str) -> Expectation:
    """Return the expectation that `encode_expectation` wrote.

    Raises:
        ConfigurationError: not such a text, or its parts do not fit together.
    """
    try:
        table = json.loads(text)
        if table["format"] != FORMAT:
            raise ConfigurationError(f"the expectation has format {table['format']!r}, not {FORMAT}")
        expectation = Expectation(
            detector=str(table["detector"]),
            columns=Columns(findings=tuple(table["findings"]), families=tuple(table["families"])),
            mean=np.array(table["mean"], dtype=np.float64),
            scale=np.array(table["scale"], dtype=np.float64),
            coefficients=np.array(table["coefficients"], dtype=np.float64),
            base_rates=np.array(table["base_rates"], dtype=np.float64),
            studies=int(table["studies"]),
            patients=int(table["patients"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"the expectation is malformed: {error}") from error
    _check(expectation)
    return expectation


@cache
def default_expectation(detector: str) -> Expectation | None:
    """Return the fit for a published detector that comes with overread; None where there is none."""
    if not _PLAIN_NAME.fullmatch(detector):
        return None
    source = files("overread") / "data" / "expectations" / f"{detector}.json"
    return parse_expectation(source.read_text(encoding="utf-8")) if source.is_file() else None


def _check(expectation: Expectation) -> None:
    outputs, families = len(expectation.columns.findings), len(expectation.columns.families)
    shapes_fit = (
        expectation.mean.shape == expectation.scale.shape == (outputs,)
        and expectation.coefficients.shape == (families, 1 + _feature_count(expectation.columns))
        and expectation.base_rates.shape == (families,)
    )
    if not shapes_fit:
        raise ConfigurationError("the parts of the expectation do not fit together")
    numbers = (expectation.mean, expectation.scale, expectation.coefficients, expectation.base_rates)
    if not all(np.isfinite(values).all() for values in numbers) or (expectation.scale <= 0).any():
        raise ConfigurationError("the expectation holds numbers that are not finite or a scale of 0")


def _feature_count(columns: Columns) -> int:
    """Return how many there are: scores, context, earlier scores and statements, and pairs of scores."""
    outputs = len(columns.findings)
    return outputs + 5 + outputs + len(columns.families) + math.comb(outputs + 1, 2)


def _features(table: StudyTable, logits: Floats, earlier: Earlier, rows: slice | Integers) -> Floats:
    known, count = logits[rows], earlier.count[rows]
    left, right = np.triu_indices(known.shape[1])
    context = np.column_stack(
        [
            np.nan_to_num((table.age_years[rows] - _TYPICAL_AGE_YEARS) / _AGE_SCALE_YEARS),
            np.nan_to_num(table.male[rows], nan=0.5),
            np.nan_to_num(table.anteroposterior[rows], nan=0.5),
            count > 0,
            np.log1p(count),
        ]
    )
    pairs = known[:, left] * known[:, right]
    features: Floats = np.hstack([known, context, earlier.logits[rows], earlier.stated[rows], pairs])
    return features


def _precision(columns: Columns) -> Floats:
    pairs = math.comb(len(columns.findings) + 1, 2)
    others = _feature_count(columns) - pairs
    precision: Floats = np.r_[_FREE, np.full(others, _CONTEXT_PRECISION), np.full(pairs, _PAIR_PRECISION)]
    return precision


def _standardised(table: StudyTable, mean: Floats, scale: Floats) -> Floats:
    """Return the log odds on the scale of the past cases; 0, the typical value, where there is no score."""
    deviations = np.nan_to_num((logits_of(table.scores) - mean) / scale)
    bounded: Floats = np.clip(deviations, -_MAXIMUM_DEVIATION, _MAXIMUM_DEVIATION)
    return bounded


def _scale(logits: Floats) -> Floats:
    """Return the standard deviation of each column, 1 for a column that never varies."""
    deviation = np.nanstd(logits, axis=0)
    scale: Floats = np.where(deviation > 0, deviation, 1.0)
    return scale
