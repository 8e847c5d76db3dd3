"""Small observations for the tests of the domain; a field that a test does not speak of has a plain value."""

from overread.observation import (
    Detection,
    DetectorObservation,
    Laterality,
    ObserverIdentity,
    Presence,
    ReportObservation,
    ReportReading,
    Section,
    Span,
    Temporality,
)

DETECTOR = ObserverIdentity(name="detector", version="1")


def stated(
    finding: str,
    presence: Presence = Presence.PRESENT,
    *,
    laterality: Laterality = Laterality.UNSPECIFIED,
    section: Section = Section.FINDINGS,
    temporality: Temporality = Temporality.CURRENT,
) -> ReportObservation:
    return ReportObservation(
        finding=finding,
        presence=presence,
        laterality=laterality,
        certainty={Presence.PRESENT: 1.0, Presence.UNCERTAIN: 0.5}.get(presence, 0.0),
        span=Span(0, 4),
        sentence=Span(0, 9),
        section=section,
        temporality=temporality,
    )


def reading(*observations: ReportObservation) -> ReportReading:
    return ReportReading(observer=ObserverIdentity(name="reader", version="1"), observations=observations)


def seen(
    finding: str,
    probability: float = 0.6,
    *,
    prevalence: float | None = None,
    laterality: Laterality = Laterality.UNSPECIFIED,
) -> DetectorObservation:
    """What a detector with its operating point at one half states."""
    return DetectorObservation(
        finding=finding,
        presence=Presence.PRESENT if probability >= 0.5 else Presence.ABSENT,
        laterality=laterality,
        score=probability,
        probability=probability,
        prevalence=prevalence,
        sop_instance_uid="1.2.3",
    )


def detection(*observations: DetectorObservation) -> Detection:
    return Detection(detector=DETECTOR, operating_point="balanced", observations=observations)
