"""Statements of one sentence, by the rules: findings with their attributes, relative to the sentence."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from overread.observation import Experiencer, Laterality, Presence, Temporality
from overread.report.attributes import AttributeReader, Attributes
from overread.report.ellipsis import with_another, with_other_side
from overread.report.heads import NODE_HEAD, Head, HeadFinder, Mention
from overread.report.lexicon import Found, Lexicon, Parts
from overread.report.ratio import ratio_mention
from overread.report.remarks import Advice, Contact, read_advice, read_contact
from overread.report.rules import UNLISTED, Rules
from overread.report.scope import Assertion, Scopes, assert_head
from overread.report.text import Words, WordSplitter

_FOLLOWS = re.compile(
    r"(?:(?:this|these|it|(?:the )?appearances?|(?:the )?findings)\b"
    r"|(?:there (?:is|are) (?:\w+ )?)?(?:adjacent|surrounding|associated)\b)"
)
_NODULE = "nodule"
_NODULES = Head("multiple_nodules", "count:many")
_ENLARGED_NODE = Head("lymphadenopathy", "node:size")
_SMALL_NODE = Head("lymphadenopathy", "node:small", ("lymphadenopathy",), normal=True)
_SMALL = frozenset({"small", "minimal", "minor"})
_ENLARGED_MM = 10.0  # short axis of a thoracic lymph node
_DIMENSIONS = 2
_PRONOUNS = frozenset({"it", "this", "these", "they"})
_ABSENT, _NOT_MENTIONED, _BILATERAL = Presence.ABSENT, Presence.NOT_MENTIONED, Laterality.BILATERAL
_ONE_A_SIDE = "place:one-a-side"  # the rule by which "effusions" are on both sides
_PUNCTUATION = 1  # words besides a concept that is a sentence of its own

CACHED_SENTENCES = 8192
"""Radiologists repeat themselves: most sentences of an archive have been read before."""


class Statement(NamedTuple):
    """Statement of a sentence about one finding or a group; offsets are characters from its start."""

    findings: tuple[str, ...]
    start: int
    end: int
    presence: Presence
    certainty: float
    laterality: Laterality = Laterality.UNSPECIFIED
    temporality: Temporality = Temporality.CURRENT
    experiencer: Experiencer = Experiencer.PATIENT
    zones: tuple[str, ...] = ()
    severity: str | None = None
    number: int | None = None  # of things, where the text tells
    size_mm: tuple[float, ...] = ()
    tip: str | None = None
    rules: Mapping[str, str] = MappingProxyType({})  # attribute -> id of its rule


class SentenceReading(NamedTuple):
    """Everything that one sentence states."""

    statements: tuple[Statement, ...] = ()
    advice: tuple[Advice, ...] = ()
    contact: tuple[Contact, ...] = ()
    follows: bool = False  # speaks of what the sentence before it named: "this may be atelectasis"


class SentenceReader:
    """Reads single sentences, each a pure function of its words. Immutable but for a bounded cache."""

    def __init__(self, rules: Rules) -> None:
        """Compile the rules."""
        self._lexicon = Lexicon(rules.phrases, rules.spellings)
        self._heads = HeadFinder(rules)
        self._scopes = Scopes(rules.cues)
        self._attributes = AttributeReader(rules)
        self._splitter = WordSplitter(
            self._lexicon.canonical, self._lexicon.known, self._lexicon.content, self._lexicon.names
        )
        self.read = lru_cache(maxsize=CACHED_SENTENCES)(self._read)

    def _read(self, lowered: str) -> SentenceReading:
        """Return what a lower-case sentence states, in the order of its words."""
        words = self._splitter.split(lowered)
        parts = Parts(self._lexicon.find(words.canonical))
        return SentenceReading(
            self._statements(lowered, words, parts),
            read_advice(lowered, words, parts) if parts.remarks else (),
            read_contact(lowered, words, parts) if parts.remarks else (),
            _FOLLOWS.match(lowered) is not None,
        )

    def _mentions(self, words: Words, parts: Parts) -> tuple[Mention, ...]:
        """Return what a sentence names, what it calls "it", "one" or only by the other side included."""
        mentions = self._heads.find(parts) or self._named_before(words, parts)
        if mentions and "one" in words.surface:
            mentions = with_another(words, parts, mentions)
        if mentions and len(parts.sided) > 1:
            mentions = with_other_side(words, parts, mentions, self._scopes)
        return mentions

    def _named_before(self, words: Words, parts: Parts) -> tuple[Mention, ...]:
        """Return what a sentence only calls "it" and says something of: "it has increased in size"."""
        if not words.surface or words.surface[0] not in _PRONOUNS:
            return ()
        changes = any(self._scopes.is_change(cue) for cue in parts.cues)
        if not changes and (not parts.places or parts.normals):
            return ()
        return (Mention(0, 1, (Head(UNLISTED, "pronoun:named-before"),)),)

    def words(self, lowered: str) -> Words:
        """Return the words of a lower-case text as the rules see them."""
        return self._splitter.split(lowered)

    def assert_concept(self, lowered: str, start: int, end: int) -> Assertion:
        """Return what a lower-case sentence says about any concept that it names at characters [start, end).

        The concept need not be in the vocabulary: this reads negation, doubt, time and person alone.
        """
        words = self._splitter.split(lowered)
        inside = [
            index
            for index in range(len(words.starts))
            if words.starts[index] < end and words.end(index) > start
        ]
        if not inside:
            return Assertion()
        concept = Mention(inside[0], inside[-1] + 1, (Head("", "concept"),))
        before = self._lexicon.find(words.canonical[: concept.start])
        inner = self._lexicon.find(words.canonical[concept.start : concept.end])
        after = self._lexicon.find(words.canonical[concept.end :])
        found = [*before, *(Found(f.start + concept.end, f.end + concept.end, f.sense) for f in after)]
        (cues,) = self._scopes.cues(Parts(found), [concept])
        alone = len(words.starts) - (concept.end - concept.start) <= _PUNCTUATION
        return assert_head(concept.heads[0], [*self._scopes.inner(inner, alone=alone), *cues])

    def _statements(self, lowered: str, words: Words, parts: Parts) -> tuple[Statement, ...]:
        mentions = self._mentions(words, parts)
        if ratio := ratio_mention(lowered, words, mentions):
            mentions = tuple(sorted((*mentions, ratio)))
        if not mentions:
            return ()
        cues = self._scopes.cues(parts, mentions)
        attributes = self._attributes.read(words, parts, mentions)
        statements: list[Statement] = []
        for mention, reaching, attribute in zip(mentions, cues, attributes, strict=True):
            start, end = words.starts[mention.start], words.end(max(mention.start, mention.end - 1))
            for head in mention.heads:
                plain = head is not NODE_HEAD and not attribute.many
                named = head if plain else _by_size_and_number(head, attribute)
                assertion = assert_head(named, reaching)
                if assertion.presence is not _NOT_MENTIONED:
                    statements.append(_statement(named, (start, end), assertion, attribute))
        return tuple(statements)


def _by_size_and_number(head: Head, attribute: Attributes) -> Head:
    """Return what a head is, given its size and number: "several nodules" have a name of their own."""
    if head is NODE_HEAD:
        return _node(attribute)
    if head.finding == _NODULE and head.certainty == 1 and attribute.many:
        return _NODULES
    return head


def _node(attribute: Attributes) -> Head:
    """Return what nodes of a size are; the short axis is the lesser of two dimensions or the only one."""
    sizes = attribute.size_mm
    if sizes:
        short = min(sizes) if len(sizes) <= _DIMENSIONS else max(sizes)
        return _ENLARGED_NODE if short >= _ENLARGED_MM else _SMALL_NODE
    return _SMALL_NODE if attribute.severity in _SMALL or attribute.limited else NODE_HEAD


def _statement(head: Head, span: tuple[int, int], assertion: Assertion, attribute: Attributes) -> Statement:
    presence, certainty, temporality, experiencer, asserted = assertion
    side, rules = attribute.laterality, attribute.rules
    if attribute.several and presence is not _ABSENT:
        side, rules = _BILATERAL, (*rules, ("laterality", _ONE_A_SIDE))
    return Statement(
        head.stated(presence),
        *span,
        presence,
        certainty,
        side,
        temporality,
        experiencer,
        attribute.zones,
        attribute.severity,
        attribute.count,
        attribute.size_mm,
        attribute.tip,
        _rules(head.rule, asserted, rules),
    )


@lru_cache(maxsize=CACHED_SENTENCES)
def _rules(
    finding: str, asserted: tuple[tuple[str, str], ...], placed: tuple[tuple[str, str], ...]
) -> Mapping[str, str]:
    """Return which rule decided each attribute; of two, the last."""
    return MappingProxyType(dict((("finding", finding), *asserted, *placed)))
