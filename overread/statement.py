"""What a report, taken as a whole, says about one finding."""

from collections.abc import Iterable
from dataclasses import dataclass

from overread.finding import Vocabulary
from overread.observation import Experiencer, Laterality, Presence, ReportObservation, Section, Temporality

_NOT_A_READING = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.SIGNATURE})
_NOT_THERE_NOW = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_STATED = frozenset({Presence.PRESENT, Presence.UNCERTAIN})
CHEST_GROUPS = frozenset({"lung", "pleura"})
"""Groups of findings among which one that is stated bears on one that is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The report's position on one finding, and the observations that it rests on."""

    finding: str
    presence: Presence
    laterality: Laterality  # of a stated finding; BILATERAL where both sides are named
    observations: tuple[ReportObservation, ...]  # those that decide `presence`, in order of the text
    beside: tuple[ReportObservation, ...] = ()  # stated findings of lung and pleura of other families


def current_observations(observations: Iterable[ReportObservation]) -> tuple[ReportObservation, ...]:
    """Return what the report says of the patient's present state, in order of the text.

    Indication, technique and comparison are no reading of this study; what is historical or of another person
    is not there now. A finding that is said to have resolved is a denial, and stays one.
    """
    return tuple(
        sorted(
            (
                observation
                for observation in observations
                if observation.section not in _NOT_A_READING
                and (observation.presence is Presence.ABSENT or observation.temporality not in _NOT_THERE_NOW)
                and observation.experiencer is Experiencer.PATIENT
            ),
            key=lambda observation: observation.span,
        )
    )


def statement_of(current: tuple[ReportObservation, ...], finding: str, vocabulary: Vocabulary) -> Statement:
    """Return what the report says about one finding.

    Any finding of its family states it: where a detector says consolidation and the report pneumonia or
    opacity, both speak of one shadow. A denial counts for the finding itself and for what is a kind of it (no
    opacity: no consolidation). One positive statement outweighs any number of denials, since a denial is
    often of one side or one zone.

    Args:
        current: what `current_observations` returned.
        finding: id in the vocabulary.
        vocabulary: with the relations between findings.
    """
    kinds = vocabulary.kinds_of(vocabulary.family_of(finding))
    stated = tuple(observation for observation in current if observation.presence in _STATED)
    presence, deciding = Presence.NOT_MENTIONED, _denials(current, finding, vocabulary)
    if deciding:
        presence = Presence.ABSENT
    for positive in (Presence.UNCERTAIN, Presence.PRESENT):
        about = tuple(item for item in stated if item.finding in kinds and item.presence is positive)
        if about:
            presence, deciding = positive, about
    return Statement(
        finding=finding,
        presence=presence,
        laterality=_side(deciding) if presence in _STATED else Laterality.UNSPECIFIED,
        observations=deciding,
        beside=tuple(
            item
            for item in stated
            if item.presence is Presence.PRESENT
            and item.finding not in kinds
            and vocabulary[item.finding].group in CHEST_GROUPS
        ),
    )


def _denials(
    current: tuple[ReportObservation, ...], finding: str, vocabulary: Vocabulary
) -> tuple[ReportObservation, ...]:
    return tuple(
        observation
        for observation in current
        if observation.presence is Presence.ABSENT and finding in vocabulary.kinds_of(observation.finding)
    )


def _side(observations: tuple[ReportObservation, ...]) -> Laterality:
    sides = {observation.laterality for observation in observations}
    if sides in ({Laterality.RIGHT}, {Laterality.LEFT}):
        return sides.pop()
    both = Laterality.BILATERAL in sides or {Laterality.RIGHT, Laterality.LEFT} <= sides
    return Laterality.BILATERAL if both else Laterality.UNSPECIFIED
