"""Start of the body of a report, if no heading tells it.

"COMPARISON: None. The heart is enlarged." has its findings under the wrong heading. A reader that trusts the
heading loses the whole report, so each sentence there is asked whether it reads like one about the images.
"""

import re
from collections.abc import Callable, Sequence

from overread.observation import Presence, Section, Span
from overread.report.sentence import Statement
from overread.report.sentences import SentenceSplitter

_INDICATION, _SIGNATURE, _FINDINGS = Section.INDICATION, Section.SIGNATURE, Section.FINDINGS
_CLOSED = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.SIGNATURE})
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
# What only a sentence about the images does.
_SPEAKS = re.compile(
    r"\b(?:is|are|was|were|has|have|there|no|shows?|demonstrates?|remains?|appears?|seen|noted|unchanged|clear|"
    r"normal|enlarged|intact|unremarkable|stable|again|interval)\b"
)
# How a sentence about the images begins; one about the patient does not.
_BEGINS = re.compile(
    r"(?:the|there|no|heart|lungs?|cardi\w+|mediastin\w+|bon[ey]\w*|both|bilateral|bibas\w+|left|right|low|clear|"
    r"normal|minimal\w*|mild\w*|moderate\w*|small|tiny|large|stable|endotracheal|et|ett|tip|interval|unchanged|new|"
    r"again|ap|pa|supine|frontal|single|two|chest|trachea|diffuse|multiple|patchy|increased|hyper\w+|pulmonary|"
    r"pleural|subtle|sternotomy|portable|tunnel\w+|extensive|linear|prominent|vascular|costophrenic|hila\w*|as|in|an?|this|"
    r"slight\w*|trace|numerous|several|scattered|retrocardiac|hazy|dense|focal|persistent|worsening|improved)\b"
)
_OF_THE_PATIENT = re.compile(
    r"\b(?:he|she|history|pain|years?|y/?o|yo|patient|rule out|r/o|evaluate|evaluation|eval|s/p|status post|"
    r"presents?|presenting|cough\w*|fever\w*|dyspn\w+|shortness|sob|concern|follow|pre-?op\w*|post-?op\w*|"
    r"admission|admitted|surgery|assess\w*|check|verify|placement|due|diagnos\w+|exclude|suspect\w*|smoker|"
    r"known case)\b|\?"
)
_PLAINLY_OF_THE_PATIENT = re.compile(
    r"\b(?:rule out|r/o|evaluate|history|years? old|year-old|status post|s/p)\b|\?"
)
# A study that is only mentioned: by its date, by how it was done.
_OF_A_STUDY = re.compile(
    r"\b(?:comparison|compared|prior|previous|dated|obtained|performed|acquired|contrast|axial|reconstruct\w+|"
    r"reformat\w*|slices?|protocol|images|technique|views?|series|screening|available|mg|ml|kv\w*|dlp)\b|"
    r"\d[./-]\d|\bmm\b"
)

_Read = Callable[[str], Sequence[Statement]]


class BodyFinder:
    """Finds the text about the images that stands under a heading of something else. Immutable."""

    def __init__(self, sentences: SentenceSplitter, read: _Read, is_labelled: Callable[[str], bool]) -> None:
        """Take how to split text, what a sentence states, and whether it begins with the name of an organ."""
        self._sentences = sentences
        self._read = read
        self._is_labelled = is_labelled

    def opened(
        self, text: str, lowered: str, sections: tuple[tuple[Section, Span], ...]
    ) -> tuple[tuple[Section, Span], ...]:
        """Return the sections with such text as one of findings; those before a heading for findings stay."""
        names = [section for section, _ in sections]
        last = len(names) - 1 - names[::-1].index(_FINDINGS) if _FINDINGS in names else -1
        if _CLOSED.isdisjoint(names[last + 1 :]):
            return sections
        result: list[tuple[Section, Span]] = []
        told, asked = False, 0  # whether one of the first so many results is about the images
        for index, (section, span) in enumerate(sections):
            begin = None
            if index > last and section in _CLOSED:
                told = told or any(self._tells(text, lowered, *earlier) for earlier in result[asked:])
                asked = len(result)
                begin = self._begin(text, lowered, section, span, first=not told)
            if begin is None:
                result.append((section, span))
                continue
            if begin > span.start and not lowered[span.start : begin].isspace():
                result.append((section, Span(span.start, begin)))
            result.append((_FINDINGS, Span(begin, span.end)))
        return tuple(result)

    def _tells(self, text: str, lowered: str, section: Section, span: Span) -> bool:
        """Whether a section before this one is about the images already."""
        return section not in _CLOSED and any(
            self._read(lowered[start:end]) for start, end in self._sentences.split(text, span.start, span.end)
        )

    def _begin(self, text: str, lowered: str, section: Section, span: Span, *, first: bool) -> int | None:
        """Return where the findings begin; `first` allows it to be at once after the heading."""
        previous = span.start
        parted = False  # by a blank line from what the heading is about
        for number, (start, end) in enumerate(self._sentences.split(text, span.start, span.end)):
            between = lowered[previous:start]
            new_line = number > 0 and "\n" in between
            parted = parted or (new_line and _BLANK_LINE.search(between) is not None)
            sentence = lowered[start:end]
            allowed = first or number > 0
            if allowed and self._is_reading(sentence, section, number, parted=parted, new_line=new_line):
                return start
            previous = end
        return None

    def _is_reading(
        self, sentence: str, section: Section, number: int, *, parted: bool, new_line: bool
    ) -> bool:
        """Whether a sentence is about the images; the further from its heading, the less proof it takes."""
        if section is _SIGNATURE and not parted:
            return False
        if self._is_labelled(sentence) and (number > 0 or section is not _INDICATION):
            return True
        statements = self._read(sentence)
        if not statements:
            return False
        if section is not _INDICATION:
            return self._is_no_study(sentence, statements, first=number == 0, parted=parted)
        if parted or new_line:
            return not _PLAINLY_OF_THE_PATIENT.search(sentence)
        speaks = _BEGINS.match(sentence) or _SPEAKS.search(sentence)
        return number > 0 and speaks is not None and not _OF_THE_PATIENT.search(sentence)

    @staticmethod
    def _is_no_study(sentence: str, statements: Sequence[Statement], *, first: bool, parted: bool) -> bool:
        denied = any(statement.presence is Presence.ABSENT for statement in statements)
        if denied or _SPEAKS.search(sentence):
            return True
        return parted or (not first and not _OF_A_STUDY.search(sentence))
