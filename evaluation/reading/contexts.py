"""Negation and history of any clinical concept, on the ConText kit."""

import re
from collections.abc import Sequence

import numpy as np

from evaluation.reading.intervals import Counts
from evaluation.reading.material import ContextItem
from overread.observation import Presence, Span, Temporality
from overread.report.reader import RuleReader


def context_counts(items: Sequence[ContextItem], reader: RuleReader) -> tuple[Counts, Counts]:
    """Return true positives, false positives and false negatives per item, for negation and for history.

    A concept that its sentence does not hold cannot be read and counts as missed.
    """
    negation = np.zeros((len(items), 1, 3), dtype=np.int64)
    history = np.zeros((len(items), 1, 3), dtype=np.int64)
    for row, item in enumerate(items):
        span = concept_span(item)
        said = reader.assert_concept(item.sentence, span) if span else None
        _count(
            negation[row, 0], coded=item.negated, read=said is not None and said.presence is Presence.ABSENT
        )
        _count(
            history[row, 0],
            coded=item.historical,
            read=said is not None and said.temporality is Temporality.HISTORICAL,
        )
    return negation, history


def concept_span(item: ContextItem) -> Span | None:
    """Return where the concept stands: the copy in capitals if there is one, as the kit marks it so."""
    pattern = r"\s+".join(re.escape(word) for word in item.concept.split())
    match = re.search(pattern.upper(), item.sentence) or re.search(pattern, item.sentence, re.IGNORECASE)
    return Span(*match.span()) if match else None


def _count(cell: Counts, *, coded: bool, read: bool) -> None:
    if coded and read:
        cell[0] = 1
    elif read:
        cell[1] = 1
    elif coded:
        cell[2] = 1
