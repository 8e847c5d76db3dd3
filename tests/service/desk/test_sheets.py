"""Long texts on a page: parts of bounded size, which end at a line or a word."""

import html
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.report import load_reader
from service.desk.sheets import SHEET_CHARACTERS, breakable, chosen_sheet, sheets_of
from service.store.database import Store
from service.store.quarantine import list_quarantine
from tests.service.material import send_report
from tests.service.web.seeing import seen_case

ENDLESS = 999_000  # characters; a report reader reads a million
PAGE = {"accept": "text/html"}
BYTES_MAX = 400_000  # of a page, whatever the report


@given(st.text(alphabet="ab \n", min_size=0, max_size=400), st.integers(min_value=0, max_value=4))
def test_the_sheets_of_a_text_joined_are_the_text(text, blanks) -> None:
    text = (text + "x" * 7000 + "\n" * blanks) * 8
    sheets = sheets_of(text)

    assert "".join(text[sheet.start : sheet.end] for sheet in sheets) == text
    assert all(sheet.end - sheet.start <= SHEET_CHARACTERS for sheet in sheets)
    assert [sheet.number for sheet in sheets] == list(range(1, len(sheets) + 1))


def test_a_sheet_ends_at_a_line_else_at_a_word_else_anywhere() -> None:
    line = "word " * 3700 + "\n"  # ends within the last quarter
    first, *_ = sheets_of(line + "word " * 4000)
    assert first.end == len(line)
    assert sheets_of("word " * 8000)[0].end % 5 == 0
    assert sheets_of("a" * 30_000)[0].end == SHEET_CHARACTERS
    assert len(sheets_of("")) == 1


def test_the_sheet_that_is_asked_for_is_shown_else_the_one_with_the_place() -> None:
    sheets = sheets_of("a" * 50_000)

    assert [chosen_sheet(sheets, number, None).number for number in (None, 1, 3, 99)] == [1, 1, 3, 3]
    assert [chosen_sheet(sheets, None, place).number for place in (0, 19_999, 20_000, 49_999)] == [1, 1, 2, 3]


def test_an_endless_word_may_be_broken_and_markup_in_it_stays_text() -> None:
    word = "<b>" + "a" * 250
    shown = breakable(f"One {word} & more")

    assert html.unescape(shown.replace("<wbr>", "")) == f"One {word} & more"
    assert "<b>" not in shown
    assert max(len(html.unescape(run)) for run in re.split(r"<wbr>|\s", shown)) == 100
    assert "<wbr>" not in breakable("a" * 100 + " b")


@pytest.mark.parametrize(
    "text",
    ["FINDINGS: " + "a" * ENDLESS, "FINDINGS: " + "The heart is enlarged. " * 43_000],
    ids=["a word", "statements"],
)
def test_the_page_of_the_longest_report_is_of_bounded_size(
    api: httpx.Client, sqlite_store: Store, text: str
) -> None:
    case_id = seen_case(sqlite_store, report=text, findings=("cardiomegaly", "mass"), reader=load_reader())

    page = api.get(f"/cases/{case_id}", headers=PAGE)
    last = api.get(f"/cases/{case_id}?sheet=9999", headers=PAGE)

    assert max(len(page.content), len(last.content), len(api.get("/", headers=PAGE).content)) < BYTES_MAX
    assert "Part 1 of 50" in page.text
    assert f'href="/cases/{case_id}?finding=1&amp;sheet=2#report">Next part</a>' in page.text
    assert "Part 50 of 50" in last.text


def test_a_long_report_is_opened_where_the_finding_is(api: httpx.Client, sqlite_store: Store) -> None:
    text = "FINDINGS: " + "Nothing of note. " * 4000 + "There is no mass."
    case_id = seen_case(sqlite_store, report=text, findings=("mass",), reader=load_reader())

    page = api.get(f"/cases/{case_id}", headers=PAGE).text
    assert "Part 4 of 4" in page
    assert '<mark class="current">' in page
    assert '<mark class="current">' not in api.get(f"/cases/{case_id}?sheet=2", headers=PAGE).text


def test_a_long_refused_report_is_shown_in_parts(api: httpx.Client, sqlite_store: Store) -> None:
    with pytest.raises(Exception, match="accession"):
        send_report(sqlite_store, "a" * 50_000, accession=None, patient="P9")
    (entry,) = list_quarantine(sqlite_store)

    page = api.get(f"/quarantine/{entry.quarantine_id}?reveal=yes&sheet=3", headers=PAGE).text
    assert "Part 3 of 3" in page
    assert f'href="/quarantine/{entry.quarantine_id}?reveal=yes&amp;sheet=2#content"' in page
