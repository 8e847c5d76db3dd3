"""Cases of a cohort as arrays: all that their order depends on, for the outputs of one detector.

What a report says of a family is decided as `overread.statement` decides it for one case, and what the
detector's own calibration is worth as `overread.sighting` does; here for many cases at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from overread.assumption import TriggerRatios
from overread.cohort import CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.finding import Vocabulary
from overread.observation import Observation, Presence, ReportReading
from overread.sighting import LEAST_PROBABILITY
from overread.statement import CHEST_GROUPS, current_observations
from overread.studies import (
    Booleans,
    Columns,
    Floats,
    Integers,
    Ratios,
    StudyTable,
    number_patients,
    score_row,
    sex_value,
    view_value,
)
from overread.trigger import triggers_of

ReadText = Callable[[str], ReportReading]
T = TypeVar("T", StudyTable, "ReportTable", "CalibrationTable")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportTable:
    """What the reports say, by case and family, shape (cases, families)."""

    stated: Booleans  # a finding of the family
    hedged: Booleans  # one is considered, none stated
    denied: Booleans  # what the detector would call the family is denied, nothing of it stated or considered
    beside: Booleans  # a finding of lung or pleura of another family is stated
    nudge: Ratios  # product of the report's triggers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationTable:
    """What the detector's own calibration is worth, by case and family, shape (cases, families)."""

    ratio: Ratios  # what the outputs multiply the odds by; NaN where they are not calibrated
    prior_odds: Ratios  # in the calibration cohort; 1 where unknown
    seen: Booleans  # at the operating point; False where none is in use
    has_point: Booleans  # (cases, 1) whether one is in use


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseTable:
    """Cases by row."""

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    ordered: Booleans  # (cases,) False for context only
    studies: StudyTable
    reports: ReportTable
    calibration: CalibrationTable
    confirmed: Ratios  # (cases, families) 1 or 0 where a miss was adjudicated, else NaN

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True)
class _Effect:
    """Which columns one finding of a report bears on."""

    families: Integers  # that it states
    others: Integers  # that it is stated beside
    outputs: Integers  # that its denial denies

    @classmethod
    def of(cls, finding: str, columns: Columns, vocabulary: Vocabulary) -> "_Effect":
        own = [finding in vocabulary.kinds_of(family) for family in columns.families]
        is_chest = vocabulary[finding].group in CHEST_GROUPS
        denied = [output in vocabulary.kinds_of(finding) for output in columns.findings]
        return cls(
            families=np.flatnonzero(own),
            others=np.flatnonzero(np.logical_not(own)) if is_chest else np.flatnonzero([]),
            outputs=np.flatnonzero(denied),
        )


class CaseReader:
    """Turns cases into arrays for the outputs of one detector."""

    def __init__(
        self, detector: str, columns: Columns, vocabulary: Vocabulary, ratios: TriggerRatios, read: ReadText
    ) -> None:
        self._detector = detector
        self._columns = columns
        self._vocabulary = vocabulary
        self._triggers = ratios
        self._read = read
        self._members = [np.array(members) for members in columns.members(vocabulary)]
        self._effects = {finding: _Effect.of(finding, columns, vocabulary) for finding in vocabulary}

    def table(self, cases: Iterable[CohortCase]) -> CaseTable:
        """Return the cases as arrays, in their order.

        Raises:
            InvalidFileError: a report's finding is none of the vocabulary.
            InvalidReportError: a text is empty.
        """
        rows = list(cases)
        detections = [self._detection(case) for case in rows]
        scores = self._matrix([item.scores for item in detections])
        probabilities = _odds(self._matrix([item.probabilities for item in detections]))
        shares = self._matrix([item.prevalences for item in detections])
        outputs = probabilities / np.nan_to_num(_odds(shares), nan=1.0)
        seen = self._present(detections)
        named = self._named(np.where(np.isnan(outputs), scores, outputs), seen)
        reports = self._reports(rows, named)
        return CaseTable(
            cases=tuple(case.case for case in rows),
            patients=tuple(case.patient for case in rows),
            ordered=np.array([not case.context_only for case in rows], dtype=bool),
            studies=self._studies(rows, scores, reports),
            reports=reports,
            calibration=CalibrationTable(
                ratio=self._by_family(np.log(outputs), lambda logs: np.exp(_mean(logs))).astype(np.float32),
                prior_odds=np.nan_to_num(
                    self._by_family(shares, lambda given: _odds(1 - np.prod(1 - given, axis=1))), nan=1.0
                ).astype(np.float32),
                seen=self._by_family(seen, lambda given: given.max(axis=1)) > 0,
                has_point=np.array([[item.present is not None] for item in detections], dtype=bool),
            ),
            confirmed=self._confirmed(rows),
        )

    def _detection(self, case: CohortCase) -> CohortDetection:
        for detection in case.detections:
            if detection.detector == self._detector:
                return detection
        return CohortDetection(detector=self._detector, scores={})

    def _matrix(self, mappings: Sequence[Mapping[str, float]]) -> Floats:
        values = [score_row(mapping, self._columns) for mapping in mappings]
        return np.array(values, dtype=np.float64).reshape(len(mappings), len(self._columns.findings))

    def _present(self, detections: Sequence[CohortDetection]) -> Floats:
        """Return 1 for the outputs at the operating point, else 0, (cases, findings)."""
        present = np.zeros((len(detections), len(self._columns.findings)))
        for row, detection in enumerate(detections):
            if detection.present is not None:
                present[row] = [finding in detection.present for finding in self._columns.findings]
        return present

    def _named(self, strength: Floats, seen: Floats) -> Integers:
        """Return the output that stands for each family, (cases, families): seen, then the strongest."""
        by_rank = np.nan_to_num(strength, nan=-1.0) + 1e9 * seen
        chosen = [members[by_rank[:, members].argmax(axis=1)] for members in self._members]
        return np.array(chosen, dtype=np.int64).reshape(len(self._members), len(strength)).T

    def _by_family(self, values: Floats, pooled: Callable[[Floats], Floats]) -> Floats:
        return np.column_stack([pooled(values[:, members]) for members in self._members])

    def _reports(self, rows: Sequence[CohortCase], named: Integers) -> ReportTable:
        shape = (len(rows), len(self._members))
        stated, hedged, beside = (np.zeros(shape, dtype=bool) for _ in range(3))
        denied = np.zeros((len(rows), len(self._columns.findings)), dtype=bool)
        nudge = np.ones(shape)
        for row, case in enumerate(rows):
            observations: tuple[Observation, ...] = case.observations
            if case.text is not None:
                reading = self._read(case.text)
                observations = current_observations(reading.observations)
                nudge[row] = self._nudges(reading, named[row])
            for observation in observations:
                effect = self._effect(observation.finding, case)
                if observation.presence is Presence.PRESENT:
                    stated[row, effect.families] = True
                    beside[row, effect.others] = True
                elif observation.presence is Presence.UNCERTAIN:
                    hedged[row, effect.families] = True
                elif observation.presence is Presence.ABSENT:
                    denied[row, effect.outputs] = True
        hedged &= ~stated
        return ReportTable(
            stated=stated,
            hedged=hedged,
            denied=np.take_along_axis(denied, named, axis=1) & ~stated & ~hedged,
            beside=beside,
            nudge=nudge.astype(np.float32),
        )

    def _effect(self, finding: str, case: CohortCase) -> _Effect:
        try:
            return self._effects[finding]
        except KeyError:
            raise InvalidFileError(
                f"case {case.case}: the finding {finding!r} is none of overread/data/findings.toml"
            ) from None

    def _nudges(self, reading: ReportReading, named: Integers) -> list[float]:
        found = triggers_of(reading, self._triggers, self._vocabulary)
        return [
            float(
                np.prod(
                    [
                        item.factor.odds_ratio
                        for item in found
                        if item.concerns(self._columns.findings[output])
                    ]
                )
            )
            for output in named
        ]

    def _confirmed(self, rows: Sequence[CohortCase]) -> Ratios:
        confirmed = np.full((len(rows), len(self._members)), np.nan, dtype=np.float32)
        for row, case in enumerate(rows):
            for item in case.adjudications:
                if item.kind is DiscrepancyKind.POSSIBLE_MISS:
                    families = self._effect(item.finding, case).families
                    known = np.nan_to_num(confirmed[row, families])
                    confirmed[row, families] = np.maximum(known, np.float32(item.confirmed))
        return confirmed

    def _studies(self, rows: Sequence[CohortCase], scores: Floats, reports: ReportTable) -> StudyTable:
        ages = [np.nan if case.age_years is None else case.age_years for case in rows]
        return StudyTable(
            columns=self._columns,
            scores=scores.astype(np.float32),
            stated=reports.stated | reports.hedged,
            patients=number_patients([case.patient for case in rows]),
            order=np.array([case.order for case in rows], dtype=np.int64),
            age_years=np.array(ages, dtype=np.float64),
            male=np.array([sex_value(case.sex) for case in rows], dtype=np.float64),
            anteroposterior=np.array([view_value(case.view) for case in rows], dtype=np.float64),
        )


def join(tables: Sequence[CaseTable]) -> CaseTable:
    """Return the cases of all tables in one; there must be at least one."""
    patients = tuple(chain.from_iterable(table.patients for table in tables))
    studies = _joined([table.studies for table in tables])
    return CaseTable(
        cases=tuple(chain.from_iterable(table.cases for table in tables)),
        patients=patients,
        ordered=np.concatenate([table.ordered for table in tables]),
        studies=replace(studies, patients=number_patients(patients)),
        reports=_joined([table.reports for table in tables]),
        calibration=_joined([table.calibration for table in tables]),
        confirmed=np.concatenate([table.confirmed for table in tables]),
    )


def some_rows(table: CaseTable, rows: slice) -> CaseTable:
    """Return some of the cases."""
    return replace(
        table,
        cases=table.cases[rows],
        patients=table.patients[rows],
        ordered=table.ordered[rows],
        studies=_taken(table.studies, rows),
        reports=_taken(table.reports, rows),
        calibration=_taken(table.calibration, rows),
        confirmed=table.confirmed[rows],
    )


def _taken(part: T, rows: slice) -> T:
    arrays: dict[str, Any] = {
        field.name: getattr(part, field.name)[rows]
        for field in fields(part)
        if isinstance(getattr(part, field.name), np.ndarray)
    }
    return replace(part, **arrays)


def _joined(parts: Sequence[T]) -> T:
    """Return one value whose arrays are those of the parts, one below the other."""
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(parts[0])
        if isinstance(getattr(parts[0], field.name), np.ndarray)
    }
    return replace(parts[0], **arrays)


def _odds(shares: Floats) -> Floats:
    bounded = np.clip(shares, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    result: Floats = bounded / (1 - bounded)
    return result


def _mean(values: Floats) -> Floats:
    """Return the mean of each row over what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    result: Floats = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
    return result
