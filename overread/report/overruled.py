"""Denials that a report takes back: "the lungs are clear" beside "small nodule at the left base".

What a normal statement denies is inferred, a whole group at once. It denies nothing that the report states
elsewhere on the same side. A denial by name stays: the report contradicts itself, and others must see it.
"""

from collections.abc import Iterable, Sequence

from overread.finding import ANY_ABNORMALITY, Actionable, Vocabulary
from overread.observation import (
    Contradiction,
    Experiencer,
    Laterality,
    Presence,
    ReportObservation,
    Temporality,
)

_ABSENT, _PATIENT = Presence.ABSENT, Experiencer.PATIENT
_GONE = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_INFERRED = ("denial:", "phrase:")  # how the rules of normal statements begin
_GENERAL = "term:unlisted_abnormality"  # rule of "no acute abnormality"


class Overruling:
    """Takes inferred denials back. Immutable."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Index what each finding is a kind of."""
        self._kinds = {
            finding: vocabulary.kinds_of(finding) for finding in vocabulary if finding != ANY_ABNORMALITY
        }
        self._above = {
            finding: frozenset(broad for broad, kinds in self._kinds.items() if finding in kinds)
            for finding in vocabulary
        }
        self._urgent = frozenset(f.id for f in vocabulary.values() if f.actionable is Actionable.MINUTES)

    def without_overruled(
        self,
        observations: Sequence[ReportObservation],
        positive: Sequence[ReportObservation],
        contradictions: Sequence[Contradiction],
    ) -> tuple[ReportObservation, ...]:
        """Return the observations without inferred denials of what is stated or considered all the same.

        What a contradiction rests on stays. `positive` are those of the observations that are no denial.
        """
        if not positive or len(positive) == len(observations):
            return tuple(observations)
        sides: dict[str, set[Laterality]] = {}
        for o in positive:
            if o.temporality not in _GONE and o.experiencer is _PATIENT:
                sides.setdefault(o.finding, set()).add(o.laterality)
        kept = {(item.subject, span) for item in contradictions for span in (item.first, item.second)}
        touched = frozenset().union(*[self._above[finding] for finding in sides])
        return tuple(
            [
                o
                for o in observations
                if o.finding not in touched
                or o.presence is not _ABSENT
                or (o.finding, o.span) in kept
                or not self._is_overruled(o, sides)
            ]
        )

    def _is_overruled(self, denial: ReportObservation, sides: dict[str, set[Laterality]]) -> bool:
        rule = denial.rules.get("finding", "")
        # "No acute abnormality" beside a pneumothorax is a contradiction for somebody to look at.
        general = rule == _GENERAL and denial.finding not in self._urgent
        if not general and not rule.startswith(_INFERRED):
            return False
        stated = self._kinds[denial.finding] & sides.keys()
        return any(not _apart(denial.laterality, sides[finding]) for finding in stated)


def _apart(denied: Laterality, stated: Iterable[Laterality]) -> bool:
    return all(denied.contradicts(side) for side in stated)
