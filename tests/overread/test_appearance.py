"""The appearance of an image goes into a cohort file and comes back, and what is malformed is named."""

import json

import pytest

from overread.appearance import EMBEDDING_SIZE, Appearance, appearance_of, appearance_record
from overread.cohort import CohortCase, encode_case, parse_case
from overread.errors import InvalidFileError

WHOLE = Appearance(
    view="PA",
    scanner="Maker One",
    rows=2048,
    columns=1792,
    bits=12,
    photometric="MONOCHROME1",
    quarter_turns=3,
    is_inverted=True,
    is_cut=True,
    measures={"mean": 0.5, "kilovolts": 125.0},
    embedding=tuple(number / 4 for number in range(EMBEDDING_SIZE)),
)
BARE = Appearance(rows=8, columns=8)


@pytest.mark.parametrize("appearance", [WHOLE, BARE])
def test_an_appearance_comes_back_as_it_was(appearance) -> None:
    text = json.dumps(appearance_record(appearance))

    assert appearance_of(json.loads(text), "appearance") == appearance


def test_what_is_not_known_is_left_out() -> None:
    assert "view" not in appearance_record(BARE)
    assert appearance_of(None, "appearance") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": -1}, "'appearance.rows' must be a whole number"),
        ({"rows": True}, "'appearance.rows' must be a whole number"),
        ({"view": ""}, "'appearance.view' must be text"),
        ({"scanner": "x" * 200}, "'appearance.scanner' must be text"),
        ({"is_cut": 1}, "'appearance.is_cut' must be true or false"),
        ({"measures": {"mean": float("nan")}}, "'appearance.measures.mean' must be a number"),
        ({"measures": 3}, "'appearance.measures' must be an object"),
        ({"embedding": [1.0]}, "'appearance.embedding' must be a list of 24"),
        ({"patient": "Doe"}, "unknown field 'patient'"),
        ({"columns": ...}, "the field 'columns' is missing"),
    ],
)
def test_what_is_malformed_is_named(change, words) -> None:
    record = {name: value for name, value in (appearance_record(WHOLE) | change).items() if value is not ...}

    with pytest.raises(InvalidFileError, match=words):
        appearance_of(record, "appearance")


def test_no_object_is_no_appearance() -> None:
    with pytest.raises(InvalidFileError, match="must be an object"):
        appearance_of([1], "appearance")


def test_a_case_with_the_shape_of_its_report_and_its_appearance_comes_back_from_a_line() -> None:
    case = CohortCase(
        case="a", patient="1", report_characters=321, report_read_share=0.75, appearance=WHOLE, view="PA"
    )

    assert parse_case(encode_case(case)) == case
    with pytest.raises(InvalidFileError, match="'report_read_share' of report_read_share must lie in"):
        parse_case('{"case":"a","patient":"1","report_read_share":2}')
