"""The list's two sides of the line, as a browser without script gets them."""

import httpx

from service.store.database import Store
from tests.service.desk.test_pages import get
from tests.service.web.seeing import seen_case


def long_list(store: Store) -> list[int]:
    """Twelve listed cases, two more than stand above the line in any case; the highest priority first."""
    return [
        seen_case(store, number, findings={"mass": 0.9 - number / 50, "cardiomegaly": 0.01})
        for number in range(1, 13)
    ]


def test_the_list_is_what_stands_above_the_line_and_leads_to_the_rest(
    api: httpx.Client, sqlite_store: Store
) -> None:
    long_list(sqlite_store)
    page = get(api, "/")
    assert "10 of 12 triaged cases, by expected benefit." in page.text
    assert "A10" in page.text
    assert "A11" not in page.text
    assert page.links["2 more below the line"] == "/?part=rest"
    rest = get(api, "/?part=rest")
    assert "2 of 12 triaged cases: what stands below the line" in rest.text
    assert rest.text.index("A11") < rest.text.index("A12")
    assert "A10" not in rest.text
    assert rest.links["Back to the 10 above the line"] == "/"


def test_another_share_is_one_link_away_and_keeps_the_subspecialty(
    api: httpx.Client, sqlite_store: Store
) -> None:
    long_list(sqlite_store)
    page = get(api, "/?for=thoracic&share=20")
    for name, address in (("5 %", "share=5"), ("10 %", "share=10"), ("20 %", "share=20")):
        assert page.links[name] == f"/?for=thoracic&{address}"
    assert page.links["cardiac"] == "/?for=cardiac&share=20"
    assert page.links["2 more below the line"] == "/?for=thoracic&share=20&part=rest"
    assert "a line at a fifth: what waited too long, then thoracic" in page.text
    everything = get(api, "/?share=100")
    assert "12 of 12 triaged cases: all that are listed" in everything.text
    assert "below the line" not in everything.text
    assert "10 of 12" in get(api, "/?share=none").text


def test_a_case_leads_on_along_its_side_of_the_line(api: httpx.Client, sqlite_store: Store) -> None:
    cases = long_list(sqlite_store)
    last = get(api, f"/cases/{cases[9]}?for=thoracic&share=20")
    assert "Next" not in last.links
    assert last.links["Previous"] == f"/cases/{cases[8]}?for=thoracic&share=20"
    below = get(api, f"/cases/{cases[10]}")
    assert below.links["Next"] == f"/cases/{cases[11]}"
    assert "Previous" not in below.links
    assert below.links["← To read"] == "/?part=rest"
    assert "below the line of the list" in below.text
    whole = get(api, f"/cases/{cases[10]}?share=100")
    assert whole.links["Previous"] == f"/cases/{cases[9]}?share=100"


def test_where_a_subspecialty_has_nothing_above_the_line_the_page_says_where_the_rest_is(
    api: httpx.Client, sqlite_store: Store
) -> None:
    long_list(sqlite_store)
    seen_case(sqlite_store, 13, findings={"cardiomegaly": 0.2})
    page = get(api, "/?for=cardiac")
    assert "Nothing above the line" in page.text
    assert page.links["1 more below the line"] == "/?for=cardiac&part=rest"
    assert "Cardiomegaly" in get(api, "/?for=cardiac&part=rest").text
