"""On which side and where a finding lies, and how large it is: what the report states against what is seen.

Severity is left out: no detector here states one, and the share of an image that a heat map covers is none.
"""

from collections.abc import Iterator

from overread.candidate import Candidate
from overread.detector_evidence import DetectorEvidence
from overread.discrepancy import DiscrepancyKind, Factor
from overread.finding import Vocabulary
from overread.observation import HeatMap, Presence, ReportObservation, Section
from overread.policy_tables import LocationOdds, SizeOdds
from overread.priority import LateralityRatios, Policy
from overread.report_position import ReportPosition, family_position

# Heights on a frontal chest radiograph at which a zone may show, as shares of the image from its top; wide,
# for the lungs do not fill every image alike. A zone that is missing here may lie anywhere.
_HEIGHTS: dict[str, tuple[float, float]] = {
    "apex": (0.0, 0.45),
    "upper lobe": (0.0, 0.6),
    "middle lobe": (0.35, 1.0),
    "lingula": (0.35, 1.0),
    "lower lobe": (0.35, 1.0),
    "base": (0.45, 1.0),
    "costophrenic": (0.5, 1.0),
    "retrocardiac": (0.4, 1.0),
}
_ZONED = frozenset({"lung", "pleura"})  # groups of findings that the zones speak of
_STRONG = 0.5  # of the strongest evidence; what is weaker does not say where
_RESTATING = frozenset({Section.IMPRESSION, Section.RECOMMENDATION, Section.ADDENDUM})


def conflicts_of(
    current: tuple[ReportObservation, ...], evidence: DetectorEvidence, policy: Policy, vocabulary: Vocabulary
) -> Iterator[Candidate]:
    """Yield the conflicts about a finding that the detector sees, where the report states one of its family.

    Args:
        current: what the report says of the present.
        evidence: of the detector for a finding that it sees.
        policy: how evidence is weighed.
        vocabulary: the findings.
    """
    position = family_position(current, evidence.finding, vocabulary)
    if position.presence is not Presence.PRESENT:
        return
    finding = vocabulary[evidence.finding]
    if is_on_the_other_side(current, evidence, vocabulary):
        yield _side(position, evidence, policy.laterality, finding.name)
    if finding.group in _ZONED:
        yield from _location(position, evidence, policy.tables.location, finding.name)
    yield from _size(position, evidence, policy.tables.size, finding.name)


def is_on_the_other_side(
    current: tuple[ReportObservation, ...], evidence: DetectorEvidence, vocabulary: Vocabulary
) -> bool:
    """Whether the detector sees a sided finding opposite to where the report states one of its family."""
    position = family_position(current, evidence.finding, vocabulary)
    return (
        evidence.is_seen
        and vocabulary[evidence.finding].sided
        and position.presence is Presence.PRESENT
        and position.laterality.contradicts(evidence.observation.laterality)
    )


def evidence_within(heat_map: HeatMap, heights: tuple[tuple[float, float], ...]) -> float | None:
    """Return the share of the strong evidence at any of these heights; None where the map shows nothing.

    Args:
        heat_map: of a whole frontal image, which is looked at upright.
        heights: pairs of shares of the image's height, from its top.
    """
    strongest = max((value for row in heat_map.values for value in row), default=0.0)
    if strongest <= 0:
        return None
    upright = heat_map.values
    for _ in range(heat_map.quarter_turns):
        upright = tuple(zip(*upright, strict=True))[::-1]
    inside = total = 0.0
    rows = len(upright)
    for number, row in enumerate(upright):
        strong = sum(value for value in row if value >= _STRONG * strongest)
        total += strong
        if any(top <= (number + 0.5) / rows <= bottom for top, bottom in heights):
            inside += strong
    return inside / total


def _side(
    position: ReportPosition, evidence: DetectorEvidence, ratios: LateralityRatios, name: str
) -> Candidate:
    stated, seen = position.laterality.lower(), evidence.observation.laterality.lower()
    sides = f"the report says {stated}, the detector looks at the {seen} side"
    return _conflict(
        DiscrepancyKind.LATERALITY_CONFLICT,
        evidence,
        position.observations,
        (
            Factor(name="prior", odds_ratio=ratios.prior_odds, reason="few reports name the wrong side"),
            Factor(name="side", odds_ratio=ratios.side_ratio, reason=sides),
        ),
        f"Side conflict: the report states {name} on the {stated}; the detector sees it on the {seen}.",
    )


def _location(
    position: ReportPosition, evidence: DetectorEvidence, odds: LocationOdds, name: str
) -> Iterator[Candidate]:
    placing = _placing(position.observations)
    zones = tuple(dict.fromkeys(zone for observation in placing for zone in observation.zones))
    heights = tuple(_HEIGHTS[zone] for zone in zones if zone in _HEIGHTS)
    if not heights or len(heights) < len(zones) or evidence.observation.heat_map is None:
        return
    share = evidence_within(evidence.observation.heat_map, heights)
    if share is None or share > odds.share_max:
        return
    place = " and ".join(zones)
    where = f"the report says {place}, where {share:.0%} of the detector's evidence lies"
    yield _conflict(
        DiscrepancyKind.LOCATION_CONFLICT,
        evidence,
        placing,
        (
            Factor(name="prior", odds_ratio=odds.prior_odds, reason="few reports name the wrong zone"),
            Factor(name="place", odds_ratio=odds.place_ratio, reason=where),
        ),
        f"Place conflict: the report puts {name} in the {place}; the detector sees it elsewhere.",
        benefit=odds.benefit,
    )


def _placing(observations: tuple[ReportObservation, ...]) -> tuple[ReportObservation, ...]:
    """Return those that say where; none where one says nothing of it, since it may be anywhere.

    What restates the findings, such as the impression, need not repeat the zone.
    """
    without = [item for item in observations if not item.zones and item.section not in _RESTATING]
    return () if without else tuple(item for item in observations if item.zones)


def _size(
    position: ReportPosition, evidence: DetectorEvidence, odds: SizeOdds, name: str
) -> Iterator[Candidate]:
    measured = tuple(item for item in position.observations if item.size_mm)
    stated = {max(item.size_mm) for item in measured}
    seen = max(evidence.observation.size_mm, default=0.0)
    if len(stated) != 1 or evidence.observation.finding not in {item.finding for item in measured}:
        return  # of several stated sizes, nobody knows which one the detector measured
    small, large = sorted((stated.pop(), seen))
    if small <= 0 or large / small < odds.times_min:
        return
    sizes = f"the report says {max(measured[0].size_mm):g} mm, the detector measures {seen:.0f} mm"
    yield _conflict(
        DiscrepancyKind.SIZE_OR_SEVERITY_CONFLICT,
        evidence,
        measured,
        (
            Factor(name="prior", odds_ratio=odds.prior_odds, reason="few stated sizes are far off"),
            Factor(name="measure", odds_ratio=odds.measure_ratio, reason=sizes),
        ),
        f"Size conflict: {name}; {sizes}.",
        benefit=odds.benefit,
    )


def _conflict(
    kind: DiscrepancyKind,
    evidence: DetectorEvidence,
    observations: tuple[ReportObservation, ...],
    factors: tuple[Factor, Factor],
    reason: str,
    *,
    benefit: float = 1.0,
) -> Candidate:
    """Return the candidate for a finding that report and detector both state, and state differently.

    Args:
        kind: of the conflict.
        evidence: of the detector, which sees the finding.
        observations: of the report, that state it.
        factors: how rarely reports err so, and what the difference is worth.
        reason: sentence for the second reader.
        benefit: share of the priority of a miss with the same odds.
    """
    said = f"the detector sees the finding (probability {evidence.observation.probability:.2g})"
    seen = Factor(name="detector", odds_ratio=max(1.0, evidence.ratio), reason=said)
    return Candidate(
        kind=kind,
        finding=evidence.finding,
        detector_observation=evidence.observation,
        report_observations=observations,
        factors=(*factors, seen),
        reason=reason,
        benefit=benefit,
    )
