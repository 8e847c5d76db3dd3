"""The list with a filter and in another order, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from service.store.case_filter import CaseFilter, ReadingState, Sort
from service.store.order import Selection
from service.store.reading_claims import Hold, hold_case
from service.store.schema import cases as table
from service.store.worklist import list_numbers, list_worklist, load_case
from tests.service.material import NOW, after
from tests.service.store.plain_cases import lay_down_cases, plain_cases, settle
from tests.service.store.test_reading_claims import ADA, BOB
from tests.service.store.work import work_of
from tests.service.web.seeing import seen_case


@pytest.fixture
def listed(store) -> list[int]:
    """Four cases on the list: two with a mass, one with a large heart, one with a pneumothorax."""
    findings = ({"mass": 0.9}, {"mass": 0.6}, {"cardiomegaly": 0.9}, {"pneumothorax": 0.9})
    return [seen_case(store, number, findings=given) for number, given in enumerate(findings, 1)]


def numbers(store, *, sort=Sort.ORDER, seconds=1.0, **wanted) -> list[int]:
    selection = Selection(only=CaseFilter(**wanted), sort=sort)
    found = list_worklist(store, selection, now=after(seconds))
    assert tuple(case.case_id for case in found.cases) == list_numbers(
        store, selection, now=after(seconds), limit=50
    )
    assert found.line.above + found.line.below == len(found.cases)
    return [case.case_id for case in found.cases]


def test_the_list_shows_what_is_asked_for_and_counts_it(store, listed) -> None:
    first, second, heart, air = listed

    assert set(numbers(store, findings=("mass",))) == {first, second}
    assert set(numbers(store, findings=("mass", "cardiomegaly"))) == {first, second, heart}
    assert set(numbers(store, kinds=(DiscrepancyKind.POSSIBLE_MISS,))) == set(listed)
    assert numbers(store, kinds=(DiscrepancyKind.LATERALITY_CONFLICT,)) == []
    actionable = load_case(store, air).summary.actionable
    assert air in numbers(store, urgencies=(actionable,))
    assert heart not in numbers(store, urgencies=(actionable,))
    assert numbers(store, subspecialties=("cardiac",)) == [heart]
    assert set(numbers(store, modalities=(load_case(store, air).summary.modality,))) == set(listed)
    assert numbers(store, modalities=("MG",)) == []
    assert numbers(store, case_ids=(heart, 99)) == [heart]
    assert numbers(store, case_ids=()) == []
    assert numbers(store, waited=timedelta(hours=1), seconds=3600.0) == []
    assert set(numbers(store, waited=timedelta(hours=1), seconds=3601.0)) == set(listed)


def test_the_list_shows_what_nobody_reads_what_somebody_does_and_what_i_do(store, listed) -> None:
    first, second, heart, air = listed
    hold_case(store, first, Hold(holder=ADA, at=NOW, seconds=900))
    hold_case(store, heart, Hold(holder=BOB, at=NOW, seconds=60))

    assert set(numbers(store, reading=ReadingState.OPEN)) == {second, air}
    assert set(numbers(store, reading=ReadingState.CLAIMED)) == {first, heart}
    assert numbers(store, reading=ReadingState.MINE, reader=ADA.identifier) == [first]
    assert numbers(store, reading=ReadingState.MINE, reader="person:nobody") == []
    assert numbers(store, reading=ReadingState.CLAIMED, findings=("cardiomegaly",)) == [heart]
    assert set(numbers(store, reading=ReadingState.OPEN, seconds=60.0)) == {second, air, heart}
    found = list_worklist(store, now=after(1))
    assert {number: claim.holder for number, claim in found.claims.items()} == {first: ADA, heart: BOB}


@pytest.mark.parametrize("sort", list(Sort))
def test_every_order_goes_on_over_pages_where_it_was(store, listed, sort) -> None:
    for number, case_id in enumerate(listed):
        _wait_since(store, case_id, number)
    selection = Selection(sort=sort)
    whole = [case.case_id for case in list_worklist(store, selection, now=after(1)).cases]
    walked, place = [], None
    while True:
        page = list_worklist(store, selection, now=after(1), after=place, limit=1)
        walked += [case.case_id for case in page.cases]
        if (place := page.next) is None:
            break

    assert sorted(whole) == sorted(listed)
    assert walked == whole


def test_each_order_is_what_it_says(store, listed) -> None:
    for number, case_id in enumerate(listed):
        _wait_since(store, case_id, -number)
    cases = {case_id: load_case(store, case_id).summary for case_id in listed}

    assert numbers(store, sort=Sort.WAITING) == list(reversed(listed))
    assert numbers(store, sort=Sort.NEWEST) == listed
    assert numbers(store, sort=Sort.CAP) == sorted(listed, key=lambda n: (cases[n].overdue_at, n))
    assert numbers(store, sort=Sort.PRIORITY, seconds=1e9) == sorted(listed, key=lambda n: -cases[n].priority)
    assert numbers(store, sort=Sort.CAP, findings=("mass",)) == sorted(
        listed[:2], key=lambda n: (cases[n].overdue_at, n)
    )


def test_a_side_of_the_line_can_be_sorted_too(store, listed) -> None:
    selection = Selection(sort=Sort.NEWEST, share=0.01)
    above = list_worklist(store, replace(selection, above_line=True), now=after(1))
    below = list_worklist(store, replace(selection, above_line=False), now=after(1))

    assert len(above.cases) == above.line.above
    assert len(below.cases) == below.line.below
    assert sorted(case.case_id for page in (above, below) for case in page.cases) == listed


def test_other_states_stand_in_the_order_of_the_list_and_can_be_filtered(store, listed) -> None:
    everything = Selection(
        states=tuple(CaseState), sort=Sort.NEWEST, only=CaseFilter(urgencies=tuple(Actionable))
    )

    assert {case.case_id for case in list_worklist(store, everything, now=after(1)).cases} == set(listed)


def _wait_since(store, case_id: int, minutes: int) -> None:
    with store.writing() as connection:
        since = NOW + timedelta(minutes=minutes)
        connection.execute(table.update().where(table.c.case_id == case_id).values(waiting_since=since))


@pytest.mark.parametrize(
    ("findings", "sort"),
    [(("mass",), Sort.ORDER), (("aneurysm",), Sort.ORDER), (("aneurysm", "mass"), Sort.WAITING)],
)
def test_a_filter_finds_what_a_look_at_every_case_finds(store, findings, sort) -> None:
    lay_down_cases(store, 4000)  # more than three hundred with a mass, which are found along the list
    with store.writing() as connection:
        some = [case.case_id for case in plain_cases(store) if case.finding][::200]
        connection.execute(table.update().where(table.c.case_id.in_(some)).values(finding="aneurysm"))
    every = [case for case in plain_cases(store) if case.finding in findings]
    long_ago = NOW - timedelta(hours=30)
    waited = CaseFilter(findings=findings, waited=timedelta(hours=30))

    def found(asked, only) -> list[int]:
        return sorted(list_numbers(asked, Selection(only=only, sort=sort), now=NOW, limit=5000))

    assert found(store, CaseFilter(findings=findings)) == [case.case_id for case in every]
    assert found(store, waited) == [case.case_id for case in every if case.waiting_since <= long_ago]
    assert found(store.seen_from(("north",)), waited) == [
        case.case_id for case in every if case.waiting_since <= long_ago and case.site == "north"
    ]


def test_a_rare_finding_and_named_cases_are_found_without_a_walk_along_the_list(store) -> None:
    lay_down_cases(store, 6000, alike=True)
    settle(store)
    walked = {"sqlite": 15_000, "postgresql": 2000}[store.engine.dialect.name]  # one walk along 2400 cases

    for only in (CaseFilter(findings=("aneurysm",)), CaseFilter(case_ids=tuple(range(1, 40)))):
        page = Selection(only=only, share=1.0)
        assert work_of(store, lambda page=page: list_worklist(store, page, now=NOW)) < walked
