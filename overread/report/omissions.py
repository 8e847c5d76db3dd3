"""Critical findings of the body that the impression, which is all that many people read, leaves out."""

import re
from collections.abc import Iterator, Sequence

from overread.finding import Actionable, Vocabulary
from overread.observation import (
    Contradiction,
    ContradictionKind,
    Experiencer,
    Presence,
    ReportObservation,
    Section,
    Span,
    Temporality,
)

_PRESENT, _ABSENT, _PATIENT = Presence.PRESENT, Presence.ABSENT, Experiencer.PATIENT
_BODY = frozenset({Section.LEAD, Section.FINDINGS})
_CONCLUDES = frozenset({Section.IMPRESSION, Section.ADDENDUM, Section.RECOMMENDATION})
_HAPPENING = frozenset({Temporality.CURRENT, Temporality.NEW, Temporality.LARGER})
_SLIGHT = frozenset({"minimal", "mild", "borderline", "small"})
_A_SIGN = frozenset({"mediastinal_widening"})  # that has many causes
_TRACE = frozenset({"minimal", "mild", "borderline"})
_BENIGN = frozenset({"granuloma", "granulomatous_disease"})
_HARMFUL, _SERIOUS = 4, 3  # clinical weights
_OFTEN_INCIDENTAL = frozenset({"foreign_body", "subcutaneous_emphysema", "bone_lesion", "mediastinal_shift"})
_SMALL_NODULE_MM = 6.0  # Fleischner Society 2017: no routine follow-up below it
_NODULES = frozenset({"nodule", "multiple_nodules", "lung_lesion"})
_REFERS = re.compile(
    r"\b(?:as above|see above|see findings|as described|as detailed|above findings|see body)\b"
)
_NORMAL = ("denial:", "phrase:", "term:unlisted_abnormality")  # rules that deny a group and name nothing


class OmissionFinder:
    """Finds what an impression leaves out. Immutable."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take the findings that an impression must name, by weight and urgency."""
        self._vocabulary = vocabulary
        self._names = {finding: _names_of(finding, vocabulary) for finding in vocabulary}
        self._critical = frozenset(
            f.id
            for f in vocabulary.values()
            if f.weight >= _HARMFUL or (f.weight >= _SERIOUS and f.actionable is Actionable.HOURS)
        ).difference(_OFTEN_INCIDENTAL)

    def find(
        self,
        lowered: str,
        positive: Sequence[ReportObservation],
        observations: Sequence[ReportObservation],
        sections: Sequence[tuple[Section, Span]],
    ) -> tuple[Contradiction, ...]:
        """Return one omission per family; none without an impression, or where it refers to the body.

        Args:
            lowered: the text in lower case.
            positive: the observations that are no denial.
            observations: all of them.
            sections: of the text.
        """
        critical = self._critical
        stated = [o for o in positive if o.finding in critical and o.presence is _PRESENT]
        if not stated:
            return ()
        spans = [span for section, span in sections if section is Section.IMPRESSION]
        candidates = [o for o in stated if self._is_plain(o)]
        if any(o.finding in _BENIGN and o.presence is not _ABSENT for o in observations):
            candidates = [o for o in candidates if o.finding not in _NODULES]
        if not spans or not candidates:
            return ()
        if any(_REFERS.search(lowered, span.start, span.end) for span in spans):
            return ()
        said = [o for o in observations if o.section in _CONCLUDES and not _is_general(o)]
        return tuple(self._omitted(candidates, said))

    def _is_plain(self, observation: ReportObservation) -> bool:
        """Whether a finding is stated in the body as a fact, of now, and as more than a trace."""
        if observation.section not in _BODY:
            return False
        if observation.experiencer is not _PATIENT or observation.temporality not in _HAPPENING:
            return False
        if observation.finding in _NODULES:
            small = observation.size_mm and max(observation.size_mm) < _SMALL_NODULE_MM
            return not small and (bool(observation.size_mm) or observation.severity not in _SLIGHT)
        urgent = self._vocabulary[observation.finding].actionable is Actionable.MINUTES
        return (urgent and observation.finding not in _A_SIGN) or observation.severity not in _TRACE

    def _omitted(
        self, candidates: Sequence[ReportObservation], said: Sequence[ReportObservation]
    ) -> Iterator[Contradiction]:
        """Yield the candidates that nothing in the conclusion speaks of."""
        named = frozenset().union(*[self._names[o.finding] for o in said])
        done: set[str] = set()
        for o in candidates:
            family = self._vocabulary.family_of(o.finding)
            if o.finding in named or family in done:
                continue
            done.add(family)
            yield Contradiction(
                kind=ContradictionKind.OMISSION,
                subject=o.finding,
                first=o.span,
                second=None,
                reason=f"{o.finding} is stated in the body and the impression says nothing of it",
            )


def _names_of(finding: str, vocabulary: Vocabulary) -> frozenset[str]:
    """Return the findings that are spoken of where one is: its family, and what the shadow may be called."""
    family = vocabulary.family_of(finding)
    return vocabulary.kinds_of(family) | vocabulary.mimics_of(finding) | {finding, family}


def _is_general(observation: ReportObservation) -> bool:
    rule = observation.rules.get("finding", "")
    return observation.presence is _ABSENT and rule.startswith(_NORMAL)
