"""What must hold for any text."""

import re
import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import InvalidReportError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, ReportReading
from overread.report import load_reader
from overread.report.rules import load_rules
from overread.report.sentence import SentenceReader
from overread.report.sentences import LONGEST_SENTENCE, SentenceSplitter

EXAMPLES = sorted({example.text for example in load_rules().examples})
SENTENCES = st.sampled_from(EXAMPLES)
# A heading stands on one line: broken in two it is none, so it takes no part where lines are broken.
WITHOUT_HEADING = st.sampled_from([example for example in EXAMPLES if ":" not in example])
SIDED = ["pneumothorax", "pleural effusion", "nodule", "mass", "consolidation", "atelectasis", "rib fracture"]
PLACES = ["right", "left", "right upper lobe", "left lower lobe", "left apical", "right basilar"]


def facts(reading: ReportReading) -> list[tuple[object, ...]]:
    """Everything but the places in the text."""
    return [
        (
            o.finding,
            o.presence,
            o.certainty,
            o.laterality,
            o.zones,
            o.severity,
            o.count,
            o.size_mm,
            o.tip,
            o.temporality,
            o.experiencer,
            o.section,
        )
        for o in reading.observations
    ]


@given(st.text(min_size=1, max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_reading_or_a_clear_error_and_spans_lie_in_it(text: str) -> None:
    try:
        reading = load_reader().read(text)
    except InvalidReportError:
        return
    for observation in reading.observations:
        assert 0 <= observation.sentence.start <= observation.span.start
        assert observation.span.start < observation.span.end <= observation.sentence.end <= len(text)


@given(st.lists(SENTENCES, min_size=1, max_size=6), st.sampled_from(["İ", "ǅ ", "ﬁ ", "", "é "]))
@settings(max_examples=200, deadline=None)
def test_spans_hold_the_words_of_a_report_whatever_letters_stand_before(
    sentences: list[str], before: str
) -> None:
    text = before + " ".join(sentences)
    reading = load_reader().read(text)
    for observation in reading.observations:
        assert text[observation.span.start : observation.span.end].strip()
        assert observation.sentence.start <= observation.span.start
        assert observation.span.end <= observation.sentence.end
    for item in (*reading.recommendations, *reading.communications):
        assert item.sentence.start <= item.span.start < item.span.end <= item.sentence.end


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_that_decode_give_a_reading_or_a_clear_error(data: bytes) -> None:
    for encoding in ("utf-8", "latin-1"):
        try:
            load_reader().read(data.decode(encoding))
        except (UnicodeDecodeError, InvalidReportError):
            continue


@given(
    st.sampled_from(SIDED),
    st.sampled_from(["small", "large", "focal", "", "subtle"]),
    st.sampled_from(["", *PLACES]),
)
@settings(max_examples=150, deadline=None)
def test_no_before_a_simple_positive_sentence_flips_it(finding: str, adjective: str, place: str) -> None:
    sentence = " ".join(word for word in (adjective, place, finding) if word)

    positive = load_reader().read(sentence.capitalize() + ".").observations
    negative = load_reader().read(f"No {sentence}.").observations

    assert {o.presence for o in positive} == {Presence.PRESENT}
    assert {o.presence for o in negative} == {Presence.ABSENT}
    assert [o.finding for o in positive] == [o.finding for o in negative]


def _swap_sides(text: str) -> str:
    other = {
        "right": "left",
        "left": "right",
        "Right": "Left",
        "Left": "Right",
        "RIGHT": "LEFT",
        "LEFT": "RIGHT",
    }
    return re.sub(r"\b(?:right|left|Right|Left|RIGHT|LEFT)\b", lambda match: other[match.group()], text)


# These words are on one side by anatomy, or name one chamber.
_ONE_SIDED = re.compile(r"lingula|middle lobe|levo|dextro|atri|ventric|mainstem", re.IGNORECASE)


@given(st.lists(st.sampled_from([t for t in EXAMPLES if not _ONE_SIDED.search(t)]), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_swapping_left_and_right_swaps_them_in_the_reading(sentences: list[str]) -> None:
    text = " ".join(sentences)
    swapped = {Laterality.RIGHT: Laterality.LEFT, Laterality.LEFT: Laterality.RIGHT}

    expected = [(f[0], f[1], swapped.get(f[3], f[3])) for f in facts(load_reader().read(text))]  # type: ignore[call-overload]

    assert [(f[0], f[1], f[3]) for f in facts(load_reader().read(_swap_sides(text)))] == expected


def _every_line_broken(text: str) -> str:
    return textwrap.fill(text, width=40)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.lower,
        lambda t: t.replace(" ", "  "),
        lambda t: t.replace(" ", "\t"),
        _every_line_broken,
    ],
    ids=["upper case", "lower case", "two spaces", "tabs", "line breaks"],
)
@given(sentences=st.lists(WITHOUT_HEADING, min_size=1, max_size=5))
@settings(max_examples=120, deadline=None)
def test_whitespace_case_and_line_breaks_change_nothing(
    change: Callable[[str], str], sentences: list[str]
) -> None:
    text = "FINDINGS: " + " ".join(sentences)

    assert facts(load_reader().read(change(text))) == facts(load_reader().read(text))


HOSTILE = [
    "opacity in the right lung and ",
    "no ",
    "right left bilateral ",
    "may represent ",
    "the heart is enlarged and ",
    "1. ",
    ". ",
    "....a",
    "a:",
    "findings:",
    "\n",
    " ",
    "5 x ",
    "5 mm ",
    "pleuraleffusion",
    "dr. ",
    "normal lungs, normal heart, ",
    "-",
    "((((",
    "recommend ct in 3 months or ",
    "x",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_is_bounded_however_hostile_the_text(piece: str) -> None:
    """No sentence that reaches the rules is long, so that the work per character has a bound."""
    text = (piece * (200_000 // len(piece)))[:200_000]

    sentences = list(SentenceSplitter(load_rules().abbreviations).split(text, 0, len(text)))

    assert all(0 <= start < end <= len(text) and end - start <= LONGEST_SENTENCE for start, end in sentences)
    assert sum(end - start for start, end in sentences) <= len(text)


@pytest.mark.parametrize("piece", HOSTILE)
def test_twice_the_text_is_about_twice_the_work(piece: str) -> None:
    """Counts the words that the rules look at, which does not depend on how busy the machine is."""
    counts = []
    for length in (20_000, 40_000):
        reader = SentenceReader(load_rules())
        text = (piece * (length // len(piece)))[:length]
        splitter = SentenceSplitter(load_rules().abbreviations)
        pieces = [text[start:end] for start, end in splitter.split(text, 0, len(text))]
        counts.append(sum(len(reader.words(sentence).surface) ** 2 for sentence in pieces))

    assert counts[1] <= 2.5 * counts[0] + 1_000_000


def test_every_stated_finding_is_in_the_vocabulary() -> None:
    stated = {o.finding for text in EXAMPLES for o in load_reader().read(text).observations}

    assert stated <= set(load_vocabulary())
