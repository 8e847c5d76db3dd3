"""Cuts a report into pieces that are marked alike, so that a page can show what the reasons refer to."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from overread.observation import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Place in the text that one discrepancy refers to."""

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


def cut(
    text: str, marks: Sequence[Mark], current: int = 0, *, part: tuple[int, int] | None = None
) -> tuple[Piece, ...]:
    """Return the text in pieces; spans that reach beyond the text are cut off at its ends.

    Args:
        text: the whole of it.
        marks: places in it.
        current: number of the discrepancy that the reader looks at; 0 for none.
        part: start and end of what is wanted; None for all.
    """
    first, last = part or (0, len(text))
    changes: dict[int, list[_Change]] = defaultdict(list)
    for mark in marks:
        for span, names in ((mark.sentence, 0), (mark.words, 1)):
            start, end = (min(max(edge, first), last) for edge in (span.start, span.end))
            changes[start].append(_Change(mark.number, 1, names))
            changes[end].append(_Change(mark.number, -1, -names))
    pieces = []
    numbers: Counter[int] = Counter()  # of the discrepancies that the text belongs to at this place
    named = 0
    for start, end in pairwise(sorted({first, last, *changes})):
        for change in changes.get(start, ()):
            numbers[change.number] += change.belongs
            named += change.names
        here = tuple(sorted(number for number, spans in numbers.items() if spans > 0))
        pieces.append(Piece(text=text[start:end], numbers=here, named=named > 0, current=current in here))
    return tuple(pieces)


class _Change(NamedTuple):
    """Number of spans that begin (1) or end (-1) at one place of the text."""

    number: int
    belongs: int
    names: int
