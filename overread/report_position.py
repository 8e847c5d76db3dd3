"""Position of a report, taken as a whole, on one finding."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from overread.finding import Vocabulary
from overread.observation import Experiencer, Laterality, Presence, ReportObservation, Section, Temporality

_NOT_A_READING = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.SIGNATURE})
_NOT_THERE_NOW = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_STATED = frozenset({Presence.PRESENT, Presence.UNCERTAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPosition:
    """The report's position on one finding, and the observations that it rests on."""

    finding: str
    presence: Presence
    laterality: Laterality  # of a stated finding; BILATERAL where both sides are named
    observations: tuple[ReportObservation, ...]  # those that decide `presence`, in order of the text
    related: tuple[ReportObservation, ...] = ()  # stated findings that may be the same shadow


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


def position_on(
    current: tuple[ReportObservation, ...], finding: str, vocabulary: Vocabulary
) -> ReportPosition:
    """Return what the report says about one finding.

    The finding itself and what is a kind of it state it: pneumonia is an opacity. A denial counts for the
    finding itself and for what is a kind of it (no opacity: no consolidation). One positive statement
    outweighs any number of denials, since a denial is often of one side or one zone. A related finding
    states nothing, but it may be another reader's word for the same shadow: see `Vocabulary.related_to`.

    Args:
        current: what `current_observations` returned.
        finding: id in the vocabulary.
        vocabulary: with the relations between findings.
    """
    related = vocabulary.related_to(finding)
    position = _position(current, finding, vocabulary.kinds_of(finding), vocabulary)
    return ReportPosition(
        finding=finding,
        presence=position.presence,
        laterality=position.laterality,
        observations=position.observations,
        related=tuple(
            item for item in current if item.presence is Presence.PRESENT and item.finding in related
        ),
    )


def family_position(
    current: tuple[ReportObservation, ...], finding: str, vocabulary: Vocabulary
) -> ReportPosition:
    """Return what the report says about the family of a finding: any finding of it states it.

    Where a detector says consolidation and the report pneumonia, both speak of one shadow: that it lies on
    the other side, or elsewhere, is a conflict about that shadow.
    """
    family = vocabulary.kinds_of(vocabulary.family_of(finding))
    return _position(current, finding, family, vocabulary)


def _position(
    current: tuple[ReportObservation, ...], finding: str, kinds: AbstractSet[str], vocabulary: Vocabulary
) -> ReportPosition:
    presence, deciding = Presence.NOT_MENTIONED, _denials(current, finding, vocabulary)
    if deciding:
        presence = Presence.ABSENT
    for positive in (Presence.UNCERTAIN, Presence.PRESENT):
        about = tuple(item for item in current if item.finding in kinds and item.presence is positive)
        if about:
            presence, deciding = positive, about
    return ReportPosition(
        finding=finding,
        presence=presence,
        laterality=_side(deciding) if presence in _STATED else Laterality.UNSPECIFIED,
        observations=deciding,
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
