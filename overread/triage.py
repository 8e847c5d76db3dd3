"""`triage()`: the one pure function that the online worker and the offline audit both call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from overread.conflict import conflicts_of
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.earlier import NO_HISTORY, History, KnownBefore, set_known_aside
from overread.evidence import agreement, odds_of, weigh
from overread.finding import ANY_ABNORMALITY, Actionable, Finding, Vocabulary
from overread.ground import price
from overread.observation import (
    Detection,
    DetectorObservation,
    Laterality,
    Presence,
    ReportReading,
)
from overread.priority import Policy, joint_priority, least_odds, priority
from overread.reportcheck import checks_of
from overread.sighting import Expected, Sighting, sightings_of
from overread.statement import Statement, current_observations, statement_of
from overread.trigger import Trigger, triggers_of

ExpectedByDetector = Mapping[str, Mapping[str, Expected]]
NOTHING_EXPECTED: ExpectedByDetector = MappingProxyType({})


class Outcome(StrEnum):
    """What triage concluded about a case."""

    DISCREPANT = "DISCREPANT"
    CONCORDANT = "CONCORDANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"  # no detector is meant for this study; its report is sound by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageResult:
    """The conclusion about one case, with everything a second reader needs to argue with it."""

    outcome: Outcome
    priority: float  # 0 where there is nothing to look at, at most 100; orders the list, higher first
    actionable: Actionable  # most urgent category among the discrepancies
    subspecialty: str | None  # who should look; None where nobody need
    discrepancies: tuple[Discrepancy, ...]  # highest priority first
    reasons: tuple[str, ...]  # sentences, the most important first
    policy_version: str
    known_before: tuple[KnownBefore, ...] = ()  # set aside, and not counted in anything above


def triage(
    reading: ReportReading,
    detections: Sequence[Detection],
    policy: Policy,
    vocabulary: Vocabulary,
    *,
    history: History = NO_HISTORY,
    expected: ExpectedByDetector = NOTHING_EXPECTED,
) -> TriageResult:
    """Compare what the report states with what the detectors see and order what disagrees.

    What an earlier report in `history` knows already is set aside, visibly. The same arguments always give
    the same result: no clock, no randomness, no state.

    Args:
        reading: what the report states.
        detections: of every detector that looked at the study.
        policy: how evidence is weighed.
        vocabulary: the findings.
        history: earlier reports of the patient.
        expected: by name of the detector and family, what the site's own past reports let one expect.
    """
    applicable = [detection for detection in detections if detection.not_applicable is None]
    checked = (price(ground, policy, vocabulary) for ground in checks_of(reading, policy, vocabulary))
    found = (
        *_against_images(reading, applicable, expected, policy, vocabulary),
        *(item for item in checked if _is_listed(item, policy, vocabulary)),
    )
    news, known = set_known_aside(found, history, policy.assumptions.known_before, vocabulary)
    if news:
        return _listed(news, known, policy, vocabulary)
    if known:
        return _nothing(Outcome.CONCORDANT, ("an earlier report knows it already",), policy, known)
    if not applicable:
        reasons = tuple(f"{item.detector.name}: {item.not_applicable}" for item in detections)
        return _nothing(Outcome.NOT_APPLICABLE, reasons or ("no detector is configured",), policy)
    return _nothing(Outcome.CONCORDANT, ("report and detector agree",), policy)


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """What bears on a discrepancy besides the report's statement and one detector's sighting."""

    triggers: Sequence[Trigger]
    others: Sequence[Sighting]  # what other detectors say of the family


def _against_images(
    reading: ReportReading,
    applicable: Sequence[Detection],
    expected: ExpectedByDetector,
    policy: Policy,
    vocabulary: Vocabulary,
) -> tuple[Discrepancy, ...]:
    """Return where report and detectors disagree, each family at most once per kind."""
    current = current_observations(reading.observations)
    triggers = triggers_of(reading, policy.assumptions.triggers, vocabulary)
    strongest: dict[tuple[str, DiscrepancyKind], Discrepancy] = {}
    sightings = [
        sighting
        for detection in applicable
        for sighting in sightings_of(detection, vocabulary, expected.get(detection.detector.name, {}))
    ]
    for sighting in sightings:
        others = [item for item in sightings if item.family == sighting.family and item is not sighting]
        circumstances = _Circumstances(triggers=triggers, others=others)
        statement = statement_of(current, sighting.named.finding, vocabulary)
        for found in _discrepancies(statement, sighting, circumstances, policy, vocabulary):
            key = (sighting.family, found.kind)
            if key not in strongest or found.odds > strongest[key].odds:
                strongest[key] = found
    if len(strongest) > 1:  # what is abnormal is named already
        strongest.pop((ANY_ABNORMALITY, DiscrepancyKind.POSSIBLE_MISS), None)
    return tuple(strongest.values())


def _discrepancies(
    statement: Statement,
    sighting: Sighting,
    circumstances: "_Circumstances",
    policy: Policy,
    vocabulary: Vocabulary,
) -> Iterator[Discrepancy]:
    finding = vocabulary[sighting.named.finding]
    for kind in _kinds(statement, sighting, finding, policy):
        factors = weigh(kind, statement, sighting, policy)
        if kind is DiscrepancyKind.POSSIBLE_MISS:
            factors += tuple(item.factor for item in circumstances.triggers if item.concerns(finding.id))
        factors += agreement(kind, circumstances.others, policy)
        odds = odds_of(factors)
        if odds >= least_odds(sighting.family, kind, policy):
            yield Discrepancy(
                kind=kind,
                finding=finding.id,
                detector_observation=sighting.named,
                report_observations=statement.observations,
                factors=factors,
                odds=odds,
                priority=_benefit(kind, policy) * priority(odds, vocabulary[sighting.family], policy),
                reasons=(_headline(kind, finding, statement, sighting.named),),
            )
    for ground in conflicts_of(statement, sighting, policy, vocabulary):
        conflict = price(ground, policy, vocabulary)
        if _is_listed(conflict, policy, vocabulary):
            yield conflict


def _is_listed(found: Discrepancy, policy: Policy, vocabulary: Vocabulary) -> bool:
    return found.odds >= least_odds(vocabulary.family_of(found.finding), found.kind, policy)


def _kinds(
    statement: Statement, sighting: Sighting, finding: Finding, policy: Policy
) -> Iterator[DiscrepancyKind]:
    seen = sighting.is_seen
    stated = statement.presence is Presence.PRESENT
    if not stated and (seen or sighting.expected is not None):  # what is expected needs no threshold
        yield DiscrepancyKind.POSSIBLE_MISS
    if stated and not seen and sighting.ratio <= policy.overcall.maximum_ratio:
        yield DiscrepancyKind.POSSIBLE_OVERCALL
    if seen and stated and finding.sided and statement.laterality.contradicts(sighting.named.laterality):
        yield DiscrepancyKind.LATERALITY_CONFLICT


def _benefit(kind: DiscrepancyKind, policy: Policy) -> float:
    return policy.overcall.benefit if kind is DiscrepancyKind.POSSIBLE_OVERCALL else 1.0


def _headline(
    kind: DiscrepancyKind, finding: Finding, statement: Statement, observation: DetectorObservation
) -> str:
    where = (
        ""
        if observation.laterality is Laterality.UNSPECIFIED
        else f", {observation.laterality.value.lower()}"
    )
    if kind is DiscrepancyKind.POSSIBLE_MISS:
        said = {
            Presence.ABSENT: "the report denies it",
            Presence.NOT_MENTIONED: "the report does not mention it",
            Presence.UNCERTAIN: "the report only considers it",
        }[statement.presence]
        sees = "sees" if observation.presence is Presence.PRESENT else "gives reason to expect"
        return f"Possible miss: the detector {sees} {finding.name}{where}; {said}."
    if kind is DiscrepancyKind.POSSIBLE_OVERCALL:
        return f"Possible overcall: the report states {finding.name}; the detector sees little sign of it."
    return (
        f"Side conflict: the report states {finding.name} on the {statement.laterality.value.lower()}; "
        f"the detector sees it on the {observation.laterality.value.lower()}."
    )


def _listed(
    found: tuple[Discrepancy, ...], known: tuple[KnownBefore, ...], policy: Policy, vocabulary: Vocabulary
) -> TriageResult:
    ordered = tuple(sorted(found, key=lambda item: (-item.priority, item.finding, item.kind)))
    urgency = list(Actionable)
    return TriageResult(
        outcome=Outcome.DISCREPANT,
        priority=joint_priority(item.priority for item in ordered),
        actionable=min((vocabulary[item.finding].actionable for item in ordered), key=urgency.index),
        subspecialty=vocabulary[ordered[0].finding].subspecialty,
        discrepancies=ordered,
        reasons=tuple(reason for item in ordered for reason in item.reasons),
        policy_version=policy.version,
        known_before=known,
    )


def _nothing(
    outcome: Outcome, reasons: tuple[str, ...], policy: Policy, known: tuple[KnownBefore, ...] = ()
) -> TriageResult:
    return TriageResult(
        outcome=outcome,
        priority=0.0,
        actionable=Actionable.NONE,
        subspecialty=None,
        discrepancies=(),
        reasons=reasons,
        policy_version=policy.version,
        known_before=known,
    )
