"""Which cues reach which findings of a sentence, and what they make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overread.observation import Experiencer, Presence, Temporality
from overread.report.heads import Head
from overread.report.lexicon import Found, Kind
from overread.report.rules import Cue

_JOINED = 4  # words between a finding and the next one that is joined to it by "and", "or" or a comma


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a sentence says about one head besides its place and size."""

    presence: Presence = Presence.PRESENT
    certainty: float = 1.0
    temporality: Temporality = Temporality.CURRENT
    experiencer: Experiencer = Experiencer.PATIENT
    rules: tuple[tuple[str, str], ...] = ()


class Scopes:
    """Applies cues to findings. Immutable."""

    def __init__(self, cues: Mapping[str, Cue]) -> None:
        """Take the cues by id."""
        self._cues = cues

    def assertions(self, found: Sequence[Found], heads: Sequence[Head]) -> list[Assertion]:
        """Return one assertion per head."""
        reached: list[list[Cue]] = [[] for _ in heads]
        stops = [item.start for item in found if item.sense.kind is Kind.STOP]
        joins = {
            item.start
            for item in found
            if item.sense.kind is Kind.LINK and item.sense.value in ("and", "or", "comma")
        }
        for item in found:
            if item.sense.kind is Kind.CUE:
                cue = self._cues[item.sense.value]
                for index in _reach(cue, item, heads, stops, joins):
                    reached[index].append(cue)
        return [_assertion(head, cues) for head, cues in zip(heads, reached, strict=True)]


def _reach(cue: Cue, item: Found, heads: Sequence[Head], stops: Sequence[int], joins: set[int]) -> list[int]:
    if cue.direction != "backward":
        stop = min((place for place in stops if place >= item.end), default=1_000_000)
        after = [i for i, head in enumerate(heads) if item.end <= head.start < stop]
        if after or cue.direction == "forward":
            return _joined(after, heads, joins) if cue.reach == "next" else after
    stop = max((place for place in stops if place < item.start), default=-1)
    before = [i for i, head in enumerate(heads) if stop < head.start and head.end <= item.start]
    return _joined(before[::-1], heads, joins) if cue.reach == "next" else before


def _joined(indexes: list[int], heads: Sequence[Head], joins: set[int]) -> list[int]:
    """Return the first head and those that "and", "or" or a comma ties to it closely."""
    kept = indexes[:1]
    for index in indexes[1:]:
        first, second = sorted((heads[kept[-1]], heads[index]), key=lambda head: head.start)
        gap = range(first.end, second.start)
        if len(gap) > _JOINED or not any(place in joins for place in gap):
            break
        kept.append(index)
    return kept


def _assertion(head: Head, cues: Sequence[Cue]) -> Assertion:
    presence, certainty, presence_rule = Presence.PRESENT, 1.0, ""
    temporality, experiencer = Temporality.CURRENT, Experiencer.PATIENT
    rules: list[tuple[str, str]] = []
    if head.normal:
        presence, certainty, presence_rule = Presence.ABSENT, 0.0, head.rule
    for cue in cues:
        if cue.presence is Presence.ABSENT and presence is not Presence.ABSENT:
            presence, certainty, presence_rule = Presence.ABSENT, cue.certainty or 0.0, cue.id
        elif cue.presence is not None and presence is not Presence.ABSENT:
            weight = 1.0 if cue.certainty is None else cue.certainty
            if weight < certainty:
                presence, certainty, presence_rule = cue.presence, weight, cue.id
        if cue.temporality is not None and temporality is Temporality.CURRENT:
            temporality = cue.temporality
            rules.append(("temporality", cue.id))
        if cue.experiencer is not None:
            experiencer = cue.experiencer
            rules.append(("experiencer", cue.id))
    if presence_rule:
        rules.insert(0, ("presence", presence_rule))
    return Assertion(presence, certainty, temporality, experiencer, tuple(rules))
