"""Statements of indication, history and comparison about patient and study."""

import re
from functools import lru_cache
from typing import NamedTuple

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
_ABSENT, _PRESENT, _COMPARISON = Presence.ABSENT, Presence.PRESENT, Section.COMPARISON
_DENIAL_REACH = 70  # characters
_DENIAL = re.compile(r"\b(?:no|denies|without|not|negative for)\b[^.,;]{0,60}$")


class _Item(NamedTuple):
    """Statement of a section, with offsets from its start."""

    kind: ContextKind
    value: str
    presence: Presence
    start: int
    end: int
    rule: str


class ContextReader:
    """Reads the sections that are not about findings. Immutable."""

    def __init__(self, rules: tuple[ContextRule, ...]) -> None:
        """Compile the rules."""
        self._kinds = {rule.id: rule.kind for rule in rules}
        phrases = [
            (word, Sense(kind=Kind.PHRASE, value=word, rule=rule.id)) for rule in rules for word in rule.words
        ]
        self._lexicon = Lexicon(phrases, {})
        self._words = WordSplitter(self._lexicon.canonical, self._lexicon.known)
        self._items = lru_cache(maxsize=_CACHED_SECTIONS)(self._read)

    def read(self, lowered: str, section: Section, span: Span) -> list[ContextItem]:
        """Return what one section states."""
        first = span.start
        items = self._items(lowered[first : span.end], comparison=section is _COMPARISON)
        return [
            ContextItem(
                kind=kind,
                value=value,
                presence=presence,
                span=Span(first + start, first + end),
                section=section,
                rule=rule,
            )
            for kind, value, presence, start, end, rule in items
        ]

    def _read(self, text: str, *, comparison: bool) -> tuple[_Item, ...]:
        if comparison:
            return _comparison(text)
        words = self._words.split(text)
        return tuple(
            self._item(text, found.sense, words.starts[found.start], words.end(found.end - 1))
            for found in self._lexicon.find(words.canonical)
        )

    def _item(self, text: str, sense: Sense, start: int, end: int) -> _Item:
        denied = _DENIAL.search(text[max(0, start - _DENIAL_REACH) : start]) is not None
        return _Item(
            self._kinds[sense.rule], sense.value, _ABSENT if denied else _PRESENT, start, end, sense.rule
        )


def _comparison(text: str) -> tuple[_Item, ...]:
    rule = "context:comparison"
    dates = [
        _Item(ContextKind.COMPARISON_DATE, date.group(), _PRESENT, date.start(), date.end(), rule)
        for date in _DATE.finditer(text)
    ]
    none = None if dates else _NONE.search(text)
    if none:
        return (_Item(ContextKind.NO_COMPARISON, "none", _PRESENT, none.start(), none.end(), rule),)
    return tuple(dates)
