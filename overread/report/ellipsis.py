"""Ellipsis: a finding that a sentence names once and speaks of twice.

"No effusion, but a small one on the left" and "it has resolved on the right but persists on the left" each
say two things of one finding. The second has no name of its own: here it gets one, and its own part of the
sentence.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from overread.observation import Laterality, Temporality
from overread.report.heads import Head, Mention
from overread.report.lexicon import Found, Kind, Parts
from overread.report.scope import Scopes
from overread.report.text import Words

_ADJECTIVES = frozenset(
    {"small", "tiny", "large", "moderate", "smaller", "larger", "similar", "another", "new", "second"}
    | {"left", "right"}
)
_VERBS = frozenset({"is", "has", "have"})
_EXISTS = frozenset({"present", "seen", "remains", "remain", "visible", "noted", "identified"})
_ARTICLES = frozenset({"a", "an", "the", "only", "there", "is"})
_SIDES = frozenset({Laterality.LEFT.value, Laterality.RIGHT.value})
_STATES = frozenset(Temporality) - {Temporality.CURRENT, Temporality.HISTORICAL}
_NORMAL_SIDE = "side:normal"
_AFTER = 3  # words behind the second side: "on the left it is small"


class _Second(NamedTuple):
    """Part of a sentence that speaks of the other side."""

    start: int  # its first word
    side: Found
    end: int  # where another finding or a stop ends it


def with_another(words: Words, parts: Parts, mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """Return the mentions with a second one of the same kind: "no effusion, but a small one on the left"."""
    for index in range(1, len(words.surface)):
        if words.surface[index] != "one" or words.surface[index - 1] not in _ADJECTIVES:
            continue
        earlier = [mention for mention in mentions if mention.end <= index]
        if earlier and not earlier[-1].heads[0].normal:
            parts.stops.append(max(earlier[-1].end, index - 2))
            later = mentions[len(earlier) :]
            return (*earlier, Mention(index, index + 1, earlier[-1].heads), *later)
    return mentions


def with_other_side(
    words: Words, parts: Parts, mentions: tuple[Mention, ...], scopes: Scopes
) -> tuple[Mention, ...]:
    """Return the mentions with that of the other side, and let its part of the sentence begin with a stop.

    Its mention is no word but the place where its name would stand: "none [effusion] on the left".
    """
    sides = [item for item in parts.sided if item.sense.kind is Kind.SIDE]
    for first, second in pairwise(sides):
        earlier = [mention for mention in mentions if mention.end <= second.start]
        inside = any(mention.start < second.end < mention.end for mention in mentions)
        if not earlier or inside or earlier[-1].heads[0].normal or first.sense.value == second.sense.value:
            continue
        heads, later = earlier[-1].heads, mentions[len(earlier) :]
        if _is_normal(second, parts):
            heads = tuple([_denied(head) for head in heads])
        if _word(words, second.end) in _VERBS:  # the side is the subject: "left increased, right has cleared"
            parts.stops.append(max(earlier[-1].end, second.start - 1))
            mentions = (*earlier, Mention(second.start, second.end, heads), *later)
            continue
        part = _second_part(first, second, earlier[-1], later, parts)
        if part is not None and _says_something(part, words, parts, scopes):
            parts.stops.append(part.start - 1)
            _forget_both_sides(first, parts)
            place = _place_of_name(part, words, parts, scopes)
            mentions = (*earlier, Mention(place, place, heads), *later)
    return mentions


def _is_normal(side: Found, parts: Parts) -> bool:
    """Whether a side is said to be normal: "the right is sharp", "left clear"."""
    return any(side.end <= item.start <= side.end + 1 for item in parts.normals)


def _denied(head: Head) -> Head:
    return Head(head.finding, _NORMAL_SIDE, (head.finding,), normal=True)


def _second_part(
    first: Found, second: Found, named: Mention, later: Sequence[Mention], parts: Parts
) -> _Second | None:
    """Return the part that begins with a comma or a link between two opposite sides and names no finding."""
    if {first.sense.value, second.sense.value} != _SIDES:
        return None
    begin = max(first.end, named.end)
    bounds = {place for place in (*parts.stops, *parts.joins()) if begin <= place < second.start}
    if not bounds:
        return None
    bound = min(bounds)
    while bound + 1 in bounds:  # ", but"
        bound += 1
    ends = [place for place in (*parts.stops, *parts.joins(), *parts.links("with")) if place >= second.end]
    end = min(ends, default=second.end + _AFTER)
    if later and later[0].start <= end:
        return None  # the side is that of the next finding: "no effusion on the right, small left nodule"
    return _Second(bound + 1, second, min(end, second.end + _AFTER))


def _forget_both_sides(first: Found, parts: Parts) -> None:
    """Take "bilateral" away where each side is spoken of: "bilateral effusions, resolved on the right"."""
    for items in (parts.sided, parts.places):
        items[:] = [item for item in items if item.start > first.start or not _is_bilateral(item)]


def _is_bilateral(item: Found) -> bool:
    return item.sense.kind is Kind.SIDE and item.sense.value == Laterality.BILATERAL


def _says_something(part: _Second, words: Words, parts: Parts, scopes: Scopes) -> bool:
    """Whether it says more than the side: "or on the left" does not."""
    if any(part.start <= item.start < part.end for item in parts.grades if item.sense.kind is Kind.SEVERITY):
        return True
    for item in parts.cues:
        cue = scopes.cue(item)
        if part.start <= item.start < part.end and (cue.presence is not None or cue.temporality in _STATES):
            return True
    if _is_normal(part.side, parts):
        return True
    return any(word in _EXISTS for word in words.canonical[part.start : part.end])


def _place_of_name(part: _Second, words: Words, parts: Parts, scopes: Scopes) -> int:
    """Return where the name would stand: behind what grades or denies it, else at the beginning."""
    place = part.start
    while place < part.side.start and words.canonical[place] in _ARTICLES:
        place += 1
    leading = [item for item in parts.grades if item.sense.kind is Kind.SEVERITY]
    leading += [item for item in parts.cues if scopes.cue(item).direction == "forward"]
    return max((item.end for item in leading if part.start <= item.start < part.side.start), default=place)


def _word(words: Words, index: int) -> str:
    return words.canonical[index] if index < len(words.canonical) else ""
