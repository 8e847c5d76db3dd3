"""Cuts a report into pieces that are marked alike, so that a page can show what the reasons refer to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from overread.observation import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one discrepancy refers to in the text."""

    number: int  # of the discrepancy, as numbered on the page, from 1
    sentence: Span
    words: Span  # the words inside the sentence that name the finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of text with the same marks throughout; the pieces of a text, joined, are the text."""

    text: str
    numbers: tuple[int, ...] = ()  # discrepancies whose sentence this belongs to
    named: bool = False  # whether it names the finding
    current: bool = False  # whether it belongs to the discrepancy that the reader looks at


def cut(text: str, marks: Sequence[Mark], current: int = 0) -> tuple[Piece, ...]:
    """Return the text in pieces; spans that reach beyond the text are cut off at its ends.

    `current` is the number of the discrepancy that the reader looks at; 0 for none.
    """
    borders = {0, len(text)}
    for mark in marks:
        for span in (mark.sentence, mark.words):
            borders |= {min(max(edge, 0), len(text)) for edge in (span.start, span.end)}
    return tuple(_piece(text, Span(start, end), marks, current) for start, end in pairwise(sorted(borders)))


def _piece(text: str, span: Span, marks: Sequence[Mark], current: int) -> Piece:
    numbers = {mark.number for mark in marks if _covers(mark.sentence, span) or _covers(mark.words, span)}
    return Piece(
        text=text[span.start : span.end],
        numbers=tuple(sorted(numbers)),
        named=any(_covers(mark.words, span) for mark in marks),
        current=current in numbers,
    )


def _covers(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end
