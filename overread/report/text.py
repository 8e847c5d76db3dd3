"""Words of a report with their places: the only view of the text that the rules have."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from overread.report.spelling import Spelling

# A word, a number (with decimals), or one other visible character. A hyphen inside a word is a space:
# "ground-glass" and "ground glass" are the same two words.
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,]\d+)?|[^\s\w-]")
# The same for text of ASCII characters in lower case, in half the time.
_ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+(?:[.,][0-9]+)?|[^\s\w\x1c-\x1f-]")

_LONGEST_RUN_TOGETHER = 40
_SHORTEST_PART = 5
_SHORT_PARTS = frozenset({"mass", "copd", "left", "lung", "scar"})
_SHORTEST_WORD = 5  # that may be spelled otherwise
_BEFORE_NO = frozenset(
    {"is", "are", "there", "with", "and", "but", "or", ",", ":", ".", "has", "have", "shows", "show"}
)
_SIDES_BY_LETTER = {"l": "left", "r": "right"}
_BEFORE_SIDES = frozenset({"the", "on", "(", "at", "in"})
_NO_NOUNS = frozenset(
    {"and", "or", "is", "are", "to", "than", "spine", "vertebra", "vertebral", "body", "level"}
)
_SPECIAL = frozenset({"know", "l", "r", "?"})  # what they stand for depends on the words beside them
_REMEMBERED_WORDS = 20_000


class Words(NamedTuple):
    """The words of one sentence, lower case, with their character ranges relative to its start."""

    surface: Sequence[str]  # as written, lower case
    canonical: Sequence[str]  # spelling and number removed, "" where no rule knows the word: what rules match
    starts: Sequence[int]

    def end(self, index: int) -> int:
        """Return where a word ends."""
        return self.starts[index] + len(self.surface[index])


def lower_in_place(text: str) -> str:
    """Return the text in lower case with every character at its old offset.

    A few letters (such as the dotted capital I) become two when lowered; they stay as they are.
    """
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


class WordSplitter:
    """Splits text into words. Immutable but for a bounded memory of words that no rule knows."""

    def __init__(
        self,
        canonical: Mapping[str, str],
        known: AbstractSet[str],
        content: AbstractSet[str] = frozenset(),
        names: AbstractSet[str] = frozenset(),
    ) -> None:
        """Take the wording that rules use for each variant, every word that they know, content and names.

        Words of content mean something by themselves: an unknown word may be two of them run together. Names
        are those for which it may be a slip.
        """
        self._words = {**{word: word for word in known}, **canonical}
        self._content = content
        self._spelling = Spelling(dict(self._words), names)
        self._most_words = len(self._words) + _REMEMBERED_WORDS

    def split(self, lowered: str) -> Words:
        """Return the words of a lower-case text.

        An unknown word that is two known ones run together ("scarringatelectasis") is those two.
        """
        known = self._words.get
        surface: list[str] = (_ASCII_TOKEN if lowered.isascii() else _TOKEN).findall(lowered)
        canonical: list[str] = list(map(known, surface))  # type: ignore[arg-type]  # None is put right below
        if None in canonical:
            surface, canonical = self._learned(surface)
        special = not _SPECIAL.isdisjoint(surface)
        if special:
            _hear_no(surface, canonical)
            _write_out_sides(surface, canonical)
        starts: list[int] = []
        end = 0
        for word in surface:
            start = lowered.find(word, end)
            starts.append(start)
            end = start + len(word)
        if special:
            _ask_before(lowered, surface, canonical, starts)
        return Words(surface, canonical, starts)

    def _learned(self, surface: list[str]) -> tuple[list[str], list[str]]:
        """Return the words, cut where two run together, and what each means; new ones are remembered."""
        words = self._words
        parts: list[str] = []
        canonical: list[str] = []
        for word in surface:
            meant = words.get(word)
            at = self._cut(word) if meant is None and len(word) >= _SHORTEST_WORD else 0
            if at:
                parts += word[:at], word[at:]
                canonical += words[word[:at]], words[word[at:]]
                continue
            if meant is None:
                meant = self._spelling.correct(word) if len(word) >= _SHORTEST_WORD else ""
                if len(words) < self._most_words:
                    words[word] = meant
            parts.append(word)
            canonical.append(meant)
        return parts, canonical

    def _is_part(self, part: str) -> bool:
        return part in self._content and (len(part) >= _SHORTEST_PART or part in _SHORT_PARTS)

    def _cut(self, word: str) -> int:
        """Return where an unknown word falls into two that mean something alone, 0 where it does not.

        "Portable" is no port that is able, nor "widespread" a wide spread: each part is a long word.
        """
        if len(word) <= _LONGEST_RUN_TOGETHER:
            for cut in range(_SHORTEST_PART - 1, len(word) - _SHORTEST_PART + 2):
                if self._is_part(word[cut:]) and self._is_part(word[:cut]):
                    return cut
        return 0


def _ask_before(lowered: str, surface: Sequence[str], canonical: list[str], starts: Sequence[int]) -> None:
    """Take a question mark that stands before a word for "query": "opacity ?pneumonia"."""
    for index, word in enumerate(surface):
        place = starts[index]
        if word == "?" and index + 1 < len(surface):
            touches = place > 0 and lowered[place - 1].isalnum()
            if not touches and surface[index + 1][0].isalpha():
                canonical[index] = "query"


def _write_out_sides(surface: Sequence[str], canonical: list[str]) -> None:
    """Take the letter of "L base" or "on the R" for its side; that of "L1" or "L > R" is none."""
    for index, word in enumerate(surface):
        if word not in _SIDES_BY_LETTER:
            continue
        after = surface[index + 1] if index + 1 < len(surface) else ""
        before = surface[index - 1] if index else ""
        if after == "." and index + 2 < len(surface):
            after = surface[index + 2]
        if before in ("<", ">"):
            continue
        named = after.isalpha() and len(after) > 1 and after not in _NO_NOUNS
        if named or (before in _BEFORE_SIDES and not after[:1].isdigit()):
            canonical[index] = _SIDES_BY_LETTER[word]


def _hear_no(surface: Sequence[str], canonical: list[str]) -> None:
    """Take "know" for the "no" that speech recognition heard, where a denial may begin."""
    for index, word in enumerate(surface):
        if word == "know" and (index == 0 or surface[index - 1] in _BEFORE_NO):
            canonical[index] = "no"


def words_of(phrase: str) -> tuple[str, ...]:
    """Return the words of a rule's phrase, split exactly as report text is."""
    return tuple(_TOKEN.findall(phrase.lower()))
