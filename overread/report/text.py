"""Words of a report with their places: the only view of the text that the rules have."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import repeat
from typing import NamedTuple

# A word, a number (with decimals), or one other visible character. A hyphen inside a word is a space:
# "ground-glass" and "ground glass" are the same two words.
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,]\d+)?|[^\s\w-]")
# The same for text of ASCII characters in lower case, in half the time.
_ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+(?:[.,][0-9]+)?|[^\s\w\x1c-\x1f-]")

_LONGEST_RUN_TOGETHER = 40
_SHORTEST_PART = 4
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

    def __init__(self, canonical: Mapping[str, str], known: AbstractSet[str]) -> None:
        """Take the wording that rules use for each variant, and every word that they know."""
        self._canonical = {**{word: word for word in known}, **canonical}
        self._cuts: dict[str, int] = {}

    def split(self, lowered: str) -> Words:
        """Return the words of a lower-case text.

        An unknown word that is two known ones run together ("scarringatelectasis") is those two.
        """
        known = self._canonical.get
        surface: list[str] = (_ASCII_TOKEN if lowered.isascii() else _TOKEN).findall(lowered)
        canonical = list(map(known, surface, repeat("")))
        if "" in canonical and self._has_run_together(surface, canonical):
            surface = [part for word in surface for part in self._parts(word)]
            canonical = list(map(known, surface, repeat("")))
        starts: list[int] = []
        end = 0
        for word in surface:
            start = lowered.find(word, end)
            starts.append(start)
            end = start + len(word)
        return Words(surface, canonical, starts)

    def _has_run_together(self, surface: Sequence[str], canonical: Sequence[str]) -> bool:
        for word, known in zip(surface, canonical, strict=True):
            if not known and len(word) >= 2 * _SHORTEST_PART and self._cut(word):
                return True
        return False

    def _parts(self, word: str) -> tuple[str, ...]:
        cut = 0 if word in self._canonical else self._cut(word)
        return (word[:cut], word[cut:]) if cut else (word,)

    def _cut(self, word: str) -> int:
        """Return where an unknown word falls into two known ones, 0 where it does not."""
        if not 2 * _SHORTEST_PART <= len(word) <= _LONGEST_RUN_TOGETHER:
            return 0
        known = self._cuts.get(word)
        if known is None:
            known = self._find_cut(word)
            if len(self._cuts) < _REMEMBERED_WORDS:
                self._cuts[word] = known
        return known

    def _find_cut(self, word: str) -> int:
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            if word[cut:] in self._canonical and word[:cut] in self._canonical:
                return cut
        return 0


def words_of(phrase: str) -> tuple[str, ...]:
    """Return the words of a rule's phrase, split exactly as report text is."""
    return tuple(_TOKEN.findall(phrase.lower()))
