"""Where a report contradicts itself, or the patient it is about."""

from collections.abc import Iterable, Iterator, Sequence

from overread.finding import Vocabulary
from overread.observation import (
    Contradiction,
    ContradictionKind,
    Experiencer,
    Laterality,
    Presence,
    ReportObservation,
    ReportReading,
    Section,
    Span,
    Temporality,
)

# A member of an enumeration is looked up slowly, and these are needed for every observation.
_PRESENT, _ABSENT, _PATIENT = Presence.PRESENT, Presence.ABSENT, Experiencer.PATIENT
_IMPRESSION, _UNSPECIFIED = Section.IMPRESSION, Laterality.UNSPECIFIED
_BODY = frozenset({Section.LEAD, Section.FINDINGS})
_NOT_NOW = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_SIZES_DIFFER = 1.5  # one size this many times the other cannot be rounding
_PAIRED_SIDES = (Laterality.RIGHT, Laterality.LEFT)
_ADULT_YEARS = 18

_ONLY = {
    "M": ("uterus", "uterine", "ovary", "ovarian", "ovaries", "pregnant", "pregnancy"),
    "F": ("prostate",),
}
_CHILD = ("thymus", "thymic shadow", "open growth plates", "epiphyseal plates", "unfused")


def find_contradictions(
    observations: Sequence[ReportObservation], vocabulary: Vocabulary
) -> tuple[Contradiction, ...]:
    """Return where findings and impression disagree in presence, side or size of the same finding."""
    relevant = _may_differ(observations)
    if not relevant:
        return ()
    body: dict[str, list[ReportObservation]] = {}
    impression: dict[str, list[ReportObservation]] = {}
    for observation in [o for o in observations if o.finding in relevant]:
        if observation.presence is _ABSENT and not _by_name(observation):
            continue
        if observation.experiencer is _PATIENT and observation.temporality not in _NOT_NOW:
            part = impression if observation.section is _IMPRESSION else body
            if part is impression or observation.section in _BODY:
                part.setdefault(observation.finding, []).append(observation)
    found: list[Contradiction] = []
    for finding in body.keys() & impression.keys():
        first, second = body[finding], impression[finding]
        found.extend(_presence(finding, first, second))
        if vocabulary[finding].sided:
            found.extend(_side(finding, first, second))
        found.extend(_size(finding, first, second))
    return tuple(sorted(found, key=lambda item: (item.first, item.kind)))


def _may_differ(observations: Sequence[ReportObservation]) -> set[str]:
    """Return the findings worth a look: few reports have any, and none without two parts has."""
    late = [o.finding for o in observations if o.section is _IMPRESSION]
    if not late or len(late) == len(observations):
        return set()
    present = {o.finding for o in observations if o.presence is _PRESENT}
    if not present:
        return present
    return present.union([o.finding for o in observations if o.size_mm]).intersection(late)


def _by_name(observation: ReportObservation) -> bool:
    """Whether a finding is named, not only one of a group that a normal statement denies."""
    return observation.rules.get("finding", "").startswith(("term:", "composite:"))


def find_patient_contradictions(
    text: str, reading: ReportReading, *, sex: str | None, age_years: float | None
) -> tuple[Contradiction, ...]:
    """Return the words that contradict sex (DICOM Patient's Sex: M, F, O) or age; None where unknown.

    Only what was read as findings or impression counts: a history may well speak of relatives.
    """
    lowered = text.lower()
    found: list[Contradiction] = []
    for section, span in reading.sections:
        if section in _BODY or section is _IMPRESSION:
            found.extend(_words(lowered, span, _ONLY.get(sex or "", ()), ContradictionKind.SEX))
            if age_years is not None and age_years >= _ADULT_YEARS:
                found.extend(_words(lowered, span, _CHILD, ContradictionKind.AGE))
    return tuple(found)


def _presence(
    finding: str, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    """Yield a finding that one part states and the other denies by name, never only as one of a group."""
    for stating, denying in ((body, impression), (impression, body)):
        stated = [o for o in stating if o.presence is _PRESENT]
        denied = [o for o in denying if o.presence is _ABSENT]
        if stated and denied and not any(o.presence is _PRESENT for o in denying):
            first, second = sorted((stated[0].span, denied[0].span))
            reason = f"{finding} is stated in one part and denied in the other"
            yield Contradiction(
                kind=ContradictionKind.PRESENCE, subject=finding, first=first, second=second, reason=reason
            )


def _side(
    finding: str, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    first = [o for o in body if o.presence is _PRESENT and o.laterality is not _UNSPECIFIED]
    second = [o for o in impression if o.presence is _PRESENT and o.laterality is not _UNSPECIFIED]
    sides = {o.laterality for o in first}, {o.laterality for o in second}
    if first and second and all(len(side) == 1 for side in sides) and sides[0] != sides[1]:
        one, other = first[0], second[0]
        if one.laterality.contradicts(other.laterality):
            yield Contradiction(
                kind=ContradictionKind.SIDE,
                subject=finding,
                first=one.span,
                second=other.span,
                reason=f"{finding} is {one.laterality.value.lower()} in one part and "
                f"{other.laterality.value.lower()} in the other",
            )


def _size(
    finding: str, body: Sequence[ReportObservation], impression: Sequence[ReportObservation]
) -> Iterator[Contradiction]:
    """Yield sizes that differ where each part measures the finding once, on the same side."""
    first = [o for o in body if o.size_mm]
    second = [o for o in impression if o.size_mm]
    if len(first) != 1 or len(second) != 1 or first[0].laterality.contradicts(second[0].laterality):
        return
    small, large = sorted((max(first[0].size_mm), max(second[0].size_mm)))
    if small > 0 and large / small >= _SIZES_DIFFER:
        yield Contradiction(
            kind=ContradictionKind.SIZE,
            subject=finding,
            first=first[0].span,
            second=second[0].span,
            reason=f"{finding} measures {max(first[0].size_mm):g} mm in one part and "
            f"{max(second[0].size_mm):g} mm in the other",
        )


def _words(
    lowered: str, span: Span, words: Iterable[str], kind: ContradictionKind
) -> Iterator[Contradiction]:
    for word in words:
        place = lowered.find(word, span.start, span.end)
        if place >= 0:
            yield Contradiction(
                kind=kind,
                subject=word,
                first=Span(place, place + len(word)),
                second=None,
                reason=f"the text speaks of {word}, which does not fit the patient's {kind.value.lower()}",
            )
