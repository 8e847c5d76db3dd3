"""The words and phrases that rules know, compiled into one matcher."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from overread.report.text import words_of


class Kind(StrEnum):
    """Contribution of a phrase to the reading of its sentence."""

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


PAIRED = frozenset({"lung", "diaphragm", "hilum", "costophrenic"})
"""Anatomies of which there are two, so that their plural is both sides."""

_PLACES = (Kind.ANATOMY, Kind.SIDE, Kind.ZONE)

# What a phrase of one word contributes if the word means something by itself.
_CONTENT = frozenset(
    {Kind.FINDING, Kind.STATE, Kind.ANATOMY, Kind.NORMAL, Kind.SIDE, Kind.ZONE, Kind.SEVERITY}
)

_UNNAMED = "unlisted"  # findings of everyday words, which other everyday words resemble

JOINING = ("and", "or", "comma")
"""Links that make a list of findings or of places."""

# The lists of `Parts`, and in which of them a phrase of each kind stands.
_LISTS = (
    "bases", "states", "anatomies", "normals", "phrases", "sided", "places", "grades", "cues", "stops",
    "links", "remarks",
)  # fmt: skip
_IN_LISTS: dict[Kind, tuple[str, ...]] = {
    Kind.FINDING: ("bases",),
    Kind.STATE: ("bases", "states"),
    Kind.ANATOMY: ("anatomies",),
    Kind.NORMAL: ("normals",),
    Kind.PHRASE: ("phrases",),
    Kind.SIDE: ("sided", "places"),
    Kind.ZONE: ("sided", "places"),
    Kind.SEVERITY: ("grades",),
    Kind.COUNT: ("grades",),
    Kind.UNIT: ("grades",),
    Kind.TIP: ("grades",),
    Kind.CUE: ("cues",),
    Kind.STOP: ("stops",),
    Kind.LINK: ("links",),
    Kind.ADVICE: ("remarks",),
    Kind.ACTION: ("remarks",),
    Kind.CONTACT: ("remarks",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """One meaning of a phrase, with the rule that gives it."""

    kind: Kind
    value: str
    rule: str  # id of the rule
    certainty: float = 1.0  # below 1 where the wording itself only suggests the finding: "nodular opacity"
    lists: tuple[int, ...] = field(init=False, repr=False)  # in which lists of `Parts` it stands

    def __post_init__(self) -> None:
        names = _IN_LISTS[self.kind]
        if self.kind is Kind.ANATOMY and self.value in PAIRED:
            names = (*names, "places")
        object.__setattr__(self, "lists", tuple(_LISTS.index(name) for name in names))


class Found(NamedTuple):
    """A phrase found in a sentence: words [start, end) with one of its senses."""

    start: int
    end: int
    sense: Sense


_tuple = tuple.__new__


class Parts:
    """The phrases of one sentence by what they contribute, each list in the order of the words.

    They are sorted once, so that no later step has to look through all of them.
    """

    __slots__ = (
        "_links", "_starts", "anatomies", "bases", "cues", "grades", "normals", "phrases", "places",
        "remarks", "sided", "states", "stops",
    )  # fmt: skip

    bases: list[Found]  # findings, and states that an anatomy makes one
    states: list[Found]
    anatomies: list[Found]
    normals: list[Found]
    phrases: list[Found]
    sided: list[Found]  # sides and zones
    places: list[Found]  # sides, zones and paired anatomies
    grades: list[Found]  # severities, numbers, units of length and tips
    cues: list[Found]
    stops: list[int]
    remarks: list[Found]  # words of recommendation and communication

    def __init__(self, found: Sequence[Found]) -> None:
        """Sort the phrases."""
        lists: tuple[list[Found], ...] = ([], [], [], [], [], [], [], [], [], [], [], [])
        for item in found:
            for index in item[2].lists:
                lists[index].append(item)
        (
            self.bases,
            self.states,
            self.anatomies,
            self.normals,
            self.phrases,
            self.sided,
            self.places,
            self.grades,
            self.cues,
            stops,
            self._links,
            self.remarks,
        ) = lists
        self.stops = [item[0] for item in stops] if stops else []
        self._starts: dict[str, list[int]] | None = None

    def links(self, value: str) -> list[int]:
        """Return where words stand that link in one way."""
        return self._by_value().get(value, []) if self._links else []

    def joins(self) -> list[int]:
        """Return where words stand that make a list."""
        if not self._links:
            return []
        starts = self._by_value()
        return [place for value in JOINING if value in starts for place in starts[value]]

    def links_by(self, rule: str) -> list[int]:
        """Return where words stand that link by one rule."""
        return [item.start for item in self._links if item.sense.rule == rule]

    def links_but(self, value: str) -> list[int]:
        """Return where words stand that link in any other way."""
        return [item.start for item in self._links if item.sense.value != value]

    def _by_value(self) -> dict[str, list[int]]:
        starts = self._starts
        if starts is None:
            starts = self._starts = {}
            for item in self._links:
                starts.setdefault(item.sense.value, []).append(item.start)
        return starts


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
            self.meanings = tuple(sorted((*self.meanings, found), key=_place))

    def close(self) -> None:
        """Let all nodes that nothing follows share one table, which keeps the automaton small in memory."""
        for node in self.next.values():
            node.close()
        if not self.next:
            self.next = _NOTHING_FOLLOWS


_NOTHING_FOLLOWS: dict[str, _Node] = {}


def _place(item: Found) -> tuple[int, int]:
    return item.start, item.end


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
        self.content = _content_words(entries, self.canonical)
        named = [entry for entry in entries if not entry[1].value.startswith(_UNNAMED)]
        self.names = _content_words(named, self.canonical)
        plain = [(tuple(self.canonical.get(word, word) for word in words), sense) for words, sense in entries]
        for words, sense in plain:
            self._node(words).add(Found(0, len(words), sense))
        for words, sense in plain:
            if len(words) > 1 and sense.kind is Kind.FINDING:
                for part in self._parts(words):
                    self._node(words).add(part)
        self._root.close()

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
        words = [*words, ""]  # no phrase goes on with it
        begin = 0  # of what is not yet in a phrase
        for first, root in enumerate(map(self._root.next.get, words)):
            if root is None or first < begin:
                continue
            best = root.meanings
            begin = end = first + 1
            node = root.next.get(words[end])
            while node is not None:
                end += 1
                if node.meanings:
                    best, begin = node.meanings, end
                node = node.next.get(words[end])
            for start, stop, sense in best:
                found.append(_tuple(Found, (first + start, first + stop, sense)))
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


def _content_words(
    entries: Sequence[tuple[tuple[str, ...], Sense]], canonical: Mapping[str, str]
) -> frozenset[str]:
    """Return the words that name something alone, with their plurals."""
    content = {words[0] for words, sense in entries if len(words) == 1 and sense.kind in _CONTENT}
    return frozenset(content.union([variant for variant, word in canonical.items() if word in content]))


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
