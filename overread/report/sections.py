"""Borders of the sections of a report."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from overread.observation import Section, Span

_LONGEST_HEADING = 48
_MOST_WORDS = 6
_LEAD, _FINDINGS, _COMPARISON = Section.LEAD, Section.FINDINGS, Section.COMPARISON
_BEFORE_HEADING = re.compile(r"[.:;!?\n\r)\]]")
_DASHED = re.compile(r"[ \t]*([a-z][a-z /&]{2,40}?)[ \t]*(?:--+|[-–—])[ \t]+")

_Mark = tuple[int, int, str]  # where a heading begins, where its section does, its name


class Headings(NamedTuple):
    """The headings that the rules name, in lower case."""

    names: Mapping[str, Section]
    prefixes: Mapping[str, Section]  # how a longer heading may begin: "reason for" this or that
    anywhere: frozenset[str]  # taken without an end of a sentence before them
    preliminary: tuple[str, ...]  # how headings begin whose text a final read replaces
    final: tuple[str, ...]  # how the headings of such a final read begin


class SectionSplitter:
    """Finds the headings that the rules name. Immutable.

    A heading ends with a colon or a dash, or has a line of its own. Upper and lower case are the same.
    """

    def __init__(self, headings: Headings) -> None:
        """Take the headings."""
        self._headings = dict(headings.names)
        self._prefixes = dict(headings.prefixes)
        self._anywhere = tuple(sorted(headings.anywhere, key=len, reverse=True))
        self._preliminary, self._final = headings.preliminary, headings.final
        self._section_of = lru_cache(maxsize=1024)(self._section)

    def split(self, lowered: str) -> tuple[tuple[Section, Span], ...]:
        """Return the sections in order; the span of each begins after its heading.

        What a preliminary read says counts as an earlier report where a final one follows.
        """
        marks = [*self._with_colon(lowered), *self._on_own_line(lowered)]
        marks.sort()
        replaced = self._replaced(marks)
        sections: list[tuple[Section, Span]] = []
        section, begin = _LEAD, 0
        for start, after, name in marks:
            if begin < start and not lowered[begin:start].isspace():
                sections.append((section, Span(begin, start)))
            section, begin = self._section_of(name) or _FINDINGS, after
            if start < replaced and name.startswith(self._preliminary):
                section = _COMPARISON
        if begin < len(lowered) and not lowered[begin:].isspace():
            sections.append((section, Span(begin, len(lowered))))
        return tuple(sections)

    def _replaced(self, marks: Sequence[_Mark]) -> int:
        """Return where the last final read begins, before which preliminary ones no longer count."""
        return max((start for start, _, name in marks if name.startswith(self._final)), default=-1)

    def _section(self, name: str) -> Section | None:
        """Return the section that a heading opens, None where it is no heading."""
        section = self._headings.get(name)
        if section is None and ":" not in name and name.count(" ") < _MOST_WORDS:
            section = next(
                (found for prefix, found in self._prefixes.items() if name.startswith(prefix + " ")), None
            )
        return section

    def _with_colon(self, lowered: str) -> list[_Mark]:
        marks: list[_Mark] = []
        line = 0  # where it begins
        colon = lowered.find(":")
        while colon >= 0:
            line = lowered.rfind("\n", line, colon) + 1 or line
            name, start = lowered[line:colon], line
            if len(name) > _LONGEST_HEADING or not self._section_of(name):
                name, start = self._name_before(lowered, colon)
            if name:
                marks.append((start, colon + 1, name))
            colon = lowered.find(":", colon + 1)
        return marks

    def _on_own_line(self, lowered: str) -> list[_Mark]:
        marks: list[_Mark] = []
        start = 0
        for line in lowered.split("\n"):
            end = start + len(line)
            if end - start <= _LONGEST_HEADING and (name := _plain(line)) in self._headings:
                marks.append((start, end, name))
            elif _has_dash(line):
                dashed = _DASHED.match(line)
                if dashed and (name := _plain(dashed.group(1))) in self._headings:
                    marks.append((start, start + dashed.end(), name))
            start = end + 1
        return marks

    def _name_before(self, lowered: str, colon: int) -> tuple[str, int]:
        """Return the heading that ends at a colon and where it begins; "" where there is none."""
        window = lowered[max(0, colon - _LONGEST_HEADING) : colon]
        pieces = _BEFORE_HEADING.split(window)
        name = _plain(pieces[-1])
        if self._section_of(name):
            return name, colon - len(pieces[-1])
        for heading in self._anywhere:
            if name.endswith(" " + heading):
                return heading, colon - len(window) + len(window.rstrip()) - len(heading)
        return "", colon


def _has_dash(line: str) -> bool:
    """Whether a dash may end a heading at the start of a line."""
    return (
        line.find("-", 0, _LONGEST_HEADING) > 0
        or line.find("–", 0, _LONGEST_HEADING) > 0
        or line.find("—", 0, _LONGEST_HEADING) > 0
    )


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return " ".join(name.strip(" \t\r*#_-").split())
