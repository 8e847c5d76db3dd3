"""Words of a report with their places: the only view of the text that the rules have."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

# A word, a number (with decimals), or one other visible character. A hyphen inside a word is a space:
# "ground-glass" and "ground glass" are the same two words.
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,]\d+)?|[^\s\w-]")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one sentence, lower case, with their character ranges relative to its start."""

    surface: tuple[str, ...]  # as written, lower case
    canonical: tuple[str, ...]  # spelling and number removed; what rules are matched against
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.surface)


def lower_in_place(text: str) -> str:
    """Return the text in lower case with every character at its old offset.

    A few letters (such as the dotted capital I) become two when lowered; they stay as they are.
    """
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


_LONGEST_RUN_TOGETHER = 40
_SHORTEST_PART = 4


def split_words(lowered: str, canonical: Mapping[str, str], known: Set[str] = frozenset()) -> Words:
    """Return the words of a lower-case text; `canonical` maps a known wording to the one that rules use.

    An unknown word that is two known ones run together ("scarringatelectasis") is those two.
    """
    surface: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _TOKEN.finditer(lowered):
        word = match.group()
        start, end = match.span()
        if known and word not in known and word not in canonical:
            cut = _cut(word, canonical, known)
            if cut:
                surface.append(word[:cut])
                starts.append(start)
                ends.append(start + cut)
                word, start = word[cut:], start + cut
        surface.append(word)
        starts.append(start)
        ends.append(end)
    get = canonical.get
    return Words(tuple(surface), tuple([get(word, word) for word in surface]), tuple(starts), tuple(ends))


def _cut(word: str, canonical: Mapping[str, str], known: Set[str]) -> int:
    """Return where an unknown word falls into two known ones, 0 where it does not."""
    if 2 * _SHORTEST_PART <= len(word) <= _LONGEST_RUN_TOGETHER:
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            first, second = word[:cut], word[cut:]
            if (second in known or second in canonical) and (first in known or first in canonical):
                return cut
    return 0


def words_of(phrase: str) -> tuple[str, ...]:
    """Return the words of a rule's phrase, split exactly as report text is."""
    return tuple(_TOKEN.findall(phrase.lower()))
