"""The report reader by rules."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from overread import __version__
from overread.errors import InvalidReportError
from overread.observation import (
    Communication,
    ContextItem,
    Laterality,
    ObserverIdentity,
    Presence,
    Recommendation,
    ReportObservation,
    ReportReading,
    Section,
    Span,
)
from overread.report.body import BodyFinder
from overread.report.bounded import BoundedList
from overread.report.construction import observations_of
from overread.report.context import ContextReader
from overread.report.contradictions import ContradictionFinder
from overread.report.omissions import OmissionFinder
from overread.report.overruled import Overruling
from overread.report.remarks import Advice, Contact
from overread.report.rules import Rules, load_rules
from overread.report.scope import Assertion
from overread.report.sections import SectionSplitter
from overread.report.sentence import SentenceReader, SentenceReading
from overread.report.sentences import SentenceSplitter
from overread.report.template import (
    NORMAL_STUDY,
    LabelFinder,
    is_normal_alone,
    labelled,
    needs_label,
    shifted,
    with_value,
)
from overread.report.text import lower_in_place

LONGEST_REPORT = 1_000_000
"""Characters; no report of one study comes near it."""
MOST_OBSERVATIONS = 2_000
"""Of one report; the most in 494 reports of chest CT was 92. The first ones of the text are kept."""
MOST_REMARKS = 200
"""Recommendations of one report, and as many communications and items of context; the most seen was 4."""

_READ = frozenset(
    {Section.LEAD, Section.FINDINGS, Section.IMPRESSION, Section.ADDENDUM, Section.RECOMMENDATION}
)
_REMARKS_ONLY = Section.RECOMMENDATION  # "rule out metastasis" there is no finding
_CONCLUDES = frozenset({Section.IMPRESSION})  # where "normal" by itself is said of the study
_CONTEXT = frozenset({Section.INDICATION, Section.COMPARISON})

_DIVIDER = re.compile(r"[:=–—]")  # of a label and its value; or a dash
_LONGEST_LABEL = 48  # characters

_ABSENT, _UNSPECIFIED = Presence.ABSENT, Laterality.UNSPECIFIED


class RuleReader:
    """Reads reports by the rules that come with overread; implements `overread.ports.ReportReader`."""

    def __init__(self, rules: Rules) -> None:
        """Compile the rules."""
        self._identity = ObserverIdentity(name="overread-rules", version=__version__, sha256=rules.sha256)
        self._sections = SectionSplitter(rules.headings)
        self._sentences = SentenceSplitter(rules.abbreviations)
        self._reader = SentenceReader(rules)
        self._labels = LabelFinder(rules.labels, rules.silent_labels)
        self._bodies = BodyFinder(
            self._sentences, lambda sentence: self._reader.read(sentence).statements, self._labels.is_labelled
        )
        self._context = ContextReader(rules.context)
        self._contradictions = ContradictionFinder(rules.vocabulary)
        self._omissions = OmissionFinder(rules.vocabulary)
        self._overruling = Overruling(rules.vocabulary)

    @property
    def identity(self) -> ObserverIdentity:
        """Name, version and hash of the rules."""
        return self._identity

    def read(self, text: str) -> ReportReading:
        """Return what the text states: the first observations and remarks, and how many more there are.

        Raises:
            InvalidReportError: the text is empty, longer than `LONGEST_REPORT`, or binary.
        """
        _check(text)
        lowered = lower_in_place(text)
        sections = self._bodies.opened(text, lowered, self._sections.split(lowered))
        observations = BoundedList[ReportObservation](MOST_OBSERVATIONS)
        recommendations = BoundedList[Recommendation](MOST_REMARKS)
        communications = BoundedList[Communication](MOST_REMARKS)
        context = BoundedList[ContextItem](MOST_REMARKS)
        for section, span in sections:
            if section in _CONTEXT:
                context.add(self._context.read(lowered, section, span))
            if section not in _READ:
                continue
            subject = ""  # of the form's line that a sentence stands on
            places = self._sentences.split(text, span.start, span.end)
            concludes = section in _CONCLUDES or len(places) == 1
            for start, end in places:
                reading, subject = self._read_sentence(lowered[start:end], subject, concludes=concludes)
                statements, advice, contact, follows = reading
                if statements and section is not _REMARKS_ONLY:
                    stated = observations_of(statements, section, start, end)
                    observations.add(_placed(stated, observations) if follows else stated)
                if advice or contact:
                    recommendations.add(_recommendations(advice, section, start, end))
                    communications.add(_communications(contact, section, start, end))
        positive = [o for o in observations if o.presence is not _ABSENT]
        contradictions = self._contradictions.find(observations) if positive else ()
        omissions = self._omissions.find(lowered, positive, observations, sections) if positive else ()
        return ReportReading(
            observer=self._identity,
            observations=self._overruling.without_overruled(observations, positive, contradictions),
            sections=sections,
            recommendations=tuple(recommendations),
            communications=tuple(communications),
            contradictions=(*contradictions, *omissions),
            context=tuple(context),
            text_read_share=_read_share(sections),
            statements_left_out=sum(
                kept.left_out for kept in (observations, recommendations, communications, context)
            ),
        )

    def _read_sentence(self, sentence: str, subject: str, *, concludes: bool) -> tuple[SentenceReading, str]:
        """Return what a sentence states, and the label of a form that holds for the next one."""
        if concludes and not subject and is_normal_alone(sentence):
            return self._read_alone(sentence), subject
        if subject or "- " in sentence or _DIVIDER.search(sentence, 0, _LONGEST_LABEL):
            return self._read_in_form(sentence, subject)
        return self._reader.read(sentence), subject

    def _read_alone(self, sentence: str) -> SentenceReading:
        """Return what a sentence that only says "normal" states of the whole study."""
        reading = self._reader.read(NORMAL_STUDY)
        statements = tuple(s._replace(start=0, end=len(sentence)) for s in reading.statements)
        return reading._replace(statements=statements)

    def _read_in_form(self, sentence: str, subject: str) -> tuple[SentenceReading, str]:
        """Return what a sentence states, and the label of a form that holds for the next one."""
        sentence = with_value(sentence)
        label = self._labels.find(sentence)
        if label is not None:
            subject, sentence = label.subject, labelled(sentence, label)
        reading = self._reader.read(sentence)
        if subject and label is None and needs_label(sentence, reading.statements):
            prefix = f"{subject} "
            longer = self._reader.read(prefix + sentence)
            if longer.statements:
                moved = tuple(shifted(statement, -len(prefix)) for statement in longer.statements)
                reading = reading._replace(statements=moved)
        return reading, subject

    def assert_concept(self, sentence: str, span: Span) -> Assertion:
        """Return presence, certainty, time and experiencer of any concept that a sentence names at a span."""
        return self._reader.assert_concept(lower_in_place(sentence), span.start, span.end)


@cache
def load_reader() -> RuleReader:
    """Return the reader with the rules that come with overread."""
    return RuleReader(load_rules())


def _check(text: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise InvalidReportError("the report is empty")
    if len(text) > LONGEST_REPORT:
        raise InvalidReportError(f"the report has {len(text)} characters; at most {LONGEST_REPORT} are read")
    if "\0" in text:
        raise InvalidReportError("the report holds null characters: it is binary, or in another encoding")


def _read_share(sections: Sequence[tuple[Section, Span]]) -> float:
    """Return the share of the characters outside headings that were read for findings."""
    taken = other = 0
    for section, span in sections:
        if section in _READ:
            taken += span.end - span.start
        else:
            other += span.end - span.start
    return round(taken / (taken + other), 3) if taken else 0.0


def _placed(
    stated: Sequence[ReportObservation], earlier: Sequence[ReportObservation]
) -> list[ReportObservation]:
    """Give findings without a place that of the finding before them, which their sentence speaks of."""
    source = next((o for o in reversed(earlier) if o.presence is not _ABSENT), None)
    if source is None or source.section is not stated[0].section or not _has_place(source):
        return list(stated)
    return [
        observation
        if _has_place(observation) or observation.presence is _ABSENT
        else replace(
            observation,
            laterality=source.laterality,
            zones=source.zones,
            rules=MappingProxyType({**observation.rules, "laterality": "share:sentence-before"}),
        )
        for observation in stated
    ]


def _has_place(observation: ReportObservation) -> bool:
    return bool(observation.zones) or observation.laterality is not _UNSPECIFIED


def _recommendations(
    advice: tuple[Advice, ...], section: Section, start: int, end: int
) -> list[Recommendation]:
    return [
        Recommendation(
            action=item.action,
            within_days=item.within_days,
            span=Span(start + item.start, start + item.end),
            sentence=Span(start, end),
            section=section,
            rule=item.rule,
        )
        for item in advice
    ]


def _communications(
    contact: tuple[Contact, ...], section: Section, start: int, end: int
) -> list[Communication]:
    return [
        Communication(
            time_of_day=item.time_of_day,
            span=Span(start + item.start, start + item.end),
            sentence=Span(start, end),
            section=section,
            rule=item.rule,
        )
        for item in contact
    ]
