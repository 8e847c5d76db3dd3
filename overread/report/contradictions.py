"""Contradictions inside a report: findings against impression, and two places of the body."""

from collections.abc import Iterable, Iterator, Sequence

from overread.finding import Vocabulary
from overread.observation import (
    Contradiction,
    ContradictionKind,
    Experiencer,
    Laterality,
    Presence,
    ReportObservation,
    Section,
    Temporality,
)

# A member of an enumeration is looked up slowly, and these are needed for every observation.
_PRESENT, _ABSENT, _PATIENT = Presence.PRESENT, Presence.ABSENT, Experiencer.PATIENT
_IMPRESSION, _UNSPECIFIED = Section.IMPRESSION, Laterality.UNSPECIFIED
_CURRENT, _NEW = Temporality.CURRENT, Temporality.NEW
_BODY = frozenset({Section.LEAD, Section.FINDINGS})
_NOT_NOW = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_SIZES_DIFFER = 1.5  # one size this many times the other cannot be rounding
_LOBES = frozenset({"upper lobe", "middle lobe", "lower lobe"})
_INFERRED = "denial:"  # how the rules of normal statements begin
_WHOLE = (
    "negation:no",
    "negation:evidence",
    "negation:free-of",
    "negation:not-seen",
)  # rules that leave nothing
_WORTH_INFERRING = 3  # clinical weight of what "the lungs are clear" contradicts
_VAGUE = frozenset({"opacity", "unlisted_abnormality", "any_abnormality", "fracture", "calcification"})


class ContradictionFinder:
    """Holds the places of a report against each other. Immutable."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Index the findings by family: two of one family may be one shadow."""
        self._vocabulary = vocabulary
        self._families = {finding: vocabulary.family_of(finding) for finding in vocabulary}

    def find(self, observations: Sequence[ReportObservation]) -> tuple[Contradiction, ...]:
        """Return the contradictions in the order of the text."""
        families = self._families
        stated = {families[o.finding] for o in observations if o.presence is _PRESENT}
        if not stated:
            return ()
        relevant = [o for o in observations if families[o.finding] in stated]
        if len(relevant) == len(stated):
            return ()
        body, impression = self._parts(relevant)
        found: list[Contradiction] = []
        for family, of_body in body.items():
            if len(of_body) > 1:
                found.extend(self._within(of_body))
            if family in impression:
                found.extend(self._between(of_body, impression[family]))
        return tuple(sorted(found, key=lambda item: (item.first, item.kind))) if found else ()

    def _parts(
        self, observations: Sequence[ReportObservation]
    ) -> tuple[dict[str, list[ReportObservation]], dict[str, list[ReportObservation]]]:
        """Return what body and impression say of the patient now, by family."""
        body: dict[str, list[ReportObservation]] = {}
        impression: dict[str, list[ReportObservation]] = {}
        families = self._families
        for o in observations:
            if o.experiencer is _PATIENT and o.temporality not in _NOT_NOW:
                if o.section is _IMPRESSION:
                    impression.setdefault(families[o.finding], []).append(o)
                elif o.section in _BODY:
                    body.setdefault(families[o.finding], []).append(o)
        return body, impression

    def _between(
        self, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
    ) -> Iterator[Contradiction]:
        """Yield what body and impression say differently of one family."""
        stated = [o for o in body if o.presence is _PRESENT]
        again = [o for o in impression if o.presence is _PRESENT]
        if len(stated) < len(body) or len(again) < len(impression):
            for finding in sorted({o.finding for o in body} & {o.finding for o in impression}):
                first = [o for o in body if o.finding == finding]
                second = [o for o in impression if o.finding == finding]
                yield from _presence(finding, first, second)
            if again and not stated:
                yield from self._inferred(body, again)
        if not stated:
            return
        if again and self._vocabulary[stated[0].finding].sided:
            yield from _side(stated, again)
        if [o for o in again if o.size_mm]:
            yield from _size(stated, again)

    def _inferred(
        self, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
    ) -> Iterator[Contradiction]:
        """Yield an impression that the body's normal statement denies: "lungs are clear", then pneumonia."""
        if any(o.presence is not _ABSENT for o in body):
            return
        denials = _first_by_finding(o for o in body if _is_plain_normal(o))
        for stated in impression:
            weighty = self._vocabulary[stated.finding].weight >= _WORTH_INFERRING
            if stated.temporality not in (_CURRENT, _NEW) or not weighty:
                continue
            denial = denials.get(stated.finding)
            if denial is not None and not denial.laterality.contradicts(stated.laterality):
                yield _contradiction(ContradictionKind.PRESENCE, stated.finding, denial, stated)
                return

    def _within(self, observations: Sequence[ReportObservation]) -> Iterator[Contradiction]:
        """Yield what the body states of a family at one place and denies by name at another, on that side."""
        denials = [o for o in observations if o.presence is _ABSENT and o.finding not in _VAGUE]
        if not denials:
            return
        stated = _first_by_finding(
            o for o in observations if o.presence is _PRESENT and o.temporality in (_CURRENT, _NEW)
        )
        for denial in denials:
            other = stated.get(denial.finding)
            if other is None or other.sentence == denial.sentence or not _is_whole(denial):
                continue
            if _same_side(denial, other):
                first, second = sorted((denial, other), key=lambda o: o.span)
                yield _contradiction(ContradictionKind.PRESENCE, denial.finding, first, second)
                return


def _first_by_finding(observations: Iterable[ReportObservation]) -> dict[str, ReportObservation]:
    """Return the first observation of each finding."""
    first: dict[str, ReportObservation] = {}
    for observation in observations:
        first.setdefault(observation.finding, observation)
    return first


def _same_side(denial: ReportObservation, stated: ReportObservation) -> bool:
    """Whether a denial covers the side of a statement; one of the right alone says nothing of no side."""
    if denial.laterality is _UNSPECIFIED or denial.laterality is Laterality.BILATERAL:
        return not denial.zones
    return denial.laterality is stated.laterality


def _is_whole(denial: ReportObservation) -> bool:
    """Whether a denial by name leaves nothing of the finding: no "no large", no "no other"."""
    rules = denial.rules
    return (
        rules.get("finding", "").startswith("term:")
        and rules.get("presence") in _WHOLE
        and denial.severity is None
        and not denial.size_mm
    )


def _is_plain_normal(denial: ReportObservation) -> bool:
    """Whether a normal statement denies without a reserve such as "otherwise"."""
    return denial.rules.get("finding", "").startswith(_INFERRED) and denial.certainty == 0


def _contradiction(
    kind: ContradictionKind, finding: str, first: ReportObservation, second: ReportObservation
) -> Contradiction:
    reason = f"{finding} is stated at one place and denied at the other"
    return Contradiction(kind=kind, subject=finding, first=first.span, second=second.span, reason=reason)


def _by_name(observation: ReportObservation) -> bool:
    """Whether a finding is named, not only one of a group that a normal statement denies."""
    return observation.rules.get("finding", "").startswith(("term:", "composite:", "node:", "count:"))


def _presence(
    finding: str, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    """Yield a finding that one part states and the other denies by name, never only as one of a group."""
    for stating, denying in ((body, impression), (impression, body)):
        stated = [o for o in stating if o.presence is _PRESENT]
        denied = [o for o in denying if o.presence is _ABSENT and _by_name(o)]
        if stated and denied and not any(o.presence is _PRESENT for o in denying):
            first, second = sorted((stated[0].span, denied[0].span))
            reason = f"{finding} is stated in one part and denied in the other"
            yield Contradiction(
                kind=ContradictionKind.PRESENCE, subject=finding, first=first, second=second, reason=reason
            )


def _side(
    body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    """Yield sides, or lobes of one side, of which each part names one only, and another one."""
    second = [o for o in impression if o.laterality is not _UNSPECIFIED and _has_own_side(o)]
    first = [o for o in body if o.laterality is not _UNSPECIFIED and _has_own_side(o)] if second else []
    if not first:
        return
    one, other = first[0], second[0]
    sides = {o.laterality for o in first}, {o.laterality for o in second}
    where: tuple[str, ...]
    if all(len(side) == 1 for side in sides) and one.laterality.contradicts(other.laterality):
        where = one.laterality.value.lower(), other.laterality.value.lower()
    else:
        lobes = {z for o in body for z in o.zones}, {z for o in impression for z in o.zones}
        if any(len(zones) != 1 or not zones <= _LOBES for zones in lobes) or lobes[0] == lobes[1]:
            return
        where = (*lobes[0], *lobes[1])
    yield Contradiction(
        kind=ContradictionKind.SIDE,
        subject=one.finding,
        first=one.span,
        second=other.span,
        reason=f"{one.finding} is {where[0]} in one part and {where[1]} in the other",
    )


def _has_own_side(observation: ReportObservation) -> bool:
    """Whether a side stands with the finding itself, not with another of the sentence."""
    return not observation.rules.get("laterality", "").startswith("share:")


def _size(
    body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    """Yield sizes that differ where each part measures the family once, on the same side."""
    first = {o.span: o for o in body if o.size_mm}
    second = {o.span: o for o in impression if o.size_mm}
    if len(first) != 1 or len(second) != 1:
        return
    one, other = next(iter(first.values())), next(iter(second.values()))
    if one.laterality.contradicts(other.laterality):
        return
    small, large = sorted((max(one.size_mm), max(other.size_mm)))
    if small > 0 and large / small >= _SIZES_DIFFER:
        yield Contradiction(
            kind=ContradictionKind.SIZE,
            subject=one.finding,
            first=one.span,
            second=other.span,
            reason=f"{one.finding} measures {max(one.size_mm):g} mm in one part and "
            f"{max(other.size_mm):g} mm in the other",
        )
