"""Side, zone, severity, number and size of the findings of a sentence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from overread.observation import Laterality
from overread.report.heads import Mention
from overread.report.lexicon import Found, Kind
from overread.report.text import Words

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?$")


@dataclass(slots=True)
class Attributes:
    """The attributes of one mention, filled in while the sentence is read."""

    laterality: Laterality = Laterality.UNSPECIFIED
    zones: tuple[str, ...] = ()
    severity: str | None = None
    count: int | None = None
    size_mm: tuple[float, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()


def read_attributes(words: Words, found: Sequence[Found], mentions: Sequence[Mention]) -> list[Attributes]:
    """Return the attributes of each mention, in order."""
    results = [Attributes() for _ in mentions]
    breaks = [item.start for item in found if item.sense.kind is Kind.STOP]
    links = {item.start: item.sense.value for item in found if item.sense.kind is Kind.LINK}
    for item in found:
        kind = item.sense.kind
        if kind in (Kind.SIDE, Kind.ZONE, Kind.SEVERITY, Kind.COUNT, Kind.UNIT):
            owner = _owner(item, mentions, breaks, links, before_only=kind in (Kind.SEVERITY, Kind.COUNT))
            for index in owner:
                _apply(item, results[index], words)
    return results


def _owner(
    item: Found,
    mentions: Sequence[Mention],
    breaks: Sequence[int],
    links: dict[int, str],
    *,
    before_only: bool,
) -> list[int]:
    """Return which mentions a word belongs to: the next one, or the last one if a preposition ties it there."""
    inside = [i for i, mention in enumerate(mentions) if mention.start <= item.start < mention.end]
    if inside:
        return inside
    before = [
        i
        for i, mention in enumerate(mentions)
        if mention.end <= item.start and not _broken(mention.end, item.start, breaks)
    ]
    after = [
        i
        for i, mention in enumerate(mentions)
        if mention.start >= item.end and not _broken(item.end, mention.start, breaks)
    ]
    if before and after:
        last, following = mentions[before[-1]], mentions[after[0]]
        gap = [links[place] for place in range(last.end, item.start) if place in links]
        tied = "in" in gap and "and" not in gap and "with" not in gap
        joined = any(
            place in links and links[place] in ("and", "or", "comma", "with")
            for place in range(item.end, following.start)
        )
        return [before[-1]] if tied and (joined or not before_only) else [after[0]]
    if after:
        return after[:1]
    return before[-1:]


def _broken(start: int, end: int, breaks: Sequence[int]) -> bool:
    return any(start <= place < end for place in breaks)


def _apply(item: Found, result: Attributes, words: Words) -> None:
    value = item.sense.value
    if item.sense.kind is Kind.SIDE:
        side = Laterality(value)
        known = result.laterality
        merged = side if known in (Laterality.UNSPECIFIED, side) else Laterality.BILATERAL
        result.laterality = merged
        result.rules = (*result.rules, ("laterality", item.sense.rule))
    elif item.sense.kind is Kind.ZONE:
        if value not in result.zones:
            result.zones = (*result.zones, value)
            result.rules = (*result.rules, ("zones", item.sense.rule))
    elif item.sense.kind is Kind.SEVERITY:
        if result.severity is None:
            result.severity = value
            result.rules = (*result.rules, ("severity", item.sense.rule))
    elif item.sense.kind is Kind.COUNT:
        result.count = int(value) if value.isdigit() else result.count
    else:
        result.size_mm = (*result.size_mm, *_sizes(item, words))


def _sizes(item: Found, words: Words) -> tuple[float, ...]:
    """Return the numbers that end at a unit, in mm: "2 x 3 cm" are two."""
    factor = float(item.sense.value)
    sizes: list[float] = []
    place = item.start - 1
    while place >= 0 and (_NUMBER.match(words.surface[place]) or words.surface[place] in ("x", "by", "×")):
        if words.surface[place][0].isdigit():
            sizes.append(float(words.surface[place].replace(",", ".")) * factor)
        place -= 1
    return tuple(reversed(sizes))


def inherit_places(
    found: Sequence[Found],
    mentions: Sequence[Mention],
    attributes: Sequence[Attributes],
    explaining: frozenset[str],
) -> None:
    """Give a finding that explains another one its place: "right base opacity, likely atelectasis" is on the right."""
    for item in found:
        if item.sense.kind is not Kind.CUE or item.sense.value not in explaining:
            continue
        before = [index for index, mention in enumerate(mentions) if mention.end <= item.start]
        after = [index for index, mention in enumerate(mentions) if mention.start >= item.end]
        source = attributes[before[-1]] if before else None
        for index in after if source else ():
            target = attributes[index]
            if source and target.laterality is Laterality.UNSPECIFIED and not target.zones:
                target.laterality, target.zones = source.laterality, source.zones
                target.rules = (*target.rules, ("laterality", item.sense.rule))
