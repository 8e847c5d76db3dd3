"""What one sentence states, by the rules: findings with their attributes, relative to the sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from overread.observation import Experiencer, Laterality, Presence, Temporality
from overread.report.attributes import AttributeReader, Attributes
from overread.report.heads import Head, HeadFinder
from overread.report.lexicon import Lexicon
from overread.report.rules import Rules
from overread.report.scope import Assertion, Scopes, assert_head
from overread.report.text import split_words

CACHED_SENTENCES = 8192
"""Radiologists repeat themselves: most sentences of an archive have been read before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a sentence about one finding; offsets are characters from the sentence's start."""

    finding: str
    start: int
    end: int
    presence: Presence
    certainty: float
    laterality: Laterality = Laterality.UNSPECIFIED
    temporality: Temporality = Temporality.CURRENT
    experiencer: Experiencer = Experiencer.PATIENT
    zones: tuple[str, ...] = ()
    severity: str | None = None
    count: int | None = None
    size_mm: tuple[float, ...] = ()
    rules: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # attribute -> id of its rule


class SentenceReader:
    """Reads single sentences, each a pure function of its words. Immutable but for a bounded cache."""

    def __init__(self, rules: Rules) -> None:
        """Compile the rules."""
        self._lexicon = Lexicon(rules.phrases, rules.spellings)
        self._heads = HeadFinder(rules)
        self._scopes = Scopes(rules.cues)
        self._attributes = AttributeReader(
            separating=frozenset(cue.id for cue in rules.cues.values() if cue.presence or cue.dismiss),
            explaining=frozenset(cue.id for cue in rules.cues.values() if cue.explains),
        )
        self.read = lru_cache(maxsize=CACHED_SENTENCES)(self._read)

    def _read(self, lowered: str) -> tuple[Statement, ...]:
        """Return the statements of a lower-case sentence in the order of their words."""
        words = split_words(lowered, self._lexicon.canonical)
        found = self._lexicon.find(words.canonical)
        mentions = self._heads.find(found)
        if not mentions:
            return ()
        cues = self._scopes.cues(found, mentions)
        attributes = self._attributes.read(words, found, mentions)
        statements: list[Statement] = []
        for mention, reaching, attribute in zip(mentions, cues, attributes, strict=True):
            span = (words.starts[mention.start], words.ends[mention.end - 1])
            for head in mention.heads:
                assertion = assert_head(head, reaching)
                if assertion.presence is not Presence.NOT_MENTIONED:
                    statements += [
                        _statement(finding, head, span, assertion, attribute)
                        for finding in head.stated(assertion.presence)
                    ]
        return tuple(statements)


def _statement(
    finding: str, head: Head, span: tuple[int, int], assertion: Assertion, attribute: Attributes
) -> Statement:
    return Statement(
        finding=finding,
        start=span[0],
        end=span[1],
        presence=assertion.presence,
        certainty=assertion.certainty,
        laterality=attribute.laterality,
        temporality=assertion.temporality,
        experiencer=assertion.experiencer,
        zones=attribute.zones,
        severity=attribute.severity,
        count=attribute.count,
        size_mm=attribute.size_mm,
        rules=MappingProxyType(dict((("finding", head.rule), *assertion.rules, *attribute.rules))),
    )
