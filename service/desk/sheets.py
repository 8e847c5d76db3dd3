"""Sheets of a long text, and places where an endless word may be broken: no text keeps a browser busy.

A browser takes a minute and more to lay out a word of some hundred thousand characters, above all one of
combining marks; a text of the largest report makes a page of millions of elements.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

SHEET_CHARACTERS = 20_000  # about ten printed pages; a report has some hundred to some thousand
_TAIL = SHEET_CHARACTERS // 4  # of a sheet, in which it may end at a line or a word
_WORD_MAX = 100  # characters without a blank, before a break is allowed
_ENDLESS = re.compile(rf"\S{{{_WORD_MAX}}}(?=\S)")
_BREAK = "\x00"  # no character of a text that was taken; replaced before the page is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Part of a text that is shown at once."""

    number: int  # from 1
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLinks:
    """Words and addresses with which a reader turns over the sheets of a text."""

    words: str
    previous_address: str | None
    next_address: str | None


def sheets_of(text: str) -> tuple[Sheet, ...]:
    """Return the sheets that a text fills, at least one; they end at a line or word where there is one."""
    ends = [0]
    while len(text) - ends[-1] > SHEET_CHARACTERS:
        limit = ends[-1] + SHEET_CHARACTERS
        found = (text.rfind(blank, limit - _TAIL, limit) for blank in ("\n", " "))
        ends.append(next((place + 1 for place in found if place >= 0), limit))
    ends.append(len(text))
    return tuple(
        Sheet(number=number, start=start, end=end) for number, (start, end) in enumerate(pairwise(ends), 1)
    )


def chosen_sheet(sheets: Sequence[Sheet], number: int | None, place: int | None) -> Sheet:
    """Return the sheet of this number, else the one with this place of the text, else the first."""
    if number is not None:
        return sheets[min(max(number, 1), len(sheets)) - 1]
    return next((sheet for sheet in sheets if place is not None and place < sheet.end), sheets[0])


def sheet_links(sheet: Sheet, sheets: Sequence[Sheet], address: Callable[[int], str]) -> SheetLinks | None:
    """Return how a reader turns over; None where there is one sheet alone."""
    if len(sheets) == 1:
        return None
    return SheetLinks(
        words=f"Part {sheet.number} of {len(sheets)}: this text is too long for one page",
        previous_address=address(sheet.number - 1) if sheet.number > 1 else None,
        next_address=address(sheet.number + 1) if sheet.number < len(sheets) else None,
    )


def breakable(text: str) -> Markup:
    """Return a text for a page, in which a word of more than 100 characters may be broken."""
    if not _ENDLESS.search(text):
        return escape(text)
    marked = _ENDLESS.sub(
        lambda match: match.group() + _BREAK, text.replace(_BREAK, "\N{REPLACEMENT CHARACTER}")
    )
    return Markup("<wbr>").join(marked.split(_BREAK))
