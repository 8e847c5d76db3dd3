"""What indication, history and comparison say about patient and study."""

import re
from collections.abc import Iterator
from functools import lru_cache

from overread.observation import ContextItem, ContextKind, Presence, Section, Span
from overread.report.lexicon import Kind, Lexicon, Sense
from overread.report.rules import ContextRule
from overread.report.text import WordSplitter

_DATE = re.compile(
    r"\b(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d{2}-\d{2}|"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2},? \d{4}|"
    r"\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{4})\b"
)
_NONE = re.compile(r"\b(?:none|no (?:prior|previous|comparison|relevant)\w*|not available|unavailable)\b")
_CACHED_SECTIONS = 1024
_DENIAL_REACH = 70  # characters
_DENIAL = re.compile(r"\b(?:no|denies|without|not|negative for)\b[^.,;]{0,60}$")


class ContextReader:
    """Reads the sections that are not about findings. Immutable."""

    def __init__(self, rules: tuple[ContextRule, ...]) -> None:
        """Compile the rules."""
        self._kinds = {rule.id: rule.kind for rule in rules}
        phrases = [
            (word, Sense(kind=Kind.PHRASE, value=word, rule=rule.id)) for rule in rules for word in rule.words
        ]
        self._lexicon = Lexicon(phrases, {})
        self._words = WordSplitter(self._lexicon.canonical, frozenset())

        self._items = lru_cache(maxsize=_CACHED_SECTIONS)(self._read)

    def read(self, lowered: str, section: Section, span: Span) -> Iterator[ContextItem]:
        """Yield what one section states."""
        for item in self._items(lowered[span.start : span.end], section):
            place = Span(span.start + item.span.start, span.start + item.span.end)
            yield ContextItem(
                kind=item.kind,
                value=item.value,
                presence=item.presence,
                span=place,
                section=section,
                rule=item.rule,
            )

    def _read(self, text: str, section: Section) -> tuple[ContextItem, ...]:
        """Return what the text of a section states, with spans from its start."""
        if section is Section.COMPARISON:
            return tuple(_comparison(text, section))
        words = self._words.split(text)
        return tuple(
            self._item(text, section, found.sense, words.starts[found.start], words.ends[found.end - 1])
            for found in self._lexicon.find(words.canonical)
        )

    def _item(self, text: str, section: Section, sense: Sense, start: int, end: int) -> ContextItem:
        denied = _DENIAL.search(text[max(0, start - _DENIAL_REACH) : start]) is not None
        return ContextItem(
            kind=self._kinds[sense.rule],
            value=sense.value,
            presence=Presence.ABSENT if denied else Presence.PRESENT,
            span=Span(start, end),
            section=section,
            rule=sense.rule,
        )


def _comparison(text: str, section: Section) -> Iterator[ContextItem]:
    dates = list(_DATE.finditer(text))
    none = None if dates else _NONE.search(text)
    for match in [*dates, *([none] if none else [])]:
        yield ContextItem(
            kind=ContextKind.COMPARISON_DATE if dates else ContextKind.NO_COMPARISON,
            value=match.group() if dates else "none",
            presence=Presence.PRESENT,
            span=Span(match.start(), match.end()),
            section=section,
            rule="context:comparison",
        )
