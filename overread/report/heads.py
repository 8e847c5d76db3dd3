"""Findings that a sentence names: single terms, and states joined with their anatomy."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from overread.finding import Vocabulary
from overread.observation import Presence
from overread.report.lexicon import Found, Kind, Parts
from overread.report.nearness import TOO_FAR, Barriers, distance_between, head_nouns, is_crossed, noun_after
from overread.report.rules import ITSELF, NOTHING, SPECIFIC, UNLISTED, UNSPECIFIC, Composite, Denial, Rules

ANYTHING = "anything"
_FINDING, _STATE, _UNIT = (
    Kind.FINDING,
    Kind.STATE,
    Kind.UNIT,
)  # a member is looked up slowly, and these are needed often
_ABSENT = Presence.ABSENT
TIP = "tip"  # the state that stands for a device, unless the sentence names one
_NEAR = 3  # words; an anatomy this close before its base needs no verb
_VERB_APART = 2  # words between a noun and the verb that it is the subject of
_PARTNERS_APART = 5  # words between two anatomies of one list


class Head(NamedTuple):
    """One finding that the words of a mention name, or several that they deny."""

    finding: str
    rule: str
    denies: tuple[str, ...] = ()  # what is absent when the head is denied, or when it is a normal statement
    normal: bool = False  # a normal statement, which denies without a negation
    certainty: float = 1.0  # of the wording itself

    def stated(self, presence: Presence) -> tuple[str, ...]:
        """Return the findings that the head is about, given what the sentence says of it."""
        if self.denies and (self.normal or presence is _ABSENT):
            return self.denies
        return (self.finding,)


_NODE = "lymph_node"
_BELOW_THE_CHEST = frozenset({"organ", "abdomen", "head", "breast"})
_OF_NODES = frozenset({"lymphadenopathy", "calcified_lymph_node"})
NODE_HEAD = Head("lymphadenopathy", "node:named", certainty=0.5)
"""Nodes that are only mentioned; whether they are enlarged is for their size to say."""


class Mention(NamedTuple):
    """Words [start, end) of a sentence that name one finding or more: a "nodular opacity" is two."""

    start: int
    end: int
    heads: tuple[Head, ...]


class HeadFinder:
    """Finds the heads of a sentence. Immutable."""

    def __init__(self, rules: Rules) -> None:
        """Index the rules by what they pair."""
        self._composites: dict[tuple[str, str], Composite] = {
            (base, anatomy): rule
            for rule in rules.composites
            for base in rule.bases
            for anatomy in rule.anatomies
        }
        self._denials: dict[str, Denial] = {
            anatomy: rule for rule in rules.denials for anatomy in rule.anatomies
        }
        self._gates: dict[str, set[str]] = {}  # base -> anatomies that make another finding of it
        for (base, anatomy), rule in self._composites.items():
            if rule.finding != ITSELF:
                self._gates.setdefault(base, set()).add(anatomy)
        self._terms = {
            sense.rule: Head(sense.value, sense.rule, certainty=sense.certainty)
            for _, sense in rules.phrases
            if sense.kind is _FINDING and sense.value != UNLISTED
        }
        self._terms[SPECIFIC] = Head(UNLISTED, SPECIFIC)
        anything = self._denials[ANYTHING]
        self._terms_alone = self._terms | {
            sense.rule: Head(UNLISTED, sense.rule, (*anything.findings, UNLISTED))
            for _, sense in rules.phrases
            if sense.kind is _FINDING and sense.value == UNLISTED and sense.rule != SPECIFIC
        }
        self._alone = rules.alone
        self._devices = devices_of(rules.vocabulary)
        self._phrases: dict[str, Denial] = {rule.id: rule for rule in rules.denials if not rule.anatomies}

    def find(self, parts: Parts) -> tuple[Mention, ...]:
        """Return the mentions in the order of their words."""
        mentions = self._find(parts)
        if len(mentions) > 1 and UNSPECIFIC in [item.sense.rule for item in parts.bases]:
            return self._without_unspecific(mentions)
        return mentions

    def _without_unspecific(self, mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
        """Return the mentions without those of some device where another names it."""
        named = [m for m in mentions if m.heads[0].rule != UNSPECIFIC]
        if any(head.finding in self._devices for mention in named for head in mention.heads):
            return tuple(named)
        return mentions

    def _find(self, parts: Parts) -> tuple[Mention, ...]:
        if not parts.normals and not parts.phrases and not _has_node(parts.anatomies):
            if not parts.bases:
                return _measured(parts.grades) if parts.grades else ()
            if not parts.anatomies and not parts.states:
                return self._plain(parts.bases)
        return self._joined(parts)

    def _joined(self, parts: Parts) -> tuple[Mention, ...]:
        """Return the mentions of a sentence in which anatomy may make a finding of a word, or another one."""
        bases, normals = parts.bases, parts.normals
        anatomies = head_nouns(parts.anatomies) if parts.anatomies else []
        barriers = Barriers(parts)
        heads = self._of_bases(bases, anatomies, barriers)
        for item in normals:
            for start, end, head in self._denied(item, anatomies, (*bases, *normals), barriers):
                heads.setdefault((start, end), []).append(head)
        for item in parts.phrases:
            denial = self._phrases[item.sense.value]
            head = Head(UNLISTED, denial.id, denial.findings, normal=True)
            heads.setdefault((item.start, item.end), []).append(head)
        if not normals and not parts.phrases and _has_node(anatomies):
            for node in _nodes_alone(anatomies, bases, heads):
                heads[node.start, node.end] = [NODE_HEAD]
        places = sorted(heads) if len(heads) > 1 else heads
        return tuple([Mention(*place, tuple(heads[place])) for place in places])

    def _of_bases(
        self, bases: Sequence[Found], anatomies: Sequence[Found], barriers: Barriers
    ) -> dict[tuple[int, int], list[Head]]:
        """Return what findings and states name, by their place."""
        heads: dict[tuple[int, int], list[Head]] = {}
        present = {anatomy.sense.value for anatomy in anatomies} if anatomies else None
        for item in bases:
            start, end, sense = item
            head = self._terms.get(sense.rule)  # most name one finding whatever stands beside them
            if head is not None and (not present or present.isdisjoint(self._gates.get(sense.value, ()))):
                heads.setdefault((start, end), []).append(head)
            elif named := self._named(item, anatomies, bases, barriers):
                heads.setdefault((start, end), []).extend(named)
        return heads

    def _plain(self, terms: Sequence[Found]) -> tuple[Mention, ...]:
        """Return the mentions of a sentence in which nothing changes what its terms name."""
        if len(terms) == 1:
            start, end, sense = terms[0]
            return (Mention(start, end, (self._terms_alone[sense.rule],)),)
        heads: dict[tuple[int, int], list[Head]] = {}
        for start, end, sense in terms:  # in the order of their words
            heads.setdefault((start, end), []).append(self._terms_alone[sense.rule])
        return tuple([Mention(*place, tuple(named)) for place, named in heads.items()])

    def _named(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> Sequence[Head]:
        """Return what a base names, together with the anatomies if rules pair them."""
        if item.sense.kind is _STATE:
            anatomies, is_noun = self._described(item, anatomies, bases, barriers)
            if is_noun:
                return ()
        rules = self._composites_of(item, anatomies, bases, barriers)
        if not rules:
            return self._alone_or_term(item, anatomies, bases, barriers)
        heads: list[Head] = []
        for rule in rules:
            if rule.finding == ITSELF:
                heads.extend(self._alone_or_term(item, anatomies, bases, barriers))
            elif rule.finding != NOTHING:
                heads.append(Head(rule.finding, rule.id, certainty=rule.certainty))
        return heads

    def _described(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> tuple[Sequence[Found], bool]:
        """Return the anatomies that a state may be of, and whether it only describes a noun or a device."""
        if self._is_of_a_device(item, bases):
            return (), True
        noun = noun_after(item, bases, barriers.separators)
        if noun is None:
            return anatomies, False
        inside = [
            a for a in anatomies if noun.start <= a.start < noun.end
        ]  # it may still say something of them
        return inside, not any((item.sense.value, a.sense.value) in self._composites for a in inside)

    def _alone_or_term(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> Sequence[Head]:
        """Return what a base means without a rule for its anatomy."""
        if item.sense.kind is _STATE:
            finding = self._alone.get(item.sense.value)
            return (Head(finding, item.sense.rule),) if finding else ()
        return (self._term(item, anatomies, bases, barriers),)

    def _is_of_a_device(self, item: Found, bases: Sequence[Found]) -> bool:
        """Whether a "tip" is that of a device which the sentence names before it."""
        return item.sense.value == TIP and any(
            other.end <= item.start and other.sense.value in self._devices for other in bases
        )

    def _composites_of(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> list[Composite]:
        """Return the rules that pair a base with the nearest anatomy it can be paired with and its partners.

        "Enlarged cardiac and mediastinal contours" are two findings, each with its own anatomy.
        """
        nearest = None
        best = TOO_FAR
        for index, anatomy in enumerate(anatomies):
            pair = self._composites.get((item.sense.value, anatomy.sense.value))
            if pair is not None:
                distance = distance_between(item, anatomy, bases, barriers)
                if pair.not_over and is_crossed(item.end, anatomy.start, barriers.over):
                    continue
                if distance < best and (pair.within is None or distance <= pair.within):
                    nearest, best = index, distance
        if nearest is None:
            return []
        partners = [nearest]
        if len(anatomies) > 1:
            partners += _partners(nearest, anatomies, bases, barriers)
        pairs = (self._composites.get((item.sense.value, anatomies[i].sense.value)) for i in partners)
        return list({rule.finding: rule for rule in pairs if rule is not None}.values())

    def _term(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> Head:
        """Return what a term names; an unlisted abnormality denies what its anatomy could have."""
        if item.sense.value != UNLISTED or item.sense.rule == SPECIFIC:
            return self._terms[item.sense.rule]
        near = min(
            anatomies, key=lambda anatomy: distance_between(item, anatomy, bases, barriers), default=None
        )
        value = (
            near.sense.value if near and distance_between(item, near, bases, barriers) < _NEAR else ANYTHING
        )
        denial = self._denials.get(value)
        return Head(UNLISTED, item.sense.rule, (*(denial.findings if denial else ()), UNLISTED))

    def _denied(
        self, item: Found, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
    ) -> list[tuple[int, int, Head]]:
        """Return a denial for each subject of a normal predicate: "heart and lungs are normal" has two."""
        subjects = [
            a for a in anatomies if a.end <= item.start and not is_crossed(a.end, item.start, barriers.stops)
        ]
        last_base = max((other.end for other in bases if other.end <= item.start), default=0)
        subjects = [subject for subject in subjects if subject.start >= last_base]
        if last_base and len(subjects) > 1:  # "nodule in the left lung, liver unremarkable"
            comma = min((place for place in barriers.commas if place >= last_base), default=TOO_FAR)
            subjects = [subject for subject in subjects if subject.start > comma] or subjects
        if not subjects or _is_attributive(item, subjects, anatomies, barriers):
            after = [
                a
                for a in anatomies
                if item.end <= a.start <= item.end + _NEAR
                and not is_crossed(item.end, a.start, barriers.stops)
            ]
            subjects = _listed(after[:1], anatomies, bases, barriers)
            if not subjects:
                return self._contrasted(item, anatomies, barriers)
        return [
            (
                min(a.start, item.start),
                max(a.end, item.end),
                Head(UNLISTED, rule.id, rule.findings, normal=True, certainty=item.sense.certainty),
            )
            for a in subjects
            if (rule := self._denials.get(a.sense.value))
        ]

    def _contrasted(
        self, item: Found, anatomies: Sequence[Found], barriers: Barriers
    ) -> list[tuple[int, int, Head]]:
        """Return the denial of a second, normal predicate: "the lungs are hyperinflated but clear".

        How the lungs are hyperinflated is not what is said of it: the words between are none of it.
        """
        contrast = item.start - 1
        follows = contrast in barriers.stops or contrast in barriers.parts.links("and")
        subjects = [a for a in anatomies if a.end <= contrast] if follows else []
        if not subjects or is_crossed(subjects[-1].end, contrast, barriers.stops):
            return []
        rule = self._denials.get(subjects[-1].sense.value)
        certainty = item.sense.certainty
        return [(*item[:2], Head(UNLISTED, rule.id, rule.findings, True, certainty))] if rule else []


def _listed(
    first: Sequence[Found], anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
) -> list[Found]:
    """Return all of a list that a normal predicate stands before: "normal heart and lungs".

    Not what something else is said of: "normal heart, lungs are hyperinflated".
    """
    if not first:
        return []
    partners = [
        anatomies[index] for index in _partners(anatomies.index(first[0]), anatomies, bases, barriers)
    ]
    others = [other for other in partners if other.start > first[0].start]
    links = barriers.parts.links
    verbs = [*links("is"), *links("shows")] if others else ()
    if others and is_crossed(others[-1].end, others[-1].end + _VERB_APART, verbs):
        others.pop()
    return [*first, *others]


def _is_attributive(
    item: Found, subjects: Sequence[Found], anatomies: Sequence[Found], barriers: Barriers
) -> bool:
    """Whether a normal predicate is that of the noun after it: "the film shows clear lungs"."""
    if not any(anatomy.start == item.end for anatomy in anatomies):
        return False
    return subjects[-1].end != item.start and not is_crossed(
        item.start - 2, item.start, barriers.parts.links("is")
    )


def _partners(
    nearest: int, anatomies: Sequence[Found], bases: Sequence[Found], barriers: Barriers
) -> list[int]:
    """Return the anatomies that "and", "or" or a comma ties to one of them, on both sides of it."""
    found: list[int] = []
    joins = barriers.parts.joins()
    for step in (1, -1) if joins else ():
        index = nearest
        while 0 <= index + step < len(anatomies):
            first, second = anatomies[min(index, index + step)], anatomies[max(index, index + step)]
            gap = second.start - first.end
            if gap > _PARTNERS_APART or not is_crossed(first.end, second.start, joins):
                break
            if is_crossed(first.end, second.start, barriers.stops) or _is_modifier(
                anatomies[index + step], bases
            ):
                break
            if any(base.end > first.end and base.start < second.start for base in bases):
                break
            index += step
            found.append(index)
    return found


def _is_modifier(anatomy: Found, bases: Sequence[Found]) -> bool:
    """Whether an anatomy only describes the finding after it: the "hilar" of "hilar calcification"."""
    return any(base.start == anatomy.end for base in bases)


def _has_node(anatomies: Sequence[Found]) -> bool:
    return bool(anatomies) and _NODE in [item.sense.value for item in anatomies]


def _nodes_alone(
    anatomies: Sequence[Found], bases: Sequence[Found], heads: Mapping[tuple[int, int], Sequence[Head]]
) -> list[Found]:
    """Return the lymph nodes that a sentence only mentions: they are there, and may be small."""
    nodes = [item for item in anatomies if item.sense.value == _NODE]
    if any(item.sense.value in _BELOW_THE_CHEST for item in anatomies):
        return []
    if any(head.finding in _OF_NODES for named in heads.values() for head in named):
        return []
    return [
        node for node in nodes if not any(base.start < node.end and node.start < base.end for base in bases)
    ]


def _measured(grades: Sequence[Found]) -> tuple[Mention, ...]:
    """Return what a sentence measures without a name for it: "the largest measures 8 mm"."""
    units = [item for item in grades if item.sense.kind is _UNIT and item.start > 0]
    return tuple(
        [Mention(unit.start - 1, unit.end, (Head(UNLISTED, unit.sense.rule),)) for unit in units[:1]]
    )


def devices_of(vocabulary: Vocabulary) -> frozenset[str]:
    """Return the findings that are devices."""
    return frozenset(finding.id for finding in vocabulary.values() if finding.group == "device")
