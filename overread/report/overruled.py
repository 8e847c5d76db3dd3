"""Denials that a report takes back: "the lungs are clear" beside "small nodule at the left base".

What a normal statement denies is inferred, a whole group at once. It denies nothing that the report states
elsewhere on the same side. A denial by name stays: the report contradicts itself, and others must see it.
"""

from collections.abc import Iterable, Sequence

from overread.finding import ANY_ABNORMALITY, Actionable, Vocabulary
from overread.observation import Experiencer, Laterality, Presence, ReportObservation, Temporality

_ABSENT, _PATIENT = Presence.ABSENT, Experiencer.PATIENT
_GONE = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_INFERRED = ("denial:", "phrase:")  # how the rules of normal statements begin
_GENERAL = "term:unlisted_abnormality"  # rule of "no acute abnormality"


def without_overruled(
    observations: Sequence[ReportObservation], vocabulary: Vocabulary
) -> tuple[ReportObservation, ...]:
    """Return the observations without inferred denials of what is stated or considered all the same."""
    sides: dict[str, set[Laterality]] = {}
    for o in observations:
        if o.presence is not _ABSENT and o.temporality not in _GONE and o.experiencer is _PATIENT:
            sides.setdefault(o.finding, set()).add(o.laterality)
    if not sides or len(observations) == len(sides):
        return tuple(observations)
    return tuple(
        [o for o in observations if o.presence is not _ABSENT or not _is_overruled(o, sides, vocabulary)]
    )


def _is_overruled(
    denial: ReportObservation, sides: dict[str, set[Laterality]], vocabulary: Vocabulary
) -> bool:
    rule = denial.rules.get("finding", "")
    if not rule.startswith(_INFERRED):
        # "No acute abnormality" beside a pneumothorax is a contradiction for somebody to look at.
        if rule != _GENERAL or vocabulary[denial.finding].actionable is Actionable.MINUTES:
            return False
    if denial.finding == ANY_ABNORMALITY:
        return False
    stated = vocabulary.kinds_of(denial.finding) & sides.keys()
    return any(not _apart(denial.laterality, sides[finding]) for finding in stated)


def _apart(denied: Laterality, stated: Iterable[Laterality]) -> bool:
    return all(denied.contradicts(side) for side in stated)
