"""Where the sections of a report begin and end."""

import re
from collections.abc import Mapping
from functools import lru_cache

from overread.observation import Section, Span

_LONGEST_HEADING = 48
_LEAD = Section.LEAD
_BEFORE_HEADING = re.compile(r"[.:;!?\n\r)\]]")

_Mark = tuple[int, int, str]  # where a heading begins, where its section does, its name


class SectionSplitter:
    """Finds the headings that the rules name. Immutable.

    A heading ends with a colon, or has a line of its own. Upper and lower case are the same.
    """

    def __init__(self, headings: Mapping[str, Section], *, anywhere: frozenset[str]) -> None:
        """Take the headings in lower case; those in `anywhere` need no end of a sentence before them."""
        self._headings = dict(headings)
        self._anywhere = tuple(sorted(anywhere, key=len, reverse=True))

    def split(self, lowered: str) -> tuple[tuple[Section, Span], ...]:
        """Return the sections in order; the span of each begins after its heading."""
        marks = [*self._with_colon(lowered), *self._on_own_line(lowered)]
        marks.sort()
        sections: list[tuple[Section, Span]] = []
        section, begin = _LEAD, 0
        for start, after, name in marks:
            if begin < start and not lowered[begin:start].isspace():
                sections.append((section, Span(begin, start)))
            section, begin = self._headings[name], after
        if begin < len(lowered) and not lowered[begin:].isspace():
            sections.append((section, Span(begin, len(lowered))))
        return tuple(sections)

    def _with_colon(self, lowered: str) -> list[_Mark]:
        marks: list[_Mark] = []
        line = 0  # where it begins
        colon = lowered.find(":")
        while colon >= 0:
            line = lowered.rfind("\n", line, colon) + 1 or line
            name, start = lowered[line:colon], line
            if name not in self._headings:
                name, start = self._name_before(lowered, colon)
            if name:
                marks.append((start, colon + 1, name))
            colon = lowered.find(":", colon + 1)
        return marks

    def _on_own_line(self, lowered: str) -> list[_Mark]:
        marks: list[_Mark] = []
        start = 0
        for line in lowered.split("\n") if "\n" in lowered else ():
            end = start + len(line)
            if end - start <= _LONGEST_HEADING and (name := _plain(line)) in self._headings:
                marks.append((start, end, name))
            start = end + 1
        return marks

    def _name_before(self, lowered: str, colon: int) -> tuple[str, int]:
        """Return the heading that ends at a colon and where it begins; "" where there is none."""
        window = lowered[max(0, colon - _LONGEST_HEADING) : colon]
        pieces = _BEFORE_HEADING.split(window)
        name = _plain(pieces[-1])
        if name in self._headings:
            return name, colon - len(pieces[-1])
        for heading in self._anywhere:
            if name.endswith(" " + heading):
                return heading, colon - len(window) + len(window.rstrip()) - len(heading)
        return "", colon


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return " ".join(name.strip(" \t\r*#_-").split())
