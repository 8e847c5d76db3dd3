import pytest

from overread.spreadsheet import as_cell, from_cell

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_is_text_and_comes_back_as_it_was(text: str) -> None:
    cell = as_cell(text)

    assert cell == f"'{text}"
    assert from_cell(cell) == text


@pytest.mark.parametrize("text", ["", "No mass.", "'quoted'", "a=b", " =1", "'", "12"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert as_cell(text) == text
    assert from_cell(text) == text
