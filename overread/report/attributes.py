"""Side, zone, severity, number and size of the findings of a sentence."""

import re
from collections.abc import Iterable, Sequence

from overread.observation import Laterality
from overread.report.heads import Mention, devices_of
from overread.report.lexicon import Found, Kind, Parts
from overread.report.rules import UNLISTED, Rules
from overread.report.text import Words

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?$")
_TIMES = ("x", "by", "×")
_SIDE, _ZONE, _COUNT, _UNIT, _TIP = Kind.SIDE, Kind.ZONE, Kind.COUNT, Kind.UNIT, Kind.TIP
_SIDES = {side.value: side for side in Laterality}
_UNSPECIFIED, _BILATERAL = Laterality.UNSPECIFIED, Laterality.BILATERAL
# "Left greater than right" and "convex to the left" are about what stands before them.
_OF_WHAT_PRECEDES = frozenset({"place:uneven", "place:convex-right", "place:convex-left"})
_CURVES = frozenset({"place:convex-right", "place:convex-left"})  # the side of one thing only
_OF_THE_PAST = frozenset({"previously", "formerly", "from", "prior", "was"})
_BEFORE_A_LIMIT = frozenset({"below", "under", "exceeding", "exceed", "<"})
_LESS = frozenset({"less", "smaller", "lesser", "lower", "shorter"})
_JOINED = (
    4  # words between two findings that share their modifiers: "left base atelectasis or early infiltrate"
)
_ALTERNATIVES_APART = 2  # words; "mild scarring or atelectasis" is mild either way
_WITH_APART = 4  # words from "with" to a finding: "with a moderate effusion"
_AFTER = 3  # words between a finding and a severity that follows it: "the effusion is small"


class Attributes:
    """The attributes of one mention, filled in while the sentence is read; most stay as they are here."""

    laterality: Laterality = _UNSPECIFIED
    zones: tuple[str, ...] = ()
    severity: str | None = None
    count: int | None = None
    many: bool = False  # "several", "multiple"
    limited: bool = False  # said to be less than some size
    size_mm: tuple[float, ...] = ()
    tip: str | None = None
    rules: tuple[tuple[str, str], ...] = ()
    plural: bool = False  # both of a pair, as in "lower lobes"
    several: bool = False  # "effusions", of which each side has one

    def has_place(self) -> bool:
        """Whether a side or a zone is known."""
        return self.plural or bool(self.zones) or self.laterality is not _UNSPECIFIED

    def share_place(self, source: "Attributes", rule: str) -> None:
        """Take the place of another finding."""
        self.laterality, self.zones, self.plural = source.laterality, source.zones, source.plural
        self.rules = (*self.rules, ("laterality", rule))


class AttributeReader:
    """Gives each finding of a sentence its modifiers. Immutable."""

    def __init__(self, rules: Rules) -> None:
        """Take what the rules say of cues, and what the vocabulary says of findings."""
        cues, findings = rules.cues.values(), rules.vocabulary.values()
        self._separating = frozenset(cue.id for cue in cues if cue.presence or cue.dismiss)
        self._explaining = frozenset(cue.id for cue in cues if cue.explains)
        self._devices = devices_of(rules.vocabulary)
        self._in_chest = frozenset(finding.id for finding in findings if finding.group in ("lung", "pleura"))
        self._one_a_side = rules.one_a_side

    def read(self, words: Words, parts: Parts, mentions: Sequence[Mention]) -> list[Attributes]:
        """Return the attributes of each mention, in order."""
        results = [Attributes() for _ in mentions]
        places, others = parts.places, parts.grades
        if not places and not others:
            self._close(mentions, results, words)
            return results
        if len(mentions) == 1 and not others and not parts.stops:  # nothing to choose between
            _place(places, results[0], words)
            self._close(mentions, results, words)
            return results
        line = _Line(parts, mentions, self._separating)
        tips = {item.start for item in others if item.sense.kind is _TIP} if others else None
        for group in line.groups(places):
            owners = line.before(group[0].start) if group[0].sense.rule in _OF_WHAT_PRECEDES else []
            for index in owners or line.owners(group[0].start, group[-1].end):
                own = group
                if tips and results[index].laterality is not _UNSPECIFIED:
                    own = [
                        item for item in group if item.end not in tips
                    ]  # "tip in the left subclavian vein"
                _place(own, results[index], words)
        for item in others:
            self._apply(item, line, results, words)
        if len(mentions) > 1:
            line.share(results, self._in_chest)
            self._inherit(parts, mentions, results)
            line.complete(results)
        self._close(mentions, results, words)
        return results

    def _apply(self, item: Found, line: "_Line", results: Sequence[Attributes], words: Words) -> None:
        kind = item.sense.kind
        if kind is _UNIT:
            start = _start_of_size(item, words)
            before = words.surface[max(0, start - 2) : start]
            for index in line.owners(start, item.end) if not before or before[-1] not in _OF_THE_PAST else ():
                if before and _is_limit(before):
                    results[index].limited = True
                else:
                    results[index].size_mm += _sizes(item, words)
        elif kind is _TIP:
            _tip(item, line.device(item, self._devices), results)
        else:
            _grade(item, line.graded(item), results)

    def _inherit(self, parts: Parts, mentions: Sequence[Mention], results: Sequence[Attributes]) -> None:
        """Give an explanation the place of what it explains: "right base opacity, likely atelectasis"."""
        for item in parts.cues:
            if item.sense.value not in self._explaining:
                continue
            before = [index for index, mention in enumerate(mentions) if mention.end <= item.start]
            after = [index for index, mention in enumerate(mentions) if mention.start >= item.end]
            if before and after and not results[before[-1]].has_place() and results[after[0]].has_place():
                results[before[-1]].share_place(results[after[0]], item.sense.rule)
            for index in after if before and results[before[-1]].has_place() else ():
                if not results[index].has_place():
                    results[index].share_place(results[before[-1]], item.sense.rule)

    def _close(self, mentions: Sequence[Mention], results: Sequence[Attributes], words: Words) -> None:
        """Take a plural such as "bases" or "effusions" for both sides where no side is named."""
        for mention, result in zip(mentions, results, strict=True):
            if result.laterality is not _UNSPECIFIED:
                continue
            if result.plural:
                result.laterality = _BILATERAL
            elif mention.heads[0].finding in self._one_a_side:
                last = mention.end - 1
                result.several = words.surface[last].endswith("s") and _is_plural(last, words)


class _Line:
    """One sentence with its mentions in order, and what separates words from them."""

    def __init__(self, parts: Parts, mentions: Sequence[Mention], separating: frozenset[str]) -> None:
        self._mentions = mentions
        self._sided = parts.sided
        self._stops = parts.stops
        self._joins = parts.joins()
        self._partners = parts.links("partner")
        self._withs = parts.links("with")
        self._equals = [*parts.links("is"), *parts.links("shows")]
        self._prepositions = parts.links("in")
        cues = [item.start for item in parts.cues if item.sense.value in separating]
        self._separators = [*self._stops, *cues, *self._joins, *self._withs, *self._partners]

    def groups(self, places: Sequence[Found]) -> list[list[Found]]:
        """Return sides and zones in groups that no finding and no separator but "and" divides."""
        groups: list[list[Found]] = []
        for item in places:
            if groups and self._continues(groups[-1][-1], item):
                groups[-1].append(item)
            else:
                groups.append([item])
        return groups

    def _continues(self, last: Found, item: Found) -> bool:
        if item.start <= last.end:
            return True
        if any(last.start < mention.end <= item.start for mention in self._mentions):
            return False
        if item.start > last.end and any(
            mention.heads[0].normal and last.end < mention.start <= item.start < mention.end
            for mention in self._mentions
        ):
            return False  # "atelectasis on the left the lungs are normal"
        if item.start == last.end + 1 and last.end in self._joins and not self._leads(item.end):
            return True  # "in the middle lobe and the lingula"
        return item.start - last.end <= _JOINED and not _any(self._separators, last.end, item.start)

    def _leads(self, end: int) -> bool:
        """Whether a mention follows word `end` with nothing that separates them."""
        following = next((m.start for m in self._mentions if m.start >= end), None)
        return following is not None and not _any(self._separators, end, following)

    def before(self, start: int) -> list[int]:
        """Return the last mention before a word, as a list of one or none."""
        stops = self._stops
        before = [i for i, m in enumerate(self._mentions) if m.end <= start and not _any(stops, m.end, start)]
        return before[-1:]

    def owners(self, start: int, end: int) -> list[int]:
        """Return which mentions the modifiers at words [start, end) belong to."""
        for index, mention in enumerate(self._mentions):
            if mention.start < end and start < mention.end:
                return [self._stated_within(index)]
        stops = self._stops
        before = [i for i, m in enumerate(self._mentions) if m.end <= start and not _any(stops, m.end, start)]
        after = [i for i, m in enumerate(self._mentions) if m.start >= end and not _any(stops, end, m.start)]
        if not before and not after:  # "in the left base there is an opacity"
            after = [i for i, m in enumerate(self._mentions) if m.start >= end]
        if before and (not after or self._belongs_before(before[-1], start, end, after[0])):
            return before[-1:]
        return self._noun_phrase(after)

    def _stated_within(self, index: int) -> int:
        """Return the finding inside a normal statement: "clear hyperexpanded lungs"."""
        whole = self._mentions[index]
        for inner, mention in enumerate(self._mentions) if whole.heads[0].normal else ():
            if not mention.heads[0].normal and whole.start <= mention.start and mention.end <= whole.end:
                return inner
        return index

    def _noun_phrase(self, after: Sequence[int]) -> list[int]:
        """Return the next mention and those that follow it at once: "fibronodular scarring"."""
        taken = list(after[:1])
        for index in after[1:]:
            if self._mentions[index].start != self._mentions[taken[-1]].end:
                break
            taken.append(index)
        return taken

    def _belongs_before(self, first: int, start: int, end: int, second: int) -> bool:
        """Whether words between two mentions modify the first of them."""
        last_end, next_start = self._mentions[first].end, self._mentions[second].start
        apart_before = _any(self._separators, last_end, start)
        apart_after = _any(self._separators, end, next_start)
        if apart_before != apart_after:
            return apart_after
        tied = _any(self._prepositions, last_end, start)
        return tied and (not apart_before or start - last_end <= next_start - end)

    def graded(self, item: Found) -> int | None:
        """Return the mention that a severity or a number modifies: the next one, or the one just before."""
        for index, mention in enumerate(self._mentions):
            if mention.end > item.start:
                free = mention.start <= item.end or not _any(
                    self._separators, item.end, mention.start, but=self._joins
                )
                if free:
                    return index
                break
        before = [i for i, m in enumerate(self._mentions) if m.end <= item.start]
        if before and item.start - self._mentions[before[-1]].end <= _AFTER:
            return before[-1]
        return None

    def device(self, item: Found, devices: frozenset[str]) -> int | None:
        """Return the device whose tip is at a place: the last one before it, or the first."""
        known = [i for i, m in enumerate(self._mentions) if any(head.finding in devices for head in m.heads)]
        before = [index for index in known if self._mentions[index].start <= item.start]
        nearest = before[-1:] or known[:1]
        return nearest[0] if nearest else None

    def share(self, results: Sequence[Attributes], in_chest: frozenset[str]) -> None:
        """Let findings joined by "and", "or" or a comma share what stands before or after them all."""
        pairs = [(i, i + 1) for i in range(len(self._mentions) - 1) if self._joined(i, i + 1, in_chest)]
        for first, second in pairs:
            curved = any(rule in _CURVES for _, rule in results[first].rules)
            if not results[second].has_place() and results[first].has_place() and not curved:
                results[second].share_place(results[first], "share:before")
            if results[second].severity is None and self._are_alternatives(first, second):
                results[second].severity = results[first].severity
        for first in range(len(results) - 1):  # "extensive reticulonodular opacities"
            if results[first + 1].severity is None and self._touch(first, first + 1):
                results[first + 1].severity = results[first].severity
        for first, second in reversed(pairs):
            if not results[first].has_place() and results[second].has_place() and self._trails(second):
                results[first].share_place(results[second], "share:after")

    def complete(self, results: Sequence[Attributes]) -> None:
        """Let the words of one noun phrase, "calcific density nodules", have one place."""
        for first in range(len(results) - 1):
            second = first + 1
            normal = self._mentions[first].heads[0].normal or self._mentions[second].heads[0].normal
            if normal or not self._touch(first, second):
                continue
            if not results[first].has_place() and results[second].has_place():
                results[first].share_place(results[second], "share:noun-phrase")
            elif not results[second].has_place() and results[first].has_place():
                results[second].share_place(results[first], "share:noun-phrase")

    def _joined(self, first: int, second: int, in_chest: frozenset[str]) -> bool:
        start, end = self._mentions[first].end, self._mentions[second].start
        if _any(self._stops, start, end):
            return False
        if _any(self._partners, start, end) or self._elaborates(first, start, end):
            return True
        if self._is_with(end) and in_chest.issuperset(self._findings(first, second)):
            return True
        places = [item.end for item in self._sided if start <= item.start < end]
        return end - max([start, *places]) <= _JOINED and _any(self._joins, start, end)

    def _elaborates(self, first: int, start: int, end: int) -> bool:
        """Whether "with" says what an unlisted change is: "left apical change with pleural thickening"."""
        unlisted = any(head.finding == UNLISTED for head in self._mentions[first].heads)
        return unlisted and end - start == 1 and start in self._withs

    def _is_with(self, end: int) -> bool:
        """Whether "with" or "is" stands just before a finding: "left base opacity with mild atelectasis"."""
        return _any(self._withs, end - _WITH_APART, end) or _any(self._equals, end - 2, end)

    def _findings(self, *indexes: int) -> list[str]:
        return [head.finding for index in indexes for head in self._mentions[index].heads]

    def _touch(self, first: int, second: int) -> bool:
        return self._mentions[first].end == self._mentions[second].start

    def _are_alternatives(self, first: int, second: int) -> bool:
        return self._mentions[second].start - self._mentions[first].end <= _ALTERNATIVES_APART

    def _trails(self, index: int) -> bool:
        """Whether the place of a mention stands after it, and so may be that of its partners too."""
        end = self._mentions[index].end
        return any(item.start >= end for item in self._sided)


def _any(places: Iterable[int], start: int, end: int, *, but: Sequence[int] = ()) -> bool:
    for place in places:  # noqa: SIM110 # a generator costs more than the loop, and this runs most
        if start <= place < end and place not in but:
            return True
    return False


def _place(group: Sequence[Found], result: Attributes, words: Words) -> None:
    for item in group:
        _place_one(item, result, words)


def _place_one(item: Found, result: Attributes, words: Words) -> None:
    value = item.sense.value
    if item.sense.kind is _SIDE:
        side = _SIDES[value]
        known = result.laterality
        result.laterality = side if known in (_UNSPECIFIED, side) else _BILATERAL
        result.rules = (*result.rules, ("laterality", item.sense.rule))
        return
    if item.sense.kind is _ZONE and value not in result.zones:
        result.zones = (*result.zones, value)
        result.rules = (*result.rules, ("zones", item.sense.rule))
    if _is_plural(item.end - 1, words):
        result.plural = True


def _is_plural(index: int, words: Words) -> bool:
    word = words.surface[index]
    return (word != words.canonical[index] and word[-1] in "sia") or word in (
        "bases",
        "apices",
        "lungs",
        "hila",
    )


def _grade(item: Found, index: int | None, results: Sequence[Attributes]) -> None:
    if index is None:
        return
    result = results[index]
    if item.sense.kind is _COUNT:
        if item.sense.value == "many":
            result.many = True
        elif result.count is None and item.sense.value.isdigit():
            result.count = int(item.sense.value)
            result.rules = (*result.rules, ("count", item.sense.rule))
    elif result.severity is None:
        result.severity = item.sense.value
        result.rules = (*result.rules, ("severity", item.sense.rule))


def _tip(item: Found, index: int | None, results: Sequence[Attributes]) -> None:
    if index is not None and results[index].tip is None:
        results[index].tip = item.sense.value
        results[index].rules = (*results[index].rules, ("tip", item.sense.rule))


def _is_limit(before: Sequence[str]) -> bool:
    """Whether the words before a size make it what something stays below: "less than 1 cm"."""
    return before[-1] in _BEFORE_A_LIMIT or (before[-1] == "than" and before[0] in _LESS)


def _start_of_size(item: Found, words: Words) -> int:
    """Return where the numbers before a unit begin."""
    start = item.start
    while start > 0 and (_NUMBER.match(words.surface[start - 1]) or words.surface[start - 1] in _TIMES):
        start -= 1
    return start


def _sizes(item: Found, words: Words) -> tuple[float, ...]:
    """Return the numbers that end at a unit, in mm: "2 x 3 cm" are two."""
    factor = float(item.sense.value)
    numbers = words.surface[_start_of_size(item, words) : item.start]
    return tuple(
        round(float(number.replace(",", ".")) * factor, 3) for number in numbers if number[0].isdigit()
    )
