"""One value of each stored kind in which every field says something, and every kind of discrepancy occurs."""

from overread.appearance import EMBEDDING_SIZE, Appearance
from overread.discrepancy import Discrepancy, DiscrepancyKind, Factor
from overread.drift import Change
from overread.finding import Actionable
from overread.observation import (
    Communication,
    ContextItem,
    ContextKind,
    Contradiction,
    ContradictionKind,
    Detection,
    DetectorObservation,
    Experiencer,
    HeatMap,
    ImageRegion,
    Laterality,
    ObserverIdentity,
    Presence,
    Recommendation,
    ReportObservation,
    ReportReading,
    Section,
    Span,
    Temporality,
)
from overread.priors import KnownBefore
from overread.triage import Outcome, TriageResult
from service.store.drift import ChannelLook, DriftLook, Period
from tests.service.material import after

FINDING = "mass"


def whole_reading() -> ReportReading:
    """A reading with one of everything that a report reader can find."""
    words, sentence = Span(11, 15), Span(0, 40)
    return ReportReading(
        observer=ObserverIdentity(name="words", version="1", sha256="a" * 64),
        observations=(whole_report_observation(),),
        sections=((Section.FINDINGS, sentence),),
        recommendations=(
            Recommendation(
                action="CT",
                within_days=30.0,
                span=words,
                sentence=sentence,
                section=Section.RECOMMENDATION,
                rule="advice",
            ),
        ),
        communications=(
            Communication(
                time_of_day="10:15",
                span=words,
                sentence=sentence,
                section=Section.IMPRESSION,
                rule="told",
            ),
        ),
        contradictions=tuple(
            Contradiction(kind=kind, subject=FINDING, first=words, second=sentence, reason="two sides")
            for kind in ContradictionKind
        ),
        context=tuple(
            ContextItem(
                kind=kind,
                value="cough",
                presence=Presence.PRESENT,
                span=words,
                section=Section.INDICATION,
                rule="context",
            )
            for kind in ContextKind
        ),
        text_read_share=0.75,
        statements_left_out=3,
    )


def whole_report_observation() -> ReportObservation:
    """A statement of a report about a finding, with every attribute."""
    return ReportObservation(
        finding=FINDING,
        presence=Presence.UNCERTAIN,
        laterality=Laterality.RIGHT,
        certainty=0.5,
        span=Span(11, 15),
        sentence=Span(0, 40),
        section=Section.FINDINGS,
        temporality=Temporality.STABLE,
        experiencer=Experiencer.PATIENT,
        zones=("upper lobe",),
        severity="mild",
        count=1,
        size_mm=(12.0, 9.0),
        tip="right atrium",
        rules={"presence": "hedge"},
    )


def whole_detection(sop_instance_uid: str) -> Detection:
    """What a detector saw of one image, with boxes, a heat map and remarks."""
    box = ImageRegion(
        sop_instance_uid=sop_instance_uid, frame=0, column_min=1.0, row_min=1.0, column_max=5.0, row_max=6.0
    )
    observation = DetectorObservation(
        finding=FINDING,
        presence=Presence.PRESENT,
        laterality=Laterality.LEFT,
        score=0.9,
        probability=0.8,
        prevalence=0.1,
        sop_instance_uid=sop_instance_uid,
        regions=(box,),
        heat_map=HeatMap(region=box, values=((0.0, 0.5), (0.25, 1.0)), quarter_turns=1),
        size_mm=(11.0,),
    )
    return Detection(
        detector=ObserverIdentity(name="mean", version="1", sha256="0" * 64),
        operating_point="half",
        observations=(observation,),
        remarks=("one image was skipped",),
        out_of_distribution=0.25,
    )


def whole_appearance() -> Appearance:
    """What an image looked like, with everything that can be said."""
    return Appearance(
        view="PA",
        scanner="Maker One",
        rows=2048,
        columns=1792,
        bits=12,
        photometric="MONOCHROME1",
        quarter_turns=1,
        is_inverted=True,
        is_cut=True,
        measures={"mean": 0.5, "kilovolts": 125.0},
        embedding=tuple(float(number) for number in range(EMBEDDING_SIZE)),
    )


def whole_look() -> DriftLook:
    """A look at a window with an alarm in one channel, and nothing to compare in another."""
    change = Change(
        column="p50",
        reference=0.4,
        window=0.5,
        low=0.05,
        high=0.15,
        reference_units=200,
        window_units=100,
        p=0.001,
        is_alarm=True,
    )
    return DriftLook(
        look_id=1,
        reference=Period(start=after(-2_000_000), end=after(-1_000_000)),
        window=Period(start=after(-1_000_000), end=after(0)),
        looked_at=after(10_000),
        reference_cases=220,
        window_cases=110,
        false_alarms=0.002,
        channels=(
            ChannelLook(channel="pixels", is_alarm=True, changes=(change,)),
            ChannelLook(channel="scores", is_alarm=False, changes=()),
        ),
    )


def whole_result(detection: Detection, policy_version: str) -> TriageResult:
    """A conclusion with every kind of discrepancy, and one that was known before."""
    (seen,) = detection.observations
    discrepancies = tuple(
        Discrepancy(
            kind=kind,
            finding=FINDING,
            detector_observation=seen if position < 5 else None,
            report_observations=(whole_report_observation(),) if position else (),
            factors=(
                Factor(name="prior", odds_ratio=0.1, reason="one in ten"),
                Factor(name="other detectors", odds_ratio=2.0, reason="another sees it too"),
            ),
            odds=4.0 / (position + 1),
            priority=40.0 - position,
            reasons=(f"sentence {position}",),
            called=0.5,
        )
        for position, kind in enumerate(DiscrepancyKind)
    )
    known = KnownBefore(
        discrepancy=discrepancies[0],
        study_instance_uid="2.25.1",
        report_version=1,
        days_before=30.0,
        observation=whole_report_observation(),
    )
    return TriageResult(
        outcome=Outcome.DISCREPANT,
        priority=60.0,
        actionable=Actionable.DAYS,
        subspecialty="thoracic",
        discrepancies=discrepancies,
        reasons=("first sentence", "second sentence"),
        policy_version=policy_version,
        known_before=(known,),
        probability=0.6,
    )
