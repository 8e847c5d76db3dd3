"""Nearness of the findings and anatomies of a sentence: words between them, and what keeps them apart."""

from collections.abc import Sequence

from overread.report.lexicon import Found, Kind, Parts

_NOUN_PHRASE = 5  # words between an adjective and its noun
OVER = "link:over"
"""The rule whose words say where something is seen, and not what it is part of."""
TOO_FAR = 10_000  # what a stop between them counts
_COMMA_BETWEEN = 4
_OTHER_BASE_BETWEEN = 6  # how much further away an anatomy counts when another base lies between
_FINDING = Kind.FINDING  # a member is looked up slowly, and this one is needed often


class Barriers:
    """Words that keep a base and an anatomy apart."""

    __slots__ = ("commas", "over", "parts", "separators", "stops")

    def __init__(self, parts: Parts) -> None:
        self.stops = parts.stops
        self.commas = parts.links("comma") if parts.anatomies else []  # nothing else asks for them
        self.over = parts.links_by(OVER) if parts.anatomies else []
        self.parts = parts
        self.separators: list[int] = []
        if parts.states:  # nothing else asks for them
            self.separators = [*parts.stops, *parts.links_but("in"), *(cue.start for cue in parts.cues)]


def noun_after(item: Found, bases: Sequence[Found], separators: Sequence[int]) -> Found | None:
    """Return the finding that a state only describes: the "nodule" of "calcified right base nodule"."""
    following = next((base for base in bases if base.start >= item.end), None)
    if following is None or following.sense.kind is not _FINDING or following.start - item.end > _NOUN_PHRASE:
        return None
    return None if is_crossed(item.end, following.start, separators) else following


def head_nouns(anatomies: Sequence[Found]) -> list[Found]:
    """Return the anatomies that no other follows at once: of "mediastinal lymph nodes" the nodes."""
    followed = {item.start for item in anatomies}
    return [item for item in anatomies if item.end not in followed]


def is_crossed(start: int, end: int, barriers: Sequence[int]) -> bool:
    """Whether one of the barriers is a word of [start, end)."""
    for barrier in barriers:  # noqa: SIM110 # a generator costs more than the loop, and this runs most
        if start <= barrier < end:
            return True
    return False


def distance_between(item: Found, anatomy: Found, bases: Sequence[Found], barriers: Barriers) -> int:
    """Return how far an anatomy is from a base, in words; far too many where a stop lies between."""
    if anatomy.end <= item.start:
        start, end = anatomy.end, item.start
    elif anatomy.start >= item.end:
        start, end = item.end, anatomy.start
    else:
        return 0
    if is_crossed(start, end, barriers.stops):
        return TOO_FAR
    distance = end - start
    for base in bases:
        if start < base.end and base.start < end:
            distance += _OTHER_BASE_BETWEEN
    for comma in barriers.commas:
        if start <= comma < end:
            distance += _COMMA_BETWEEN
    return distance
