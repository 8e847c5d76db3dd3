"""`triage()`: where a report and what the detectors see disagree, as one pure function.

Callers go by `overread.comparison.compare`, which brings the history and a second reading of the report.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from overread.candidate import Candidate, score
from overread.conflicts import conflicts_of, is_on_the_other_side
from overread.detector_evidence import DetectorEvidence, evidence_of
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.evidence import miss, overcall
from overread.finding import ANY_ABNORMALITY, Actionable, Vocabulary
from overread.observation import Detection, Presence, ReportObservation, ReportReading
from overread.priority import Policy, joint_priority, joint_probability
from overread.priors import NO_HISTORY, History, KnownBefore, set_known_aside
from overread.report_position import current_observations, position_on
from overread.reportcheck import checks_of
from overread.trigger import Trigger, triggers_of

_UNREAD = (
    "the report reader found no statement in this report: it may be in another language, "
    "or under headings that it does not know"
)


class Outcome(StrEnum):
    """Outcome of the triage of a case."""

    DISCREPANT = "DISCREPANT"
    CONCORDANT = "CONCORDANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"  # no detector is meant for this study, or its report could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageResult:
    """The conclusion about one case, with everything a second reader needs to argue with it."""

    outcome: Outcome
    priority: float  # 0 where there is nothing to look at, at most 100; orders the list, higher first
    actionable: Actionable  # category of the discrepancy that is most worth a look
    subspecialty: str | None  # who should look; None where nobody need
    discrepancies: tuple[Discrepancy, ...]  # strongest evidence first
    reasons: tuple[str, ...]  # sentences, the most important first
    policy_version: str
    known_before: tuple[KnownBefore, ...] = ()  # set aside, and not counted in anything above
    probability: float = 0.0  # that any of the discrepancies is confirmed, taken as independent events


def triage(
    reading: ReportReading,
    detections: Sequence[Detection],
    policy: Policy,
    vocabulary: Vocabulary,
    *,
    history: History = NO_HISTORY,
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
    """
    applicable = [detection for detection in detections if detection.not_applicable is None]
    candidates = (
        *_image_candidates(reading, applicable, policy, vocabulary),
        *checks_of(reading, policy, vocabulary),
    )
    found = _worth_listing(candidates, policy, vocabulary)
    news, known = set_known_aside(found, history, policy.tables.known_before, vocabulary)
    if news:
        return _listed(news, known, policy, vocabulary, remarks=(_UNREAD,) if reading.is_unread else ())
    if known:
        return _nothing(Outcome.CONCORDANT, ("an earlier report knows it already",), policy, known)
    if not applicable:
        reasons = tuple(f"{item.detector.name}: {item.not_applicable}" for item in detections)
        return _nothing(Outcome.NOT_APPLICABLE, reasons or ("no detector is configured",), policy)
    if reading.is_unread:
        return _nothing(Outcome.NOT_APPLICABLE, (_UNREAD,), policy)
    return _nothing(Outcome.CONCORDANT, ("no disagreement is likely enough to be listed",), policy)


def _worth_listing(
    candidates: Iterable[Candidate], policy: Policy, vocabulary: Vocabulary
) -> tuple[Discrepancy, ...]:
    """Return the candidates that are likely enough, with their place in the order."""
    scored = (score(candidate, policy, vocabulary) for candidate in candidates)
    found = tuple(item for item in scored if item is not None)
    if len(found) == 1:
        return found
    return tuple(
        item for item in found if item.finding != ANY_ABNORMALITY
    )  # what is abnormal is named already


def _image_candidates(
    reading: ReportReading, applicable: Sequence[Detection], policy: Policy, vocabulary: Vocabulary
) -> Iterator[Candidate]:
    """Yield where report and detectors may disagree, each finding at most once per kind."""
    current = current_observations(reading.observations)
    triggers = triggers_of(reading, policy.tables.triggers, vocabulary)
    detectors = [evidence_of(detection, policy) for detection in applicable]
    everything = [item for evidence in detectors for item in evidence]
    for finding in dict.fromkeys(item.finding for item in everything):
        about = sorted((item for item in everything if item.finding == finding), key=lambda item: -item.share)
        yield from _misses(current, about, triggers, policy, vocabulary)
    conflicts = (
        candidate
        for evidence in detectors
        for family in _families(evidence, vocabulary)
        for candidate in _conflicts(current, family, policy, vocabulary)
    )
    yield from _strongest(conflicts)


def _misses(
    current: tuple[ReportObservation, ...],
    about: Sequence[DetectorEvidence],
    triggers: Sequence[Trigger],
    policy: Policy,
    vocabulary: Vocabulary,
) -> Iterator[Candidate]:
    """Yield the miss of a finding that the report does not state, unless its side is what is wrong.

    Args:
        current: what the report says of the present.
        about: evidence of every detector for one finding, the strongest first.
        triggers: circumstances of the case.
        policy: how evidence is weighed.
        vocabulary: the findings.
    """
    strongest, *others = about
    position = position_on(current, strongest.finding, vocabulary)
    if position.presence is not Presence.PRESENT and not is_on_the_other_side(current, strongest, vocabulary):
        yield miss(position, strongest, others, triggers, policy, vocabulary)


def _conflicts(
    current: tuple[ReportObservation, ...],
    family: Sequence[DetectorEvidence],
    policy: Policy,
    vocabulary: Vocabulary,
) -> Iterator[Candidate]:
    """Yield how a stated finding may be wrong, by what one detector says of its family."""
    stated = [
        position
        for position in (position_on(current, item.finding, vocabulary) for item in family)
        if position.presence is Presence.PRESENT
    ]
    if stated:
        narrowest = min(stated, key=lambda item: len(vocabulary.kinds_of(item.finding)))
        candidate = overcall(narrowest, family, policy, vocabulary)
        if candidate is not None:
            yield candidate
    seen = [item for item in family if item.is_seen]
    if seen:
        yield from conflicts_of(current, max(seen, key=lambda item: item.ratio), policy, vocabulary)


def _families(
    evidence: Sequence[DetectorEvidence], vocabulary: Vocabulary
) -> tuple[tuple[DetectorEvidence, ...], ...]:
    families: dict[str, list[DetectorEvidence]] = {}
    for item in evidence:
        families.setdefault(vocabulary.family_of(item.finding), []).append(item)
    return tuple(tuple(family) for family in families.values())


def _strongest(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield the candidate with the highest odds of each kind and finding, whichever detector it is from."""
    strongest: dict[tuple[DiscrepancyKind, str], Candidate] = {}
    for candidate in candidates:
        key = (candidate.kind, candidate.finding)
        if key not in strongest or candidate.odds > strongest[key].odds:
            strongest[key] = candidate
    yield from strongest.values()


def _listed(
    found: tuple[Discrepancy, ...],
    known: tuple[KnownBefore, ...],
    policy: Policy,
    vocabulary: Vocabulary,
    *,
    remarks: tuple[str, ...],
) -> TriageResult:
    ordered = tuple(sorted(found, key=lambda item: (-item.odds, -item.priority, item.finding, item.kind)))
    most_worth = max(ordered, key=lambda item: item.priority)
    return TriageResult(
        outcome=Outcome.DISCREPANT,
        priority=joint_priority(item.priority for item in ordered),
        actionable=vocabulary[most_worth.finding].actionable,
        subspecialty=vocabulary[ordered[0].finding].subspecialty,
        discrepancies=ordered,
        reasons=(*remarks, *(reason for item in ordered for reason in item.reasons)),
        policy_version=policy.version,
        known_before=known,
        probability=joint_probability(item.called * item.probability for item in ordered),
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
