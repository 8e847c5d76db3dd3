"""The line: how many cases stand above it, and that nothing below it overtakes."""

import pytest

from overread.case import CaseState
from overread.errors import InputError
from overread.priority import default_policy, shipped_policy_text
from overread.thresholds import Thresholds, encode_thresholds
from service.store.line import cases_of_share
from service.store.order import Selection
from service.store.policies import activate_policy
from service.store.worklist import list_worklist, load_case
from tests.service.material import BLACK, NOW, ROE, WHITE, after, triaged_case
from tests.service.web.seeing import seen_case

HOUR = 3600


def lower_the_least(store, cases_min: int = 1, more: str = "") -> None:
    """Bring the shipped policy into force with another least number of cases above the line."""
    version = f'version = "{default_policy().version}"'
    text = shipped_policy_text().replace(version, 'version = "site"')
    changed = text.replace("cases_min = 10", f"cases_min = {cases_min}")
    activate_policy(store, changed + more, actor=ROE, now=NOW)


def five_listed_of_ten(store) -> list[int]:
    """Five listed cases, the highest priority first, and five of which nothing is listed."""
    order = [
        triaged_case(store, number, value=value)
        for number, value in enumerate((WHITE, 225, 200, 175, 150), start=1)
    ]
    for number in (6, 7, 8, 9):
        triaged_case(store, number, value=BLACK)
    seen_case(store, 10, not_applicable="no radiograph")
    return order


def page_of(store, seconds: float = 0, **options):
    return list_worklist(store, Selection(**options), now=after(seconds))


def numbers(page) -> list[int]:
    return [case.case_id for case in page.cases]


def above(page) -> list[int]:
    return [case.case_id for case in page.cases if case.above_line]


@pytest.mark.parametrize(
    ("share", "count", "expected"), [(0.1, 324, 33), (0.1, 70, 7), (0.05, 1, 1), (0.2, 0, 0), (1.0, 5, 5)]
)
def test_a_share_of_cases_is_rounded_up(share: float, count: int, expected: int) -> None:
    assert cases_of_share(share, count) == expected


def test_the_share_is_of_all_that_was_triaged_and_the_whole_list_is_returned_in_order(store) -> None:
    lower_the_least(store)
    order = five_listed_of_ten(store)

    page = page_of(store)

    assert numbers(page) == order
    assert above(page) == order[:1]  # a tenth of ten
    assert (page.line.share, page.line.triaged, page.line.above, page.line.below) == (0.1, 10, 1, 4)
    assert page.line.priority == load_case(store, order[0]).summary.priority


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.11, 2), (0.05, 1), (0.5, 5), (0.9, 5), (1.0, 5)])
def test_another_share_may_be_looked_at(store, share: float, count: int) -> None:
    lower_the_least(store)
    order = five_listed_of_ten(store)

    page = page_of(store, share=share)

    assert above(page) == order[:count]
    assert (page.line.share, page.line.above, page.line.below) == (share, count, 5 - count)
    assert numbers(page_of(store, share=share, above_line=True)) == order[:count]
    assert numbers(page_of(store, share=share, above_line=False)) == order[count:]


def test_so_many_cases_stand_above_it_however_few_were_triaged(store) -> None:
    lower_the_least(store, cases_min=3)
    order = five_listed_of_ten(store)

    assert above(page_of(store)) == order[:3]


def test_cases_of_equal_priority_stand_on_the_same_side(store) -> None:
    lower_the_least(store)
    equal = [triaged_case(store, number) for number in (1, 2, 3)]
    weaker = triaged_case(store, 4, value=150)

    page = page_of(store, share=0.25)

    assert above(page) == equal
    assert (page.line.above, page.line.below) == (3, 1)
    assert numbers(page) == [*equal, weaker]


def test_a_site_that_chose_its_thresholds_has_everything_above(store) -> None:
    chosen = Thresholds(version="1", chosen_on="x", probabilities={}, never=frozenset())
    lower_the_least(store, more=f"\n[budget]\nthresholds = '''\n{encode_thresholds(chosen)}'''\n")
    order = five_listed_of_ten(store)

    page = page_of(store)

    assert above(page) == order
    assert (page.line.share, page.line.priority, page.line.below) == (1.0, None, 0)
    assert above(page_of(store, share=0.1)) == order[:1]


def test_what_stands_below_it_never_overtakes_however_long_it_waits(store) -> None:
    lower_the_least(store)
    order = five_listed_of_ten(store)
    first = triaged_case(store, 11, value=WHITE, now=after(60 * HOUR))

    assert numbers(page_of(store, 1000 * HOUR, share=0.2)) == [order[0], order[1], first, *order[2:]]
    assert numbers(page_of(store, 100 * HOUR, share=0.05)) == [order[0], first, *order[1:]]


def test_another_subspecialtys_case_above_it_comes_before_the_own_ones_below(store) -> None:
    lower_the_least(store)
    lungs = five_listed_of_ten(store)
    heart = seen_case(store, 11, findings=("cardiomegaly",))
    half_of_the_time = 36 * HOUR + 2

    page = page_of(store, half_of_the_time, subspecialty="cardiac", share=0.1)

    assert numbers(page) == [*lungs[:2], heart, *lungs[2:]]
    assert (page.line.above, page.line.below) == (2, 4)
    early = page_of(store, subspecialty="cardiac", share=0.1)  # the others may still take theirs
    assert (numbers(early), early.line.above, early.line.below) == ([heart], 0, 1)


def test_pages_keep_the_line_of_the_first_while_cases_come(store) -> None:
    lower_the_least(store)
    order = five_listed_of_ten(store)
    whole = page_of(store, 100 * HOUR, share=0.2).line

    pages, position = [], None
    for number in (11, 12, 13, 14, 15):
        page = list_worklist(store, Selection(share=0.2), now=after(100 * HOUR), after=position, limit=1)
        assert page.line == whole
        pages += numbers(page)
        position = page.next
        triaged_case(store, number, value=130)  # as things stand now, it moves the line

    assert pages == order


def test_other_states_stand_on_no_side(store) -> None:
    order = five_listed_of_ten(store)

    concordant = page_of(store, states=[CaseState.CONCORDANT])
    everything = page_of(store, states=list(CaseState))

    assert (concordant.line, above(concordant)) == (None, [])
    assert above(everything) == order
    assert page_of(store, states=[CaseState.CONCORDANT], above_line=False).cases == ()


def test_one_case_says_on_which_side_it_stands(store) -> None:
    lower_the_least(store)
    order = five_listed_of_ten(store)

    assert [load_case(store, number).summary.above_line for number in order[:2]] == [True, False]
    assert load_case(store, order[1], share=0.2).summary.above_line
    assert not load_case(store, 6).summary.above_line


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_what_is_no_share_is_refused(sqlite_store, share: float) -> None:
    with pytest.raises(InputError, match="share"):
        page_of(sqlite_store, share=share)
