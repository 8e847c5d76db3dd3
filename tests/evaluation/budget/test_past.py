import re
from pathlib import Path

import pytest

from evaluation.budget.past import load_adjudicated, load_calendar, load_past
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.priority import default_policy
from tests.evaluation.budget.past_cases import DATES, ROWS, VOCABULARY, write

JOINT = "a,lung_lesion,POSSIBLE_MISS,0.1,2,mass|nodule\n"
MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


@pytest.mark.parametrize(
    "text", [ROWS, re.sub(r",[a-z|_]*$", "", ROWS.replace(JOINT, ""), flags=re.MULTILINE)]
)
def test_a_row_that_joins_others_is_left_out(tmp_path: Path, text: str) -> None:
    past = load_past(write(tmp_path, rows=text)["rows"], VOCABULARY, default_policy())

    assert past.cases == ("a", "b", "c", "d", "e")
    assert past.pairs == (("pneumothorax", MISS), ("opacity", MISS), ("opacity", OVERCALL))
    assert past.rows.probability.tolist() == [0.8, 0.1, 0.9, 0.5, 0.05, 0.3]
    assert past.rows.benefit.tolist() == [80, 2, 18, 10, 5, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS.replace(",kind", ""), "lacks the column kind"),
        (ROWS.replace("0.9,18", "1.9,18"), "line 5: '1.9' is not a number from 0 to 1"),
        (ROWS.replace("0.9,18", "nan,18"), "line 5: 'nan' is not a number"),
        (ROWS.replace("b,opacity", "b,opacities"), "'opacities' is no finding"),
        (ROWS.replace("POSSIBLE_OVERCALL", "OVERCALL"), "'OVERCALL' is no kind"),
        (ROWS + "b,opacity,POSSIBLE_MISS,0.2,4,\n", "two rows of the same case"),
        (ROWS + "b,opacity\n", "a row with too few values"),
        (ROWS.splitlines()[0], "holds no row"),
        (ROWS.replace("0.9,18", "0.9,180"), "line 5: '180' is not a number from 0 to 100"),
    ],
)
def test_a_mistake_in_the_ranked_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidFileError, match=message):
        load_past(write(tmp_path, rows=text)["rows"], VOCABULARY, default_policy())


def test_days_are_those_that_the_file_names_with_or_without_ranked_cases(tmp_path: Path) -> None:
    calendar = load_calendar(write(tmp_path)["dates"], ("a", "b", "c", "d", "e"))

    assert calendar.days == 4
    assert calendar.day_of is not None
    assert calendar.day_of.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DATES.replace("b,2026-11-02\n", ""), "no date for the ranked case b"),
        (DATES.replace("b,2026-11-02", "b,2.11.2026"), "line 3: '2.11.2026' is not a date"),
    ],
)
def test_a_mistake_in_the_dates_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidFileError, match=message):
        load_calendar(write(tmp_path, dates=text)["dates"], ("a", "b"))


def test_adjudications_count_for_the_finding_and_kind_of_a_ranked_case(tmp_path: Path) -> None:
    adjudicated = load_adjudicated(write(tmp_path)["adjudicated"], ("a", "b", "c", "d", "e"), VOCABULARY)

    assert adjudicated.case.tolist() == [0, 1, 2, 3]
    assert adjudicated.patient.tolist() == ["p", "q", "r", "s"]
    pneumothorax, opacity = ("pneumothorax", MISS), ("opacity", MISS)
    assert adjudicated.confirmed == ((pneumothorax,), (opacity,), (), (pneumothorax,))
    assert adjudicated.judged == ((pneumothorax,), (opacity,), (opacity,), (pneumothorax,))


def test_a_cohort_that_adjudicates_none_of_the_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="no adjudication of a ranked case"):
        load_adjudicated(write(tmp_path)["adjudicated"], ("x",), VOCABULARY)
