"""The words and phrases that rules know, compiled into one matcher."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from overread.report.text import words_of


class Kind(StrEnum):
    """What a phrase contributes to the reading of its sentence."""

    FINDING = "finding"  # names a finding by itself; an anatomy beside it may make it more specific
    STATE = "state"  # abnormal only together with an anatomy: "enlarged", "tortuous"
    ANATOMY = "anatomy"
    NORMAL = "normal"  # predicate that denies what its subject could have: "clear", "unremarkable"
    SIDE = "side"
    ZONE = "zone"
    SEVERITY = "severity"
    COUNT = "count"
    CUE = "cue"  # changes presence, certainty, time or experiencer of findings around it
    STOP = "stop"  # ends the reach of cues
    LINK = "link"  # ties findings or places: "and", "of", "in"
    UNIT = "unit"  # of length
    ADVICE = "advice"  # asks for something: "recommend"
    ACTION = "action"  # what is asked for
    CONTACT = "contact"  # says that a result was told to somebody
    TIP = "tip"  # where the tip of a device is
    PHRASE = "phrase"  # a whole normal statement: "no acute disease"


_PLACES = (Kind.ANATOMY, Kind.SIDE, Kind.ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """One meaning of a phrase, with the rule that gives it."""

    kind: Kind
    value: str
    rule: str  # id of the rule
    certainty: float = 1.0  # below 1 where the wording itself only suggests the finding: "nodular opacity"


class Found(NamedTuple):
    """A phrase found in a sentence: words [start, end) with one of its senses."""

    start: int
    end: int
    sense: Sense


_NONE: tuple[Found, ...] = ()


class Parts:
    """The phrases of one sentence by what they contribute, each list in the order of the words."""

    __slots__ = ("_by_kind", "_links", "cues", "stops")

    def __init__(self, found: Sequence[Found]) -> None:
        """Sort the phrases once, so that no later step has to look through all of them."""
        by_kind: defaultdict[Kind, list[Found]] = defaultdict(list)
        for item in found:
            by_kind[item.sense.kind].append(item)
        self._by_kind = by_kind
        self._links: defaultdict[str, list[int]] = defaultdict(list)
        for item in by_kind.get(Kind.LINK, _NONE):
            self._links[item.sense.value].append(item.start)
        self.stops = [item.start for item in by_kind.get(Kind.STOP, _NONE)]
        self.cues = by_kind.get(Kind.CUE, _NONE)

    def of(self, *kinds: Kind) -> list[Found]:
        """Return the phrases of the kinds; those of several kinds in the order of their places."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], [])
        lists = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        if len(lists) <= 1:
            return lists[0] if lists else []
        return sorted([item for items in lists for item in items], key=_place)

    def has(self, kind: Kind) -> bool:
        """Whether any phrase is of a kind."""
        return kind in self._by_kind

    def links(self, *values: str) -> list[int]:
        """Return where words stand that link in one of these ways."""
        if len(values) == 1 or not self._links:
            return self._links.get(values[0], [])
        return [start for value in values for start in self._links.get(value, _NONE_PLACES)]

    def links_but(self, value: str) -> list[int]:
        """Return where words stand that link in any other way."""
        return [start for other, starts in self._links.items() if other != value for start in starts]


_NONE_PLACES: tuple[int, ...] = ()


def _place(item: Found) -> tuple[int, int]:
    return item.start, item.end


class _Node:
    """A state of the word automaton."""

    __slots__ = ("meanings", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.meanings: tuple[
            Found, ...
        ] = ()  # what the phrase that ends here contributes, places relative to it

    def add(self, found: Found) -> None:
        """Add a meaning once."""
        if found not in self.meanings:
            self.meanings = (*self.meanings, found)


class Lexicon:
    """Finds every known phrase in a sentence: the longest at each place, from left to right."""

    def __init__(self, phrases: Iterable[tuple[str, Sense]], spellings: Mapping[str, str]) -> None:
        """Compile the phrases; `spellings` maps a variant of a single word to the one that the rules use."""
        self._root = _Node()
        entries = [
            (tuple(spellings.get(word, word) for word in words_of(phrase)), sense)
            for phrase, sense in phrases
        ]
        known = {word for words, _ in entries for word in words}
        alone = {words[0] for words, _ in entries if len(words) == 1}
        self.canonical = _canonical_words(known, alone, spellings)
        self.known = frozenset(known)
        plain = [(tuple(self.canonical.get(word, word) for word in words), sense) for words, sense in entries]
        for words, sense in plain:
            self._node(words).add(Found(0, len(words), sense))
        for words, sense in plain:
            if len(words) > 1 and sense.kind is Kind.FINDING:
                for part in self._parts(words):
                    self._node(words).add(part)

    def _node(self, words: Sequence[str]) -> "_Node":
        node = self._root
        for word in words:
            node = node.next.setdefault(word, _Node())
        return node

    def _parts(self, words: Sequence[str]) -> list[Found]:
        """Return the places inside a term: an "elevated right hemidiaphragm" is on the right."""
        parts: list[Found] = []
        for cut in range(1, len(words)):
            parts += [part for part in self.find(words[:cut]) if part.end == cut]
            parts += [Found(part.start + cut, part.end + cut, part.sense) for part in self.find(words[cut:])]
        return [part for part in dict.fromkeys(parts) if part.sense.kind in _PLACES]

    def find(self, words: Sequence[str]) -> list[Found]:
        """Return the phrases in order of their place, without overlap, in time linear in the words."""
        found: list[Found] = []
        roots = self._root.next
        count = len(words)
        place = 0
        for first, word in enumerate(words):
            if first < place or (node := roots.get(word)) is None:
                continue
            place = first
            end = place + 1
            best, best_end = node.meanings, end
            while end < count and (node := node.next.get(words[end])) is not None:
                end += 1
                if node.meanings:
                    best, best_end = node.meanings, end
            for start, stop, sense in best:
                found.append(Found(place + start, place + stop, sense))
            place = best_end
        return found


def _canonical_words(known: set[str], alone: set[str], spellings: Mapping[str, str]) -> dict[str, str]:
    """Return the table from each plural or variant spelling to the word that the rules use.

    A plural that is a phrase by itself ("bases") keeps its own meaning.
    """
    table: dict[str, str] = {}
    for word in known:
        for plural in _plurals(word):
            if plural not in alone:
                table[plural] = word
    table.update(spellings)
    return table


def _plurals(word: str) -> Iterable[str]:
    if len(word) < 3 or not word.isalpha():
        return
    yield word + "s"
    if word.endswith(("s", "x", "ch", "sh")):
        yield word + "es"
    if word.endswith("y"):
        yield word[:-1] + "ies"
    if word.endswith("is"):
        yield word[:-2] + "es"
