"""Findings that earlier reports of the patient make known: no news to a second reader unless changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.finding import Actionable, Vocabulary
from overread.observation import Presence, ReportObservation, ReportReading, Temporality
from overread.policy_tables import KnownRule
from overread.report_position import current_observations

_KNOWN = frozenset({Temporality.STABLE, Temporality.CHRONIC})
_MAY_BE_KNOWN = frozenset(
    {DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.MISSING_FOLLOW_UP, DiscrepancyKind.MISSING_COMMUNICATION}
)
_MAY_WAIT = frozenset({Actionable.DAYS, Actionable.NONE})  # what is urgent is never taken for known
_CHANGED = frozenset({Temporality.NEW, Temporality.LARGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReading:
    """The report of an earlier study of the same patient, as it was read."""

    study_instance_uid: str
    report_version: int  # that was read, and that its spans refer to
    days_before: float  # this study
    reading: ReportReading


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Knowledge of the patient from earlier studies and reports."""

    earlier: tuple[EarlierReading, ...] = ()  # in any order
    restored: frozenset[str] = frozenset()  # findings of which a person said that they are no old news


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBefore:
    """A discrepancy that is off the list because an earlier report knew the finding."""

    discrepancy: Discrepancy
    study_instance_uid: str  # of the earlier study
    report_version: int
    days_before: float
    observation: ReportObservation  # what the earlier report states; spans refer to that report


NO_HISTORY = History()


def set_known_aside(
    found: Iterable[Discrepancy], history: History, rule: KnownRule, vocabulary: Vocabulary
) -> tuple[tuple[Discrepancy, ...], tuple[KnownBefore, ...]]:
    """Return the discrepancies that are news, and those that an earlier report calls stable or chronic.

    The latest earlier report that speaks of the finding, or of its family, decides. Nothing is set aside that
    is urgent, that this report denies or calls new or larger, that lies on the other side, or that a person
    brought back.
    """
    recent = sorted(
        (item for item in history.earlier if 0 <= item.days_before <= rule.days_max),
        key=lambda item: item.days_before,
    )
    news: list[Discrepancy] = []
    known: list[KnownBefore] = []
    for discrepancy in found:
        before = _known_before(discrepancy, recent, history, vocabulary)
        if before is None:
            news.append(discrepancy)
        else:
            known.append(before)
    return tuple(news), tuple(known)


def _known_before(
    discrepancy: Discrepancy, recent: list[EarlierReading], history: History, vocabulary: Vocabulary
) -> KnownBefore | None:
    finding = vocabulary[discrepancy.finding]
    if (
        discrepancy.kind not in _MAY_BE_KNOWN
        or finding.actionable not in _MAY_WAIT
        or finding.id in history.restored
        or any(_is_news(observation) for observation in discrepancy.report_observations)
    ):
        return None
    kinds = vocabulary.kinds_of(vocabulary.family_of(finding.id))
    for earlier in recent:
        about = [item for item in current_observations(earlier.reading.observations) if item.finding in kinds]
        if about:
            return _as_known(discrepancy, earlier, about)
    return None


def _as_known(
    discrepancy: Discrepancy, earlier: EarlierReading, about: list[ReportObservation]
) -> KnownBefore | None:
    """Return what the earlier report knew; None if it speaks of a change, or of the other side only."""
    stated = [item for item in about if item.presence is Presence.PRESENT]
    stable = [
        item
        for item in stated
        if item.temporality in _KNOWN and not item.laterality.contradicts(discrepancy.laterality)
    ]
    if not stable or any(item.temporality in _CHANGED for item in stated):
        return None
    return KnownBefore(
        discrepancy=discrepancy,
        study_instance_uid=earlier.study_instance_uid,
        report_version=earlier.report_version,
        days_before=earlier.days_before,
        observation=stable[0],
    )


def _is_news(observation: ReportObservation) -> bool:
    return observation.presence is Presence.ABSENT or observation.temporality in _CHANGED
