"""Studies as arrays: what one detector scored and what the reports state, a row a study.

The same rows feed the fit on a site's past cases, the offline order of a cohort and the single case of the
online worker, so that a case gets the same number everywhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.finding import Vocabulary
from overread.observation import Observation, Presence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Ratios = NDArray[np.float32]  # a million cases are to fit; none of them is known to seven digits

_LEAST_SCORE = 1e-6  # a score of 0 or 1 is a rounded one


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of the arrays are."""

    findings: tuple[str, ...]  # the detector's outputs
    families: tuple[str, ...]  # broadest findings that the outputs are kinds of, each once

    @classmethod
    def of(cls, findings: Iterable[str], vocabulary: Vocabulary) -> "Columns":
        """Return the columns for a detector with these outputs, in their order."""
        outputs = tuple(findings)
        return cls(
            findings=outputs,
            families=tuple(dict.fromkeys(vocabulary.family_of(finding) for finding in outputs)),
        )

    def members(self, vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
        """Return for each family the columns of its outputs."""
        homes = [vocabulary.family_of(finding) for finding in self.findings]
        return tuple(
            tuple(column for column, home in enumerate(homes) if home == family) for family in self.families
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyTable:
    """Studies by row; the arrays share their first dimension."""

    columns: Columns
    scores: Ratios  # (studies, findings) in [0, 1]; NaN where the detector gave none
    stated: Booleans  # (studies, families) the report states the family, surely or with reserve
    patients: Integers  # (studies,) equal for studies of one patient
    order: Integers  # (studies,) of one patient's studies in time
    age_years: Floats  # (studies,) NaN where unknown
    male: Floats  # (studies,) 1 for M, 0 for F, NaN otherwise
    anteroposterior: Floats  # (studies,) 1 for view AP, 0 for PA, NaN otherwise

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, chosen: Integers | slice) -> "StudyTable":
        """Return some of the studies."""
        return StudyTable(
            columns=self.columns,
            scores=self.scores[chosen],
            stated=self.stated[chosen],
            patients=self.patients[chosen],
            order=self.order[chosen],
            age_years=self.age_years[chosen],
            male=self.male[chosen],
            anteroposterior=self.anteroposterior[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Earlier:
    """What is known from the patient's earlier studies, for each study of a table."""

    count: Floats  # (studies,)
    logits: Floats  # (studies, findings) mean over the earlier studies; 0 where there are none
    stated: Floats  # (studies, families) share of the earlier reports; 0 where there are none


def logits_of(scores: Floats | Ratios) -> Floats:
    """Return the logarithms of the odds of the scores, held away from 0 and 1; NaN stays NaN."""
    bounded = np.clip(scores.astype(np.float64), _LEAST_SCORE, 1 - _LEAST_SCORE)
    logits: Floats = np.log(bounded / (1 - bounded))
    return logits


def earlier_of(table: StudyTable, logits: Floats) -> Earlier:
    """Return what the earlier studies of the same patients say.

    Args:
        table: studies in any order; those of equal patient and order count as simultaneous in file order.
        logits: (studies, findings) what is averaged, such as standardised log odds.
    """
    rows = np.lexsort((table.order, table.patients))
    patients = table.patients[rows]
    position = np.arange(len(rows))
    first = np.r_[True, patients[1:] != patients[:-1]] if len(rows) else np.zeros(0, dtype=bool)
    start = np.maximum.accumulate(np.where(first, position, 0))
    count = (position - start).astype(np.float64)
    return Earlier(
        count=_unsorted(count, rows),
        logits=_unsorted(_mean_before(np.nan_to_num(logits)[rows], start, count), rows),
        stated=_unsorted(_mean_before(table.stated[rows].astype(np.float64), start, count), rows),
    )


def stated_families(
    observations: Iterable[Observation], columns: Columns, vocabulary: Vocabulary
) -> tuple[float, ...]:
    """Return for each family 1.0 where an observation states any finding of it, else 0.0."""
    found = {item.finding for item in observations if item.presence in (Presence.PRESENT, Presence.UNCERTAIN)}
    return tuple(float(not found.isdisjoint(vocabulary.kinds_of(family))) for family in columns.families)


def score_row(scores: Mapping[str, float], columns: Columns) -> tuple[float, ...]:
    """Return the scores in the order of the columns, NaN where there is none."""
    return tuple(scores.get(finding, np.nan) for finding in columns.findings)


def sex_value(sex: str | None) -> float:
    """Return 1.0 for M, 0.0 for F, NaN otherwise."""
    return {"M": 1.0, "F": 0.0}.get(sex or "", np.nan)


def view_value(view: str | None) -> float:
    """Return 1.0 for AP, 0.0 for PA, NaN otherwise."""
    return {"AP": 1.0, "PA": 0.0}.get(view or "", np.nan)


def blocks_of_patients(table: StudyTable, studies: int) -> Iterator[Integers]:
    """Yield the rows of some patients at a time, all studies of each; about so many studies in a block."""
    rows = np.argsort(table.patients, kind="stable")
    patients = table.patients[rows]
    start = 0
    while start < len(rows):
        last = patients[min(start + studies, len(rows)) - 1]
        end = int(np.searchsorted(patients, last, side="right"))
        yield rows[start:end]
        start = end


def number_patients(patients: Sequence[str]) -> Integers:
    """Return one number for each patient, in order of first appearance."""
    numbers: dict[str, int] = {}
    return np.fromiter((numbers.setdefault(name, len(numbers)) for name in patients), dtype=np.int64)


def _mean_before(values: Floats, start: Integers, count: Floats) -> Floats:
    """Return the mean of the rows from `start` up to, not including, each row; 0 where there are none."""
    totals = np.vstack([np.zeros(values.shape[1]), np.cumsum(values, axis=0)])
    before = totals[np.arange(len(values))] - totals[start]
    mean: Floats = before / np.maximum(count, 1)[:, None]
    return mean


def _unsorted(values: Floats, rows: Integers) -> Floats:
    result = np.empty_like(values)
    result[rows] = values
    return result
