import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from overread.cohort import (
    Adjudication,
    CohortCase,
    CohortDetection,
    CohortRead,
    encode_case,
    parse_case,
    read_cohort,
)
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.observation import Laterality, Observation, Presence

LINE = {
    "case": "1.2.3",
    "patient": "p1",
    "order": 2,
    "detections": [{"detector": "some", "scores": {"mass": 0.4}}],
}

share = some.floats(0, 1)
scores = some.dictionaries(some.sampled_from(["mass", "effusion", "opacity"]), share, max_size=3)
cases = some.builds(
    CohortCase,
    case=some.text(min_size=1),
    patient=some.text(min_size=1),
    order=some.integers(0, 9),
    context_only=some.booleans(),
    age_years=some.none() | some.floats(0, 150),
    sex=some.none() | some.sampled_from("MFO"),
    view=some.none() | some.sampled_from(["PA", "AP"]),
    modality=some.none() | some.sampled_from(["DX", "CT"]),
    first_reader=some.none() | some.text(min_size=1),
    month=some.none() | some.sampled_from(["2026-01", "1999-12"]),
    selection_probability=some.none() | some.floats(0, 1, exclude_min=True),
    text=some.none() | some.text(min_size=1),
    observations=some.lists(
        some.builds(
            Observation,
            finding=some.just("mass"),
            presence=some.sampled_from(Presence),
            laterality=some.sampled_from(Laterality),
        ),
        max_size=2,
    ).map(tuple),
    detections=some.lists(
        some.builds(
            CohortDetection,
            detector=some.just("some"),
            version=some.text(max_size=3),
            scores=scores,
            probabilities=scores,
            prevalences=scores,
            present=some.none() | some.frozensets(some.sampled_from(["mass"])),
        ),
        max_size=2,
    ).map(tuple),
    adjudications=some.lists(
        some.builds(
            Adjudication,
            finding=some.just("mass"),
            kind=some.sampled_from(DiscrepancyKind),
            confirmed=some.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    second_read=some.none()
    | some.builds(
        CohortRead,
        radpeer=some.none() | some.sampled_from(["1", "2a", "2b", "3a", "3b"]),
        is_arbitrated=some.booleans(),
        causes=some.dictionaries(some.just("mass"), some.just("TECHNICAL")),
        taken_up=some.none() | some.just(("mass",)),
        given_up=some.none() | some.just(()),
    ),
)


@given(cases)
def test_a_case_is_read_as_it_was_written(case) -> None:
    line = encode_case(case)

    assert "\n" not in line
    assert parse_case(line) == case


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": ""}, "'case' must be text"),
        ({"patient": 7}, "'patient' must be text"),
        ({"order": 1.5}, "'order' must be a whole number"),
        ({"order": True}, "'order' must be a whole number"),
        ({"age_years": -1}, "'age_years'"),
        ({"age_years": True}, "'age_years'"),
        ({"context_only": "yes"}, "true or false"),
        ({"second_read": {"radpeer": "4"}}, "'radpeer' cannot be '4'"),
        ({"surprise": 1}, "unknown field 'surprise'"),
        ({"observations": {}}, "must be a list"),
        ({"observations": [{"finding": "mass", "presence": "MAYBE"}]}, "'presence' cannot be 'MAYBE'"),
        ({"observations": [{"presence": "PRESENT"}]}, "'finding' must be text"),
        ({"detections": [{"detector": "some", "scores": {"mass": 1.2}}]}, "of mass must lie in"),
        ({"detections": [{"detector": "some", "scores": {"mass": float("nan")}}]}, "of mass must lie in"),
        ({"detections": [{"detector": "some", "scores": None}]}, "'scores' must be an object"),
        ({"detections": [3]}, "must be an object"),
        ({"adjudications": [{"finding": "mass", "kind": "WRONG", "confirmed": True}]}, "'kind'"),
        ({"adjudications": [{"finding": "mass", "kind": "POSSIBLE_MISS"}]}, "'confirmed'"),
    ],
)
def test_a_malformed_case_is_refused_with_the_field_named(change, message) -> None:
    with pytest.raises(InvalidFileError, match=message):
        parse_case(json.dumps(LINE | change))


@pytest.mark.parametrize("line", ["{", "[]", "7", '"text"', "{}", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_case_is_refused(line) -> None:
    with pytest.raises(InvalidFileError):
        parse_case(line)


def test_a_malformed_line_is_named_by_its_number_and_empty_lines_are_passed_over(tmp_path) -> None:
    path = tmp_path / "cohort.jsonl"
    path.write_text(json.dumps(LINE) + "\n\n" + json.dumps(LINE | {"order": None}) + "\n", encoding="utf-8")
    found = read_cohort(path)

    assert next(found).case == "1.2.3"
    with pytest.raises(InvalidFileError, match=r"cohort.jsonl, line 3: 'order'"):
        next(found)


def test_a_cohort_that_is_not_there_is_an_input_error(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match="cannot read"):
        list(read_cohort(tmp_path / "none.jsonl"))
