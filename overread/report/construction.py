"""Makes observations of statements, fast.

A report has twenty, and the constructor of a frozen dataclass sets each field by a call that looks it up,
which took a fifth of all reading. A draft with the same slots is filled by plain assignment, which the
interpreter specialises, and then becomes the observation that it is.
"""

from typing import Any

from overread.observation import Observation, ReportObservation, Section, Span
from overread.report.sentence import Statement

# A class whose memory is laid out as that of `ReportObservation`, but whose fields can be assigned.
_Draft: Any = type(
    "_Draft",
    (Observation,),
    {
        "__slots__": ReportObservation.__slots__,
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,  # of one kind with it: else both are slow
    },
)
_new: Any = object.__new__


def observations_of(
    statements: tuple[Statement, ...], section: Section, start: int, end: int
) -> list[ReportObservation]:
    """Return one observation for each finding that the sentence at characters [start, end) states."""
    sentence = Span(start, end)
    made: list[ReportObservation] = []
    for findings, first, last, presence, certainty, side, time, who, *place, rules in statements:
        span = Span(start + first, start + last)
        zones, severity, number, size_mm, tip = place
        for finding in findings:
            draft = _new(_Draft)
            draft.finding = finding
            draft.presence = presence
            draft.laterality = side
            draft.certainty = certainty
            draft.span = span
            draft.sentence = sentence
            draft.section = section
            draft.temporality = time
            draft.experiencer = who
            draft.zones = zones
            draft.severity = severity
            draft.count = number
            draft.size_mm = size_mm
            draft.tip = tip
            draft.rules = rules
            draft.__class__ = ReportObservation
            made.append(draft)
    return made
