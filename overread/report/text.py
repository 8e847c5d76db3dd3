"""Words of a report with their places: the only view of the text that the rules have."""

import re
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


def split_words(lowered: str, canonical: dict[str, str]) -> Words:
    """Return the words of a lower-case text; `canonical` maps a known wording to the one that rules use."""
    surface = []
    starts = []
    ends = []
    for match in _TOKEN.finditer(lowered):
        surface.append(match.group())
        start, end = match.span()
        starts.append(start)
        ends.append(end)
    get = canonical.get
    return Words(tuple(surface), tuple([get(word, word) for word in surface]), tuple(starts), tuple(ends))


def words_of(phrase: str) -> tuple[str, ...]:
    """Return the words of a rule's phrase, split exactly as report text is."""
    return tuple(_TOKEN.findall(phrase.lower()))
