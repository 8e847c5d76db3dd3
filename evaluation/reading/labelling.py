"""Report-level agreement with the coders of Open-I."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.reading.codes import Label
from evaluation.reading.intervals import Counts
from evaluation.reading.material import CodedReport
from overread.observation import Experiencer, Presence, Temporality
from overread.ports import ReportReader

Presences = Callable[[str], dict[str, set[Presence]]]
"""Gives by label how a report's text states it; a label it does not mention is left out."""

_GONE = frozenset({Temporality.RESOLVED, Temporality.REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One cell in which coders and reader differ; names the report, never quotes it."""

    number: str
    label: str
    coded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Counts by report and label, and the cells that were left out as hedged."""

    counts: Counts  # reports x labels x (true positive, false positive, false negative)
    hedged: int
    disagreements: tuple[Disagreement, ...]


def reader_presences(reader: ReportReader, labels: Iterable[Label]) -> Presences:
    """Return how a report reader states the labels."""
    named = [(label.name, label.findings) for label in labels]

    def presences(text: str) -> dict[str, set[Presence]]:
        stated: dict[str, set[Presence]] = {}
        for observation in reader.read(text).observations:
            if observation.experiencer is Experiencer.OTHER:
                continue
            for name, findings in named:
                if observation.finding in findings:
                    gone = observation.temporality in _GONE
                    stated.setdefault(name, set()).add(Presence.ABSENT if gone else observation.presence)
        return stated

    return presences


def agreement(
    reports: Sequence[CodedReport],
    labels: Sequence[Label],
    presences: Presences,
    *,
    hedged_is_stated: bool = False,
) -> Agreement:
    """Return the counts of a reader.

    A label that it reads as hedged only is don't-care in that report, or counts as stated where asked.
    """
    counts = np.zeros((len(reports), len(labels), 3), dtype=np.int64)
    hedged = 0
    disagreements = []
    for row, report in enumerate(reports):
        stated = presences(report.text)
        for column, label in enumerate(labels):
            coded = any(label.coded(code) for code in report.codes)
            said = stated.get(label.name, set())
            if Presence.PRESENT not in said and Presence.UNCERTAIN in said:
                hedged += 1
                if not hedged_is_stated:
                    continue
                said = {Presence.PRESENT}
            kind = _outcome(coded=coded, stated=Presence.PRESENT in said)
            if kind is not None:
                counts[row, column, kind] = 1
            if kind:
                disagreements.append(Disagreement(number=report.number, label=label.name, coded=coded))
    return Agreement(counts=counts, hedged=hedged, disagreements=tuple(disagreements))


def _outcome(*, coded: bool, stated: bool) -> int | None:
    """Return 0 for a true positive, 1 a false positive, 2 a false negative, None where both are silent."""
    if coded and stated:
        return 0
    if stated:
        return 1
    return 2 if coded else None
