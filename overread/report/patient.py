"""Statements of a text that cannot be true of its patient: sex and age against words."""

import re
from collections.abc import Iterator

from overread.observation import Contradiction, ContradictionKind, ReportReading, Section, Span

_READ = frozenset(
    {Section.LEAD, Section.FINDINGS, Section.IMPRESSION, Section.ADDENDUM, Section.RECOMMENDATION}
)
_ADULT_YEARS, _YOUNG_YEARS = 18, 12
_AGES_DIFFER = 2  # years; a birthday, or an age that was rounded, explains less

# Anatomy that one sex lacks, and states of it. A breast is none: men have breast cancer.
_FEMALE = (
    r"uter(?:us|ine)|ovar(?:y|ies|ian)|adnexa\w*|endometri\w+|hysterectomy|pregnan\w+|gravid|gestation\w*|"
    r"fet(?:us|al)|intrauterine|iud|cervix uteri|vagina\w*|fallopian|menopaus\w+|lactat\w+|post ?partum"
)
_MALE = r"prostat\w+|testic\w+|testis|testes|scrot\w+|seminal vesicles?|penile|epididym\w+|vas deferens"
_WORDS_OF_OTHERS = {"M": re.compile(rf"\b(?:{_FEMALE})\b"), "F": re.compile(rf"\b(?:{_MALE})\b")}
# What people call the patient, in any section; "gentleman" and "lady" are how doctors write letters.
# Of "54 F with" the letter is a sex; of "8 F pigtail" it is a size.
_LETTER = r"(?:year[- ]?old|yo|y/?o) ?{0}|\d{{2,3}} ?{0}(?= (?:with|w/|presenting|s/p|who))"
_WOMAN = r"woman|female|lady|girl|mrs|she|her|"
_MAN = r"man|male|gentleman|boy|mr|he|his|him|"
_CALLED = {
    "M": re.compile(rf"\b(?:{_WOMAN}{_LETTER.format('f')})\b"),
    "F": re.compile(rf"\b(?:{_MAN}{_LETTER.format('m')})\b"),
}
_OF_A_CHILD = re.compile(
    r"\b(?:thymus|thymic shadow|thymic silhouette|cardiothymic|open growth plates?|unfused|child|infant|"
    r"newborn|epiphyseal plates?|growth plates?|ossification cent(?:er|re)s?|skeletally immature|neonat\w+|"
    r"babygram|surfactant|umbilical (?:venous|arterial|artery|vein) catheter|uvc|uac)\b"
)
_OF_AN_ADULT = re.compile(
    r"\b(?:atheroscler\w+|degenerative|osteophytes?|spondylosis|osteoarthrit\w+|osteoporo\w+|osteopenia|"
    r"coronary (?:artery )?calcif\w+|senescent|emphysema|copd|calcified aorta|menopaus\w+|smok(?:er|ing))\b"
)
_AGE = re.compile(
    r"\b(\d{1,3})[- ]?(?:years?|yrs?|y\.?/?o\.?)(?:[- ]?old)?\b(?! ago| earlier| prior| follow)"
)


def find_patient_contradictions(
    text: str, reading: ReportReading, *, sex: str | None, age_years: float | None
) -> tuple[Contradiction, ...]:
    """Return the words that contradict sex (DICOM Patient's Sex: M, F, O) or age; None where unknown.

    Anatomy counts in what was read as findings or impression: a history may well speak of relatives. What the
    patient is called, and an age, count anywhere.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that changed its length; places would be wrong
        return ()
    return tuple(_found(lowered, reading, sex, age_years))


def _found(
    lowered: str, reading: ReportReading, sex: str | None, age_years: float | None
) -> Iterator[Contradiction]:
    everywhere = [Span(0, len(lowered))]
    body = [span for section, span in reading.sections if section in _READ]
    if sex in _WORDS_OF_OTHERS:
        yield from _first(lowered, body, _WORDS_OF_OTHERS[sex], ContradictionKind.SEX)
        yield from _first(lowered, everywhere, _CALLED[sex], ContradictionKind.SEX)
    if age_years is not None:
        if age_years >= _ADULT_YEARS:
            yield from _first(lowered, body, _OF_A_CHILD, ContradictionKind.AGE)
        elif age_years < _YOUNG_YEARS:
            yield from _first(lowered, body, _OF_AN_ADULT, ContradictionKind.AGE)
        yield from _other_age(lowered, age_years)


def _other_age(lowered: str, age_years: float) -> Iterator[Contradiction]:
    for match in _AGE.finditer(lowered):
        old = lowered[match.start() : match.end() + 4].find("old") >= 0 or "o" in match.group()
        if old and abs(float(match.group(1)) - age_years) > _AGES_DIFFER:
            yield _contradiction(match, ContradictionKind.AGE)
            return


def _first(
    lowered: str, spans: list[Span], words: re.Pattern[str], kind: ContradictionKind
) -> Iterator[Contradiction]:
    """Yield the first such word of the spans."""
    for span in spans:
        match = words.search(lowered, span.start, span.end)
        if match:
            yield _contradiction(match, kind)
            return


def _contradiction(match: re.Match[str], kind: ContradictionKind) -> Contradiction:
    word = match.group()
    return Contradiction(
        kind=kind,
        subject=word,
        first=Span(*match.span()),
        second=None,
        reason=f"the text speaks of {word}, which does not fit the patient's {kind.value.lower()}",
    )
