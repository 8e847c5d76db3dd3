"""Errors of a report by itself: contradictions, missing recommendations and missing communications.

Nothing here needs an image. Each rule is narrow on purpose: a list that cries wolf hides the misses. A
reading without sections comes from no text, such as from mined labels: what it lacks says nothing.
"""

from collections.abc import Iterator

from overread.candidate import Candidate
from overread.discrepancy import DiscrepancyKind, Factor
from overread.finding import Actionable, Vocabulary
from overread.observation import (
    ContextKind,
    Contradiction,
    ContradictionKind,
    Presence,
    ReportObservation,
    ReportReading,
    Section,
    Span,
    Temporality,
)
from overread.policy_tables import CommunicationOdds, ContradictionOdds, FollowUpOdds
from overread.priority import Policy
from overread.report_position import current_observations

_WORTH_A_LOOK = 2  # clinical weight
_HAPPENING = frozenset({Temporality.CURRENT, Temporality.NEW, Temporality.LARGER})
_SLIGHT = frozenset({"minimal", "mild", "borderline"})
_GENERAL = frozenset({"opacity", "unlisted_abnormality", "any_abnormality"})  # words that fit too much
_NORMAL = "term:unlisted_abnormality"  # rule of "no acute abnormality", which denies much at once
_PARTIAL = frozenset(  # rules of denials that leave something: "not well seen", "no large effusion"
    {"negation:not-seen", "negation:doubtful"}
)
_NO_ACTION = frozenset({"clinical correlation"})  # asks for nothing that would follow a finding
_BENIGN = frozenset({"granuloma", "granulomatous_disease", "nipple_shadow", "calcification"})
_MALIGNANT = frozenset({"malignancy", "metastasis"})
_EXPECTED = frozenset({ContextKind.OPERATION, ContextKind.DEVICE})
_TREATED = frozenset({"chest_tube"})


def checks_of(reading: ReportReading, policy: Policy, vocabulary: Vocabulary) -> Iterator[Candidate]:
    """Yield what a report gets wrong by itself: contradictions by finding, each omission at most once."""
    tables = policy.tables
    yield from _contradictions(reading, tables.findings_impression, vocabulary)
    if reading.sections:
        yield from _follow_up(reading, tables.missing_follow_up, vocabulary)
        yield from _communication(reading, tables.missing_communication, vocabulary)


def _contradictions(
    reading: ReportReading, odds: ContradictionOdds, vocabulary: Vocabulary
) -> Iterator[Candidate]:
    done: set[str] = set()
    for contradiction in reading.contradictions:
        halves = _halves(reading, contradiction, vocabulary)
        finding = vocabulary.get(contradiction.subject)
        if finding is None or finding.id in done or finding.weight < _WORTH_A_LOOK:
            continue
        if contradiction.kind is not ContradictionKind.OMISSION and not _is_plain(contradiction, halves):
            continue
        if finding.actionable is not Actionable.MINUTES and _denied_by_rule(halves, _NORMAL):
            continue  # "no acute abnormality" goes with all but the most urgent
        done.add(finding.id)
        reason = contradiction.reason.replace(finding.id, finding.name)
        yield Candidate(
            kind=DiscrepancyKind.FINDINGS_IMPRESSION_CONFLICT,
            finding=finding.id,
            report_observations=halves,
            factors=(Factor(name="contradiction", odds_ratio=odds.odds, reason=reason),),
            reason=f"Findings against impression: {reason}.",
            benefit=odds.benefit,
        )


def _halves(
    reading: ReportReading, contradiction: Contradiction, vocabulary: Vocabulary
) -> tuple[ReportObservation, ...]:
    """Return the observations at the two places, the first in the text first; of its family where need be."""
    spans = {contradiction.first, contradiction.second}
    family: frozenset[str] = frozenset()
    if contradiction.subject in vocabulary:
        family = vocabulary.kinds_of(vocabulary.family_of(contradiction.subject))
    found: dict[Span, ReportObservation] = {}
    for observation in reading.observations:
        if observation.span not in spans or observation.finding not in family:
            continue
        if observation.span not in found or observation.finding == contradiction.subject:
            found[observation.span] = observation
    return tuple(found[span] for span in sorted(found))


def _is_plain(contradiction: Contradiction, halves: tuple[ReportObservation, ...]) -> bool:
    """Whether the two places really speak of one thing in the same words."""
    if len(halves) < 2:
        return False
    if contradiction.kind is not ContradictionKind.PRESENCE:
        return True
    if contradiction.subject in _GENERAL:
        return False
    denials = [item for item in halves if item.presence is Presence.ABSENT]
    stated = [item for item in halves if item.presence is Presence.PRESENT]
    return (
        all(_is_whole(item) for item in denials)
        and all(item.temporality in _HAPPENING | {Temporality.STABLE} for item in stated)
        and not any(one.laterality.contradicts(other.laterality) for one in denials for other in stated)
    )


def _is_whole(denial: ReportObservation) -> bool:
    """Whether a denial leaves nothing of the finding; a normal impression does for what is urgent."""
    if denial.rules.get("finding") == _NORMAL:
        return True
    return denial.severity is None and denial.rules.get("presence") not in _PARTIAL


def _denied_by_rule(halves: tuple[ReportObservation, ...], rule: str) -> bool:
    return any(item.presence is Presence.ABSENT and item.rules.get("finding") == rule for item in halves)


def _follow_up(reading: ReportReading, odds: FollowUpOdds, vocabulary: Vocabulary) -> Iterator[Candidate]:
    current = current_observations(reading.observations)
    recommended = any(item.action not in _NO_ACTION for item in reading.recommendations)
    open_ones = [item for item in current if item.finding in odds.findings and _wants_follow_up(item, odds)]
    if recommended or not open_ones or _is_explained(reading, current):
        return
    leading = max(open_ones, key=lambda item: (item.certainty, vocabulary[item.finding].weight))
    if not _is_happening(current, leading, vocabulary):
        return
    finding = vocabulary[leading.finding]
    said = "states" if leading.presence is Presence.PRESENT else "considers"
    factors = [
        Factor(
            name="follow-up",
            odds_ratio=odds.odds,
            reason=f"the report {said} {finding.name} and recommends nothing, where guidelines follow it",
        )
    ]
    if leading.presence is Presence.UNCERTAIN:
        hedged = "what a report only considers is often nothing"
        factors.append(Factor(name="hedged", odds_ratio=odds.hedged_ratio, reason=hedged))
    yield Candidate(
        kind=DiscrepancyKind.MISSING_FOLLOW_UP,
        finding=finding.id,
        report_observations=tuple(open_ones),
        factors=tuple(factors),
        reason=f"Missing follow-up: the report {said} {finding.name} and recommends nothing.",
        benefit=odds.benefit,
    )


def _wants_follow_up(observation: ReportObservation, odds: FollowUpOdds) -> bool:
    """Whether it is stated or considered, large enough as far as it is measured, and more than a texture.

    "Reticulonodular" suggests a nodule and means none; a "nodular opacity" of 8 mm may be one.
    """
    if observation.size_mm:
        small = max(observation.size_mm) < odds.size_mm_min
        return observation.presence is not Presence.ABSENT and not small
    named = observation.rules.get("finding", "term:").startswith("term:")
    return observation.presence is Presence.PRESENT or (observation.presence is Presence.UNCERTAIN and named)


def _is_explained(reading: ReportReading, current: tuple[ReportObservation, ...]) -> bool:
    """Whether the report itself says why nothing need follow: it is benign, or the cancer is known."""
    positive = [item for item in reading.observations if item.presence is not Presence.ABSENT]
    if any(item.finding in _BENIGN for item in positive):
        return True
    if any(item.finding in _MALIGNANT and item.presence is Presence.PRESENT for item in current):
        return True
    return any(
        item.kind is ContextKind.KNOWN_CANCER and item.presence is not Presence.ABSENT
        for item in reading.context
    )


def _is_happening(
    current: tuple[ReportObservation, ...], leading: ReportObservation, vocabulary: Vocabulary
) -> bool:
    """Whether nothing in the report calls a finding, or another of its family, old or better."""
    kinds = vocabulary.kinds_of(vocabulary.family_of(leading.finding))
    stated = (item for item in current if item.finding in kinds and item.presence is not Presence.ABSENT)
    return all(item.temporality in _HAPPENING for item in stated)


def _communication(
    reading: ReportReading, odds: CommunicationOdds, vocabulary: Vocabulary
) -> Iterator[Candidate]:
    current = current_observations(reading.observations)
    if reading.communications or _is_expected(reading, current):
        return
    urgent = tuple(
        item
        for item in current
        if item.finding in odds.findings and _is_urgent(item) and _is_happening(current, item, vocabulary)
    )
    if not urgent:
        return
    finding = max(
        (vocabulary[item.finding] for item in urgent), key=lambda one: one.weight
    )  # one call tells all
    reason = f"the report states {finding.name}, to be told within {finding.actionable}, but no call"
    yield Candidate(
        kind=DiscrepancyKind.MISSING_COMMUNICATION,
        finding=finding.id,
        report_observations=urgent,
        factors=(Factor(name="communication", odds_ratio=odds.odds, reason=reason),),
        reason=f"Missing communication: {finding.name} should be told within {finding.actionable}; "
        "the report does not say that anybody was told.",
        benefit=odds.benefit,
    )


def _is_urgent(observation: ReportObservation) -> bool:
    return (
        observation.presence is Presence.PRESENT
        and observation.temporality in _HAPPENING
        and observation.severity not in _SLIGHT
        and observation.section is not Section.RECOMMENDATION
    )


def _is_expected(reading: ReportReading, current: tuple[ReportObservation, ...]) -> bool:
    """Whether whoever ordered the study knows already: after an operation, with a tube, by the indication."""
    if any(item.finding in _TREATED and item.presence is Presence.PRESENT for item in current):
        return True
    known = {item.value for item in reading.context if item.kind is ContextKind.KNOWN_DISEASE}
    return bool(known & {"pneumothorax"}) or any(item.kind in _EXPECTED for item in reading.context)
