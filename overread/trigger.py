"""Circumstances in which a finding is more easily missed, as second-opinion services look for them.

A trigger is no sign of a finding; it nudges the odds of a miss that a detector gives reason for. Its findings
are data (`data/triggers.toml`), its ratios are the policy's.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from overread.discrepancy import Factor
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import (
    ContextItem,
    ContextKind,
    Presence,
    ReportObservation,
    ReportReading,
)
from overread.policy_tables import TriggerRatios
from overread.report_position import current_observations

_HEDGE_CERTAINTY_MAX = 0.5  # "possible", "cannot exclude"; "likely" is an opinion
_WORTH_STATING = 2  # clinical weight; what weighs less makes a report neither abnormal nor complex
_CORRELATION = "clinical correlation"
_SURGICAL = frozenset({ContextKind.OPERATION, ContextKind.DEVICE})


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerTables:
    """Words of an indication with the findings that they ask for; tables for cancer and operations."""

    questions: Mapping[str, frozenset[str]]  # word -> findings, with all that is a kind of them
    cancer: frozenset[str]
    operation: frozenset[str]
    still_to_come: frozenset[str]
    rare: frozenset[str]
    rare_words: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One circumstance of a case."""

    factor: Factor
    findings: frozenset[str] | None  # whose miss it makes more likely; None for any

    def concerns(self, finding: str) -> bool:
        """Whether it makes a miss of this finding more likely."""
        return self.findings is None or finding in self.findings


@cache
def load_triggers() -> TriggerTables:
    """Return the tables that come with overread."""
    table = tomllib.loads((files("overread") / "data" / "triggers.toml").read_text(encoding="utf-8"))
    vocabulary = load_vocabulary()
    questions: dict[str, frozenset[str]] = {}
    for question in table["question"]:
        asked = _with_kinds(question["findings"], vocabulary)
        for word in question["words"]:
            questions[word] = questions.get(word, frozenset()) | asked
    return TriggerTables(
        questions=questions,
        cancer=_with_kinds(table["cancer"]["findings"], vocabulary),
        operation=_with_kinds(table["operation"]["findings"], vocabulary),
        still_to_come=frozenset(table["operation"]["still_to_come"]),
        rare=_with_kinds(table["rare"]["findings"], vocabulary),
        rare_words=frozenset(table["rare"]["words"]),
    )


def triggers_of(reading: ReportReading, ratios: TriggerRatios, vocabulary: Vocabulary) -> tuple[Trigger, ...]:
    """Return the circumstances of a case, as far as its report tells them."""
    current = tuple(
        item for item in current_observations(reading.observations) if item.presence is not Presence.ABSENT
    )
    tables = load_triggers()
    return (
        *_hedged(current, ratios, vocabulary),
        *_vague(reading, current, ratios),
        *_question(reading.context, current, ratios, vocabulary),
        *_history(reading.context, ratios, tables),
        *_rare(reading.context, current, ratios, tables),
        *_complex(current, ratios, vocabulary),
    )


def _hedged(
    current: tuple[ReportObservation, ...], ratios: TriggerRatios, vocabulary: Vocabulary
) -> Iterator[Trigger]:
    """Yield what else the shadow of a hedged finding may be; for the finding itself the statement counts."""
    for finding in dict.fromkeys(item.finding for item in current if _is_hedge(item)):
        own = vocabulary.kinds_of(vocabulary.family_of(finding))
        concerned = vocabulary.mimics_of(finding) - own
        if concerned:
            reason = f"the report is not sure of {vocabulary[finding].name}"
            yield Trigger(
                factor=Factor(name="hedged wording", odds_ratio=ratios.hedged, reason=reason),
                findings=concerned,
            )


def _vague(
    reading: ReportReading, current: tuple[ReportObservation, ...], ratios: TriggerRatios
) -> Iterator[Trigger]:
    hedged = {item.finding for item in current if _is_hedge(item)}
    reasons = [f"the report hedges on {len(hedged)} findings"] if len(hedged) >= ratios.hedges_min else []
    if any(item.action == _CORRELATION for item in reading.recommendations):
        reasons.append("the report leaves it to clinical correlation")
    if reasons:
        factor = Factor(name="vague report", odds_ratio=ratios.vague, reason="; ".join(reasons))
        yield Trigger(factor=factor, findings=None)


def _question(
    context: tuple[ContextItem, ...],
    current: tuple[ReportObservation, ...],
    ratios: TriggerRatios,
    vocabulary: Vocabulary,
) -> Iterator[Trigger]:
    """Yield the question of a normal report, with all the findings that it is about."""
    if any(vocabulary[item.finding].weight >= _WORTH_STATING for item in current):
        return
    asked = load_triggers().questions
    words = _words(item for item in context if item.value in asked)
    if words:
        reason = f"the indication speaks of {' and '.join(words)}, the report states no such finding"
        yield Trigger(
            factor=Factor(name="open question", odds_ratio=ratios.question, reason=reason),
            findings=frozenset().union(*(asked[word] for word in words)),
        )


def _history(
    context: tuple[ContextItem, ...], ratios: TriggerRatios, tables: TriggerTables
) -> Iterator[Trigger]:
    cancer = _words(item for item in context if item.kind is ContextKind.KNOWN_CANCER)
    if cancer:
        reason = f"the patient is known to have, or asked about, {' and '.join(cancer)}"
        yield Trigger(
            factor=Factor(name="known cancer", odds_ratio=ratios.cancer, reason=reason),
            findings=tables.cancer,
        )
    surgery = _words(
        item for item in context if item.kind in _SURGICAL and item.value not in tables.still_to_come
    )
    if surgery:
        reason = f"the indication speaks of {' and '.join(surgery)}"
        factor = Factor(name="operation or device", odds_ratio=ratios.operation, reason=reason)
        yield Trigger(factor=factor, findings=tables.operation)


def _rare(
    context: tuple[ContextItem, ...],
    current: tuple[ReportObservation, ...],
    ratios: TriggerRatios,
    tables: TriggerTables,
) -> Iterator[Trigger]:
    stated = [item.finding.replace("_", " ") for item in current if item.finding in tables.rare]
    known = _words(item for item in context if item.value in tables.rare_words)
    names = tuple(dict.fromkeys((*stated, *known)))
    if names:
        factor = Factor(
            name="rare condition", odds_ratio=ratios.rare, reason=f"there is {' and '.join(names)}"
        )
        yield Trigger(factor=factor, findings=None)


def _complex(
    current: tuple[ReportObservation, ...], ratios: TriggerRatios, vocabulary: Vocabulary
) -> Iterator[Trigger]:
    families = {
        vocabulary.family_of(item.finding)
        for item in current
        if item.presence is Presence.PRESENT and vocabulary[item.finding].weight >= _WORTH_STATING
    }
    if len(families) >= ratios.complex_findings_min:
        reason = (
            f"the report states {len(families)} different findings, among which one more is easily missed"
        )
        yield Trigger(
            factor=Factor(name="complex case", odds_ratio=ratios.complex, reason=reason), findings=None
        )


def _is_hedge(observation: ReportObservation) -> bool:
    return observation.presence is Presence.UNCERTAIN and observation.certainty <= _HEDGE_CERTAINTY_MAX


def _words(items: Iterable[ContextItem]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.value for item in items if item.presence is not Presence.ABSENT))


def _with_kinds(findings: Iterable[str], vocabulary: Vocabulary) -> frozenset[str]:
    return frozenset().union(*(vocabulary.kinds_of(finding) for finding in findings))
