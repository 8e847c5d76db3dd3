"""Case arrays: the cases of a cohort as arrays, with all that their order by one detector depends on.

What a report says of a finding is decided as `overread.report_position` decides it for one case; here for
many cases at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.cohort import CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.finding import Vocabulary
from overread.observation import Observation, Presence, ReportReading
from overread.policy_tables import TriggerRatios
from overread.report_position import current_observations
from overread.trigger import triggers_of

Floats = NDArray[np.float64]
Ratios = NDArray[np.float32]  # a million cases are to fit; none of them is known to seven digits
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Verdicts = NDArray[np.int8]  # 1 confirmed, 0 not confirmed, -1 where nobody looked

ReadText = Callable[[str], ReportReading]
NOBODY_LOOKED = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseArrays:
    """Cases by row, findings by column: arrays of shape (cases, findings) where nothing else is said.

    What is the same for all findings, such as a probability that nobody gave, may have one column.
    """

    findings: tuple[str, ...]  # outputs of the detector
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    ordered: Booleans  # (cases,) False for context only
    scores: Ratios  # calibrated where they are, else raw, in [0, 1]; NaN where the detector gave none
    probabilities: Ratios  # calibrated, in [0, 1]; NaN where not calibrated
    prevalences: Ratios  # of the calibration cohort; NaN where unknown
    seen: Booleans  # at the operating point; False where none is in use
    has_point: Booleans  # (cases, 1) whether one is in use
    named: Booleans  # the report states the finding, and by no narrower output's name
    stated: Booleans  # the report states the finding or a kind of it
    hedged: Booleans  # it is considered, not stated
    denied: Booleans  # it is denied, neither stated nor considered
    related: Booleans  # the report states a related finding
    trigger_ratio: Ratios  # product of the report's triggers
    missed: Verdicts  # adjudicated misses
    overcalled: Verdicts  # adjudicated overcalls
    read: Booleans  # (cases,) whether anything was adjudicated, also of what is no output of the detector
    found: Booleans  # (cases,) whether image and report are confirmed to disagree in anything

    def __len__(self) -> int:
        return len(self.cases)

    def rows(self, chosen: slice | Integers) -> "CaseArrays":
        """Return some of the cases."""
        numbers = range(len(self))[chosen] if isinstance(chosen, slice) else chosen.tolist()
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return replace(
            self,
            cases=tuple(self.cases[number] for number in numbers),
            patients=tuple(self.patients[number] for number in numbers),
            **arrays,
        )


_ARRAYS = tuple(
    item.name for item in fields(CaseArrays) if item.name not in ("findings", "cases", "patients")
)


def join(parts: Sequence[CaseArrays]) -> CaseArrays:
    """Return the cases of all parts in one; there must be at least one part."""
    arrays = {name: _concatenated([getattr(part, name) for part in parts]) for name in _ARRAYS}
    return replace(
        parts[0],
        cases=tuple(chain.from_iterable(part.cases for part in parts)),
        patients=tuple(chain.from_iterable(part.patients for part in parts)),
        **arrays,
    )


def _concatenated(arrays: Sequence[Any]) -> Any:
    """Return the arrays one below the other, as wide as the widest."""
    if arrays[0].ndim > 1:
        width = max(array.shape[1] for array in arrays)
        arrays = [np.broadcast_to(array, (len(array), width)) for array in arrays]
    return np.concatenate(arrays)


@dataclass(frozen=True, slots=True)
class _Effect:
    """Columns that one finding of a report bears on."""

    named: Integers
    stated: Integers
    related: Integers
    denied: Integers

    @classmethod
    def of(cls, finding: str, outputs: tuple[str, ...], vocabulary: Vocabulary) -> "_Effect":
        stated = [output for output in outputs if finding in vocabulary.kinds_of(output)]
        return cls(
            named=_columns(
                outputs, lambda output: output in stated and _is_narrowest(output, stated, vocabulary)
            ),
            stated=_columns(outputs, lambda output: output in stated),
            related=_columns(outputs, lambda output: finding in vocabulary.related_to(output)),
            denied=_columns(outputs, lambda output: output in vocabulary.kinds_of(finding)),
        )


def _columns(outputs: Sequence[str], chosen: Callable[[str], bool]) -> Integers:
    return np.array([column for column, output in enumerate(outputs) if chosen(output)], dtype=np.int64)


def _is_narrowest(output: str, stated: Sequence[str], vocabulary: Vocabulary) -> bool:
    return not any(other != output and other in vocabulary.kinds_of(output) for other in stated)


class CaseReader:
    """Turns cases into arrays for the outputs of one detector."""

    def __init__(
        self,
        detector: str,
        findings: tuple[str, ...],
        vocabulary: Vocabulary,
        ratios: TriggerRatios,
        read: ReadText,
    ) -> None:
        self._detector = detector
        self._findings = findings
        self._vocabulary = vocabulary
        self._ratios = ratios
        self._read = read
        self._effects = {finding: _Effect.of(finding, findings, vocabulary) for finding in vocabulary}

    def arrays(self, cases: Iterable[CohortCase]) -> CaseArrays:
        """Return the cases as arrays, in their order.

        Raises:
            InvalidFileError: a report's finding is none of the vocabulary.
            InvalidReportError: a text is empty.
        """
        rows = list(cases)
        detections = [self._detection(case) for case in rows]
        return CaseArrays(
            findings=self._findings,
            cases=tuple(case.case for case in rows),
            patients=tuple(case.patient for case in rows),
            ordered=np.array([not case.context_only for case in rows], dtype=bool),
            scores=self._matrix([item.probabilities or item.scores for item in detections]),
            probabilities=self._matrix([item.probabilities for item in detections]),
            prevalences=self._matrix([item.prevalences for item in detections]),
            seen=self._seen(detections),
            has_point=np.array([[item.present is not None] for item in detections], dtype=bool).reshape(
                -1, 1
            ),
            missed=self._verdicts(rows, DiscrepancyKind.POSSIBLE_MISS),
            overcalled=self._verdicts(rows, DiscrepancyKind.POSSIBLE_OVERCALL),
            read=np.array([bool(case.adjudications) for case in rows], dtype=bool),
            found=np.array([any(item.is_found for item in case.adjudications) for case in rows], dtype=bool),
            **self._reports(rows),
        )

    def _detection(self, case: CohortCase) -> CohortDetection:
        for detection in case.detections:
            if detection.detector == self._detector:
                return detection
        return CohortDetection(detector=self._detector, scores={})

    def _matrix(self, mappings: Sequence[Mapping[str, float]]) -> Ratios:
        if not any(mappings):
            return np.full((len(mappings), 1), np.nan, dtype=np.float32)
        values = [[mapping.get(finding, np.nan) for finding in self._findings] for mapping in mappings]
        return np.array(values, dtype=np.float32).reshape(len(mappings), len(self._findings))

    def _seen(self, detections: Sequence[CohortDetection]) -> Booleans:
        seen = np.zeros((len(detections), len(self._findings)), dtype=bool)
        for row, detection in enumerate(detections):
            if detection.present is not None:
                seen[row] = [finding in detection.present for finding in self._findings]
        return seen

    def _reports(self, rows: Sequence[CohortCase]) -> dict[str, Any]:
        shape = (len(rows), len(self._findings))
        marks = {
            name: np.zeros(shape, dtype=bool) for name in ("named", "stated", "hedged", "denied", "related")
        }
        read = any(case.text is not None for case in rows)
        triggers = np.ones(shape if read else (len(rows), 1), dtype=np.float32)
        for row, case in enumerate(rows):
            observations: tuple[Observation, ...] = case.observations
            if case.text is not None:
                reading = self._read(case.text)
                observations = current_observations(reading.observations)
                triggers[row] = self._trigger_ratios(reading)
            for observation in observations:
                self._mark(marks, row, observation, case)
        marks["hedged"] &= ~marks["stated"]
        marks["denied"] &= ~marks["stated"] & ~marks["hedged"]
        return {**marks, "trigger_ratio": triggers}

    def _mark(
        self, marks: Mapping[str, Booleans], row: int, observation: Observation, case: CohortCase
    ) -> None:
        effect = self._effect(observation.finding, case)
        if observation.presence is Presence.PRESENT:
            marks["named"][row, effect.named] = True
            marks["stated"][row, effect.stated] = True
            marks["related"][row, effect.related] = True
        elif observation.presence is Presence.UNCERTAIN:
            marks["hedged"][row, effect.stated] = True
        elif observation.presence is Presence.ABSENT:
            marks["denied"][row, effect.denied] = True

    def _effect(self, finding: str, case: CohortCase) -> _Effect:
        try:
            return self._effects[finding]
        except KeyError:
            raise InvalidFileError(
                f"case {case.case}: the finding {finding!r} is none of overread/data/findings.toml"
            ) from None

    def _trigger_ratios(self, reading: ReportReading) -> list[float]:
        found = triggers_of(reading, self._ratios, self._vocabulary)
        return [
            float(np.prod([item.factor.odds_ratio for item in found if item.concerns(finding)]))
            for finding in self._findings
        ]

    def _verdicts(self, rows: Sequence[CohortCase], kind: DiscrepancyKind) -> Verdicts:
        """Return what was adjudicated of the outputs; a broader finding judges none of them."""
        judged = any(case.adjudications for case in rows)
        width = len(self._findings) if judged else 1
        verdicts = np.full((len(rows), width), NOBODY_LOOKED, dtype=np.int8)
        for row, case in enumerate(rows):
            for item in case.adjudications:
                self._effect(item.finding, case)  # refuses a finding that the vocabulary lacks
                if item.kind is kind and item.finding in self._findings:
                    verdicts[row, self._findings.index(item.finding)] = item.confirmed
        return verdicts
