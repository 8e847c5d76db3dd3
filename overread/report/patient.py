"""What a text says that cannot be true of its patient: sex and age against words."""

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
_CALLED = {
    "M": re.compile(r"\b(?:woman|female|lady|girl|year[- ]?old f|\d{1,3} ?f|yof|y/?o ?f|mrs|she|her)\b"),
    "F": re.compile(r"\b(?:man|male|gentleman|boy|year[- ]?old m|\d{1,3} ?m|yom|y/?o ?m|mr|he|his|him)\b"),
}
_OF_A_CHILD = re.compile(
    r"\b(?:thymus|thymic shadow|thymic silhouette|cardiothymic|open growth plates?|unfused|epiphyseal plates?|"
    r"growth plates?|ossification cent(?:er|re)s?|skeletally immature|neonat\w+|newborn|infant|premature infant|"
    r"surfactant|umbilical (?:venous|arterial|artery|vein) catheter|uvc|uac|babygram|child)\b"
)
_OF_AN_ADULT = re.compile(
    r"\b(?:atheroscler\w+|degenerative|osteophytes?|spondylosis|osteoarthrit\w+|coronary (?:artery )?calcif\w+|"
    r"osteoporo\w+|osteopenia|senescent|emphysema|copd|calcified aorta|menopaus\w+|smok(?:er|ing))\b"
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
