"""Scope of cues: the findings of a sentence that each cue reaches, and its effect on them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from overread.observation import Experiencer, Presence, Temporality
from overread.report.heads import Head, Mention
from overread.report.lexicon import Found, Kind, Parts
from overread.report.rules import Cue

_DENIED = 0.15
AS_A_FACT = 0.85
"""Certainty from which a finding is PRESENT."""

# Which of two words about time decides: "history of stable effusion" is history.
_RANK: dict[Temporality, int] = {time: rank for rank, time in enumerate(Temporality, start=1)}
_RANK[Temporality.CURRENT], _RANK[Temporality.CHRONIC] = -1, 0
_ALTERNATIVES_APART = 7  # words between two findings of which one is meant
_ABSENT, _CURRENT, _PATIENT = Presence.ABSENT, Temporality.CURRENT, Experiencer.PATIENT
_REMEMBERED_ASSERTIONS = 4096  # there are few kinds of head, and few cues reach one
_HISTORICAL = Temporality.HISTORICAL
_CHANGES = frozenset({Temporality.NEW, Temporality.LARGER, Temporality.SMALLER})
_NO_REACH = ("inside", "alone")
_OWN = (Kind.SEVERITY, Kind.COUNT, Kind.SIDE)  # of a finding, and not of the list before it
_BEYOND = 1_000_000  # words; no sentence is longer
_AT_ONCE = 1  # words between a verb and the finding that it is about
_JOINED = 4  # words between a finding and the next one that is joined to it by "and", "or" or a comma


class Assertion(NamedTuple):
    """Presence, certainty, time and experiencer that a sentence gives to one head."""

    presence: Presence = Presence.PRESENT
    certainty: float = 1.0
    temporality: Temporality = Temporality.CURRENT
    experiencer: Experiencer = Experiencer.PATIENT
    rules: tuple[tuple[str, str], ...] = ()


ALTERNATIVE = Cue(
    id="certainty:alternative", direction="either", reach="next", presence=Presence.UNCERTAIN, certainty=0.5
)
"""What "or" and "versus" do to the findings on both sides, unless both are denied."""


class Scopes:
    """Applies cues to findings. Immutable."""

    def __init__(self, cues: Mapping[str, Cue]) -> None:
        """Take the cues by id."""
        self._cues = cues

    def cue(self, item: Found) -> Cue:
        """Return the cue that words are."""
        return self._cues[item.sense.value]

    def is_change(self, item: Found) -> bool:
        """Whether a cue says that something is not what it was."""
        return self._cues[item.sense.value].temporality in _CHANGES

    def cues(self, parts: Parts, mentions: Sequence[Mention]) -> list[list[Cue]]:
        """Return the cues that reach each mention, in the order of their words."""
        reached: list[list[Cue]] = [[] for _ in mentions]
        if parts.cues:
            self._apply(parts, mentions, reached)
        if len(mentions) > 1:
            for first, second in _alternatives(parts.links("or"), mentions):
                if any(cue.lists for cue in reached[first] if cue in reached[second]):
                    continue
                reached[first].append(ALTERNATIVE)
                reached[second].append(ALTERNATIVE)
        return reached

    def _apply(self, parts: Parts, mentions: Sequence[Mention], reached: Sequence[list[Cue]]) -> None:
        stops = parts.stops
        stops_and_with = [*stops, *parts.links("with")]
        joins = frozenset(parts.joins())
        for item in parts.cues:
            cue = self._cues[item.sense.value]
            ends = stops
            if cue.ends_at_with:
                changes = [other.start for other in parts.cues if self.is_change(other)]
                ends = [*stops_and_with, *_new_statements(parts, item, mentions, changes)]
            for index in _reach(cue, item, mentions, ends, (joins, parts)):
                reached[index].append(cue)

    def inner(self, found: Sequence[Found], *, alone: bool) -> list[Cue]:
        """Return the cues of time inside a concept; some count only where it is `alone` in its sentence."""
        cues = [self._cues[item.sense.value] for item in found if item.sense.kind is Kind.CUE]
        inside = {"inside", "alone"} if alone else {"inside"}
        past = Temporality.HISTORICAL
        return [
            cue
            for cue in cues
            if cue.temporality is past and (cue.direction in inside or cue.direction == "forward")
        ]


def _new_statements(
    parts: Parts, cue: Found, mentions: Sequence[Mention], changes: Sequence[int]
) -> Iterator[int]:
    """Yield the commas after a denial behind which something else begins: "no mass, small left effusion".

    A finding with a grade, a number, a side or a change of its own is no further item of the list, unless
    "or" says so.
    """
    commas = [place for place in parts.links("comma") if place >= cue.end]
    last_or = max(parts.links("or"), default=-1)
    if not commas:
        return
    own = [item.start for item in (*parts.grades, *parts.sided) if item.sense.kind in _OWN]
    own.extend(changes)
    for comma in commas:
        following = min((mention.start for mention in mentions if mention.start > comma), default=None)
        if following is not None and last_or < comma and any(comma < place < following for place in own):
            yield comma


def _alternatives(choices: Sequence[int], mentions: Sequence[Mention]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of mentions that "or" makes alternatives of each other: "atelectasis or scarring"."""
    for place in choices:
        before = [i for i, mention in enumerate(mentions) if mention.end <= place]
        after = [i for i, mention in enumerate(mentions) if mention.start > place]
        if before and after and mentions[after[0]].start - mentions[before[-1]].end <= _ALTERNATIVES_APART:
            yield before[-1], after[0]


def _reach(
    cue: Cue,
    item: Found,
    mentions: Sequence[Mention],
    stops: Sequence[int],
    joining: tuple[frozenset[int], Parts],
) -> list[int]:
    """Return the mentions that a cue reaches; `joining`: where words make a list, and of what sentence."""
    joins, parts = joining
    if cue.direction in _NO_REACH:
        return []
    after = _after(item, mentions, stops) if cue.direction != "backward" else []
    if cue.direction == "near":
        near = [i for i in after if mentions[i].start - item.end <= _AT_ONCE]
        if near:
            return _limited(cue, near, mentions, joins)
    if cue.direction == "forward" or (after and cue.direction == "either"):
        return _limited(cue, after, mentions, joins)
    stop = max((place for place in stops if place < item.start), default=-1)
    before = [i for i, mention in enumerate(mentions) if stop < mention.start and mention.end <= item.start]
    if cue.direction == "verb" and not before:
        return _limited(cue, after, mentions, joins)
    if cue.reach == "clause" and len(before) > 1:
        before = _listed(before, mentions, joins, joins.difference(parts.links("comma")))
    return _limited(cue, before[::-1], mentions, joins)


def _after(item: Found, mentions: Sequence[Mention], stops: Sequence[int]) -> list[int]:
    stop = min((place for place in stops if item.end <= place), default=_BEYOND)
    return [i for i, mention in enumerate(mentions) if item.end <= mention.start < stop]


def _listed(
    before: list[int], mentions: Sequence[Mention], joins: frozenset[int], lists: frozenset[int]
) -> list[int]:
    """Return the last mentions that are one list: of "cardiomegaly, effusion not excluded" the effusion."""
    kept = [before[-1]]
    is_list = False
    for index in before[-2::-1]:
        gap = range(mentions[index].end, mentions[kept[-1]].start)
        is_list = is_list or any(place in lists for place in gap)
        if not is_list and any(place in joins for place in gap):
            break
        kept.append(index)
    return kept[::-1]


def _limited(cue: Cue, indexes: list[int], mentions: Sequence[Mention], joins: frozenset[int]) -> list[int]:
    """Return how many of the mentions, nearest first, a cue reaches."""
    if cue.reach == "next":
        return _joined(indexes, mentions, joins)
    return indexes[:1] if cue.reach == "one" else indexes


def _joined(indexes: list[int], mentions: Sequence[Mention], joins: frozenset[int]) -> list[int]:
    """Return the first mention and those that "and", "or" or a comma ties to it closely."""
    kept = indexes[:1]
    for index in indexes[1:]:
        first, second = sorted((mentions[kept[-1]], mentions[index]), key=lambda mention: mention.start)
        gap = range(first.end, second.start)
        if len(gap) > _JOINED or not any(place in joins for place in gap):
            break
        kept.append(index)
    return kept


def assert_head(head: Head, cues: Sequence[Cue]) -> Assertion:
    """Return what the cues make of a head: any denial wins, else the least certain hedge."""
    if head.normal or head.certainty < 1:
        certainty = round(1 - head.certainty, 3) if head.normal else head.certainty
        return _asserted(head.rule, certainty, *cues)
    return _asserted("", 1.0, *cues)


@lru_cache(maxsize=_REMEMBERED_ASSERTIONS)
def _asserted(deciding: str, certainty: float, *cues: Cue) -> Assertion:
    """Return what cues make of what a wording says by itself, by the rule `deciding` if any."""
    rules: list[tuple[str, str]] = []
    presence = _stated(certainty)
    temporality, experiencer = _CURRENT, _PATIENT
    time_rule: tuple[tuple[str, str], ...] = ()
    weak = [cue for cue in cues if cue.yields]
    if weak and any(cue.temporality not in (None, _HISTORICAL) for cue in cues):
        cues = tuple(cue for cue in cues if not cue.yields)
    for cue in cues:
        if cue.presence is not None and _outweighs(cue, presence, certainty):
            presence, deciding = cue.presence, cue.id
            certainty = _certainty(cue)
        if cue.temporality is not None and _RANK[cue.temporality] > _RANK[temporality]:
            temporality = cue.temporality
            time_rule = (("temporality", cue.id),)
        if cue.experiencer is not None:
            experiencer = cue.experiencer
            rules.append(("experiencer", cue.id))
    if presence is not Presence.ABSENT and any(cue.dismiss for cue in cues):
        presence = Presence.NOT_MENTIONED
    if deciding:
        rules.insert(0, ("presence", deciding))
    return Assertion(presence, certainty, temporality, experiencer, (*rules, *time_rule))


def _stated(certainty: float) -> Presence:
    if certainty <= _DENIED:
        return Presence.ABSENT
    return Presence.PRESENT if certainty >= AS_A_FACT else Presence.UNCERTAIN


def _certainty(cue: Cue) -> float:
    if cue.certainty is not None:
        return cue.certainty
    return 0.0 if cue.presence is Presence.ABSENT else 1.0


def _outweighs(cue: Cue, presence: Presence, certainty: float) -> bool:
    if presence is Presence.ABSENT:
        return False
    return cue.presence is Presence.ABSENT or _certainty(cue) < certainty
