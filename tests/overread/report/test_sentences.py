import pytest

from overread.report.rules import load_rules
from overread.report.sentences import LONGEST_SENTENCE, SentenceSplitter


def split(text: str) -> list[str]:
    ranges = SentenceSplitter(load_rules().abbreviations).split(text, 0, len(text))
    return [text[start:end] for start, end in ranges]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lungs clear. No effusion.", ["Lungs clear", "No effusion"]),
        ("No pneumothorax . Right effusion", ["No pneumothorax", "Right effusion"]),
        ("Lungs clear.No effusion.", ["Lungs clear", "No effusion"]),
        ("A 2.5 cm mass. Stable.", ["A 2.5 cm mass", "Stable"]),
        ("Told Dr. Smith. Stable.", ["Told Dr. Smith", "Stable"]),
        ("1. Effusion. 2. Mass vs. nodule.", ["Effusion", "Mass vs. nodule"]),
        ("1) Effusion\n2) Mass", ["Effusion", "Mass"]),
        ("- Effusion\n- Mass", ["Effusion", "Mass"]),
        ("No effusion or\npneumothorax.", ["No effusion or\npneumothorax"]),
        ("Lungs clear\n\nNo effusion", ["Lungs clear", "No effusion"]),
        (
            "Heart normal\nThe lungs are clear and well expanded\nNo effusion",
            ["Heart normal", "The lungs are clear and well expanded", "No effusion"],
        ),
        ("", []),
        (" . . ", []),
    ],
    ids=[
        "full stops",
        "space before the stop",
        "no space after the stop",
        "decimal",
        "abbreviation",
        "numbered in a line",
        "numbered lines",
        "bullets",
        "wrapped line",
        "blank line",
        "one finding a line",
        "nothing",
        "only stops",
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert split(text) == expected


def test_all_capitals_that_are_wrapped_stay_one_sentence() -> None:
    assert split("NO PLEURAL EFFUSION OR CONSOLIDATION OR\nPNEUMOTHORAX IS SEEN.") == [
        "NO PLEURAL EFFUSION OR CONSOLIDATION OR\nPNEUMOTHORAX IS SEEN"
    ]


def test_text_without_stops_is_read_in_pieces_that_end_between_words() -> None:
    text = "opacity " * 1000

    pieces = split(text)

    assert all(len(piece) <= LONGEST_SENTENCE for piece in pieces)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert all(piece.split()[0] == "opacity" for piece in pieces)
