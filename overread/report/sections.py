"""Where the sections of a report begin and end."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from overread.observation import Section, Span

_LONGEST_HEADING = 48
_BEFORE_HEADING = re.compile(r"[.:;!?\n\r)\]]")


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
        found = [(Section.LEAD, 0, 0), *sorted(self._marks(lowered), key=lambda mark: mark[1])]
        ends = [start for _, start, _ in found[1:]] + [len(lowered)]
        return tuple(
            (section, Span(begin, end))
            for (section, _, begin), end in zip(found, ends, strict=True)
            if begin < end and not lowered[begin:end].isspace()
        )

    def _marks(self, lowered: str) -> Iterator[tuple[Section, int, int]]:
        colon = lowered.find(":")
        while colon >= 0:
            name = self._name_before(lowered, colon)
            if name:
                yield self._headings[name[0]], name[1], colon + 1
            colon = lowered.find(":", colon + 1)
        if "\n" in lowered:
            start = 0
            for line in lowered.split("\n"):
                if len(line) <= _LONGEST_HEADING and (name_alone := _plain(line)) in self._headings:
                    yield self._headings[name_alone], start, start + len(line)
                start += len(line) + 1

    def _name_before(self, lowered: str, colon: int) -> tuple[str, int] | None:
        """Return the heading that ends at a colon and where it begins, or None."""
        window = lowered[max(0, colon - _LONGEST_HEADING) : colon]
        pieces = _BEFORE_HEADING.split(window)
        name = _plain(pieces[-1])
        if name in self._headings:
            return name, colon - len(pieces[-1])
        for heading in self._anywhere:
            if name.endswith(" " + heading):
                return heading, colon - len(window) + len(window.rstrip()) - len(heading)
        return None


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return " ".join(name.strip(" \t\r*#_-").split())
