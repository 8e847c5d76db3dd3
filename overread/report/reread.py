"""A second reader for the few sentences on which a flag depends, checked against the text, never required."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from overread.discrepancy import Discrepancy
from overread.errors import ModelError, OutOfResourcesError
from overread.finding import Vocabulary
from overread.observation import (
    ContradictionKind,
    Laterality,
    ObserverIdentity,
    Presence,
    ReportObservation,
    ReportReading,
    Span,
)
from overread.report.contradictions import ContradictionFinder

_LOG = logging.getLogger(__name__)
_CERTAINTY = {Presence.PRESENT: 1.0, Presence.UNCERTAIN: 0.5, Presence.ABSENT: 0.0}

INSTRUCTIONS = (
    "You read one sentence of a radiology report. For each finding that is listed, say what it states. "
    'Answer with JSON only: {"findings": [{"finding": ID, "presence": "PRESENT" | "ABSENT" | "UNCERTAIN", '
    '"laterality": "RIGHT" | "LEFT" | "BILATERAL" | "UNSPECIFIED", "words": the exact words of the sentence '
    "that name the finding}]}. Leave out a finding that the sentence does not mention. Never use words that "
    "are not there."
)


class LanguageModel(Protocol):
    """Completes a prompt."""

    @property
    def identity(self) -> ObserverIdentity:
        """Name and version of the model."""

    def complete(self, instructions: str, text: str) -> str:
        """Return the model's answer.

        Raises:
            OutOfResourcesError: it cannot be reached, is too slow, or answers nothing usable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """Answer of the model about one finding, checked against the sentence."""

    presence: Presence
    laterality: Laterality
    span: Span  # in the sentence

    def covers(self, observation: ReportObservation) -> bool:
        """Whether the answer is about the words of an observation."""
        start = observation.span.start - observation.sentence.start
        end = observation.span.end - observation.sentence.start
        return self.span.start < end and start < self.span.end


class Rereader:
    """Asks a language model about single sentences of a report that the rules have read.

    The model may only change presence and side of observations that the rules made; an answer whose words the
    sentence does not hold is dropped, and where it gives no answer the rules' reading stands; after one such
    failure a report's further sentences are not asked about.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        """Take the model."""
        self._model = model
        self._vocabulary = vocabulary
        self._contradictions = ContradictionFinder(vocabulary)

    def reread(self, text: str, reading: ReportReading, sentences: Iterable[Span]) -> ReportReading:
        """Return the reading, refined where the model's answer holds.

        Where it answered, whether or not it changed anything, the reading names both readers; else it is the
        reading that was given. Each attribute that it changed names the model as its rule.

        Args:
            text: of the report.
            reading: of that text, by the rules.
            sentences: the ones to ask about, in this order.
        """
        observations = list(reading.observations)
        answered = False
        for sentence in dict.fromkeys(sentences):
            stated = [o for o in observations if o.sentence == sentence]
            try:
                answers = self._ask(text[sentence.start : sentence.end], stated)
            except OutOfResourcesError as error:  # the next sentence would wait as long
                _LOG.warning(
                    "language_model_unused", extra={"action": "reread", "error": type(error).__name__}
                )
                break
            answered = answered or bool(answers)
            observations = [self._refined(o, answers) if o.sentence == sentence else o for o in observations]
        if not answered:
            return reading
        return replace(
            reading,
            observer=_joint(reading.observer, self._model.identity),
            observations=tuple(observations),
            contradictions=(
                *self._contradictions.find(observations),
                *(item for item in reading.contradictions if item.kind is ContradictionKind.OMISSION),
            ),
        )

    def _ask(self, sentence: str, observations: Sequence[ReportObservation]) -> Mapping[str, _Answer]:
        """Return the model's checked answers by finding; none where they are not what was asked for.

        Raises:
            OutOfResourcesError: the model gave no answer.
        """
        names = {o.finding: self._vocabulary[o.finding].name for o in observations if not _denies_a_group(o)}
        if not names:
            return {}
        answer = self._model.complete(INSTRUCTIONS, json.dumps({"findings": names, "sentence": sentence}))
        try:
            return _checked(answer, sentence, names)
        except ModelError as error:
            _LOG.warning("language_model_unused", extra={"action": "reread", "error": type(error).__name__})
            return {}

    def _refined(self, observation: ReportObservation, answers: Mapping[str, _Answer]) -> ReportObservation:
        answer = answers.get(observation.finding)
        if answer is None or _denies_a_group(observation) or not answer.covers(observation):
            return observation
        rule = f"model:{self._model.identity.name}"
        changed = {}
        if answer.presence is not observation.presence:
            changed["presence"] = rule
        if answer.laterality is not observation.laterality and self._vocabulary[observation.finding].sided:
            changed["laterality"] = rule
        return replace(
            observation,
            presence=answer.presence,
            certainty=_CERTAINTY[answer.presence] if "presence" in changed else observation.certainty,
            laterality=answer.laterality if "laterality" in changed else observation.laterality,
            rules=MappingProxyType({**observation.rules, **changed}),
        )


def sentences_behind(discrepancies: Iterable[Discrepancy]) -> tuple[Span, ...]:
    """Return the sentences of the report on which discrepancies depend, in the order of the text."""
    spans = {observation.sentence for item in discrepancies for observation in item.report_observations}
    return tuple(sorted(spans))


def _joint(rules: ObserverIdentity, model: ObserverIdentity) -> ObserverIdentity:
    return replace(rules, name=f"{rules.name}+{model.name}", version=f"{rules.version}+{model.version}")


def _denies_a_group(observation: ReportObservation) -> bool:
    return observation.rules.get("finding", "").startswith("denial:")


def _checked(answer: str, sentence: str, asked: Mapping[str, str]) -> dict[str, _Answer]:
    """Return the answers whose words stand in the sentence.

    A finding with two answers that differ has none: the model did not tell its two mentions apart.

    Raises:
        ModelError: the answer is not the JSON that was asked for.
    """
    try:
        items = json.loads(answer)["findings"]
        parsed = [(item["finding"], _parsed(item, sentence)) for item in items if item["finding"] in asked]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError("the language model did not answer with the JSON that was asked for") from error
    answers: dict[str, _Answer] = {}
    doubtful: set[str] = set()
    for finding, parts in parsed:
        if parts is None or (finding in answers and answers[finding] != parts):
            doubtful.add(finding)
        else:
            answers[finding] = parts
    return {finding: parts for finding, parts in answers.items() if finding not in doubtful}


def _parsed(item: Mapping[str, str], sentence: str) -> _Answer | None:
    """Return one answer, or None if its words are not in the sentence."""
    words = item["words"]
    start = sentence.lower().find(words.lower()) if words.strip() else -1
    presence = Presence(item["presence"])
    if start < 0 or presence is Presence.NOT_MENTIONED:
        return None
    return _Answer(
        presence=presence,
        laterality=Laterality(item.get("laterality", "UNSPECIFIED")),
        span=Span(start, start + len(words)),
    )
