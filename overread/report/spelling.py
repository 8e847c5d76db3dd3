"""Words that no rule knows: British spelling, and slips of one letter in long names."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

_BRITISH = (
    ("ae", "e"), ("oe", "e"), ("isation", "ization"), ("ised", "ized"), ("ising", "izing"), ("our", "or"),
    ("tre", "ter"), ("lled", "led"), ("yse", "yze"), ("ogue", "og"), ("gramme", "gram"),
)  # fmt: skip
_SHORTEST_SLIP = 8  # letters of a word that a slip can be told from; shorter ones are too close to each other
_LONGEST_SLIP = 24
# Words of reports that are one letter away from a name and are no slip for it.
_NO_SLIPS = frozenset(
    {
        "injection", "injections", "perfusion", "infusion", "infusions", "traction", "retraction",
        "detection", "retention", "confusion", "rejection", "dysphasia", "arteritis", "arteries",
        "fattening", "osteogenic", "occluded", "compresses", "distraction", "exclusion", "reflection",
        "deflation", "inflation", "elevator", "cardiograph", "commercial", "urethral",
    }
)  # fmt: skip


class Spelling:
    """Finds the known word that an unknown one stands for. Immutable."""

    def __init__(self, canonical: Mapping[str, str], names: AbstractSet[str]) -> None:
        """Take the wording that rules use for known words, and the words that others may be a slip for."""
        self._canonical = canonical
        self._near: dict[str, list[str]] = {}
        for word in names:
            if len(word) >= _SHORTEST_SLIP and word.isalpha():
                for form in (word, *_shorter(word)):
                    self._near.setdefault(form, []).append(word)

    def correct(self, word: str) -> str:
        """Return the wording that rules use for an unknown lower-case word, "" where it means none."""
        american = self._american(word)
        return american or self._without_slip(word)

    def _american(self, word: str) -> str:
        for british, american in _BRITISH:
            if british in word:
                known = self._canonical.get(word.replace(british, american))
                if known:
                    return known
        return ""

    def _without_slip(self, word: str) -> str:
        if not _SHORTEST_SLIP - 1 <= len(word) <= _LONGEST_SLIP or word in _NO_SLIPS or not self._near:
            return ""
        for form in (word, *_shorter(word)):
            for candidate in self._near.get(form, ()):
                if candidate[0] == word[0] and _is_one_slip(word, candidate):
                    return self._canonical.get(candidate, "")
        return ""


def _shorter(word: str) -> Iterator[str]:
    """Yield the word without one of its letters."""
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]


def _is_one_slip(first: str, second: str) -> bool:
    """Whether one letter more, less or other, or two that changed places, make one word of the other."""
    if len(first) > len(second):
        first, second = second, first
    start = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))
    if len(first) < len(second):
        return len(second) - len(first) == 1 and first[start:] == second[start + 1 :]
    rest, other = first[start + 1 :], second[start + 1 :]
    swapped = first[start : start + 2] == second[start : start + 2][::-1] and rest[1:] == other[1:]
    return rest == other or swapped
