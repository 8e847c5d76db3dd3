"""Counts that the database keeps: equal to a count of every case, whatever happens to the cases."""

import random
from collections import Counter

import pytest
from sqlalchemy import func, select

from overread.case import SECOND_READ, CaseState
from service.store.case_counts import (
    Sides,
    counts_by_state,
    fold_counts,
    listed_kinds,
    listed_sides,
    priority_at,
)
from service.store.case_filter import CaseFilter
from service.store.count_tables import case_count_changes
from service.store.database import Store
from service.store.order import Selection
from service.store.schema import cases
from service.store.worklist import count_cases, list_worklist
from tests.service.material import BLACK, NOW, ready_case, triaged_case
from tests.service.store.plain_cases import SITES, lay_down_cases, plain_cases, settle
from tests.service.store.work import work_of

LINES = (None, 0.0, 0.5, 3.0, 49.999, 50.0, 50.001, 99.9, 100.0)


def listed(store: Store):
    return [case for case in plain_cases(store) if case.state is CaseState.LISTED]


def assert_counts_are_true(store: Store) -> None:
    """Compare everything that is counted with a look at every case."""
    every, waits = plain_cases(store), listed(store)
    by_priority = sorted((case.priority for case in waits), reverse=True)
    with store.reading() as connection:
        assert counts_by_state(connection, everywhere=True) == Counter(case.state.value for case in every)
        for number in {1, len(waits) // 3 + 1, len(waits) // 2 + 1, len(waits)} if waits else ():
            assert priority_at(connection, number) == by_priority[number - 1]
        assert priority_at(connection, len(waits) + 1) is None
        for line in LINES:
            above = [case for case in waits if line is None or case.priority >= line]
            assert listed_sides(connection, line) == Sides(above=len(above), below=len(waits) - len(above))
            kinds = Counter((case.subspecialty, case.actionable) for case in waits)
            shown = Counter((case.subspecialty, case.actionable) for case in above)
            assert listed_kinds(connection, line) == {
                kind: Sides(above=shown[kind], below=count - shown[kind]) for kind, count in kinds.items()
            }


def test_counts_are_those_of_the_cases_whatever_changes(store: Store) -> None:
    assert_counts_are_true(store)
    lay_down_cases(store, 300)
    assert_counts_are_true(store)
    chance = random.Random(2)
    changes = (
        lambda: {"state": CaseState.JUDGED.value},
        lambda: {"state": CaseState.LISTED.value, "priority": chance.uniform(0, 100)},
        lambda: {"priority": float(chance.randrange(101))},
        lambda: {"subspecialty": chance.choice(("cardiac", None)), "actionable": "hours"},
        lambda: {"site": chance.choice(SITES)},
        lambda: {"attempts": 1},  # what is not counted by
    )
    for number in range(60):
        with store.writing() as connection:
            some = cases.c.case_id.in_(chance.sample(range(1, 301), 5))
            connection.execute(cases.update().where(some).values(**chance.choice(changes)()))
        if number % 20 == 0:
            fold_counts(store, changes=1)
            assert_counts_are_true(store)
    assert_counts_are_true(store)
    with store.writing() as connection:
        connection.execute(cases.delete().where(cases.c.case_id <= 100))
    assert_counts_are_true(store)


def test_what_is_undone_is_not_counted(store: Store) -> None:
    lay_down_cases(store, 20)
    with store.writing() as connection, connection.begin_nested() as attempt:
        connection.execute(cases.update().values(state=CaseState.FAILED.value))
        attempt.rollback()
    assert count_cases(store)[CaseState.FAILED] == 0
    assert_counts_are_true(store)


def test_cases_that_go_their_way_are_counted_at_each_step(store: Store) -> None:
    triaged_case(store, 1)
    triaged_case(store, 2, value=BLACK)
    for number in (1, 2):
        ready_case(store, 2 + number)
        assert count_cases(store)[CaseState.READY] == number

    counts = count_cases(store)

    assert {state: count for state, count in counts.items() if count} == Counter(
        case.state for case in plain_cases(store)
    )
    assert not any(counts[state] for state in SECOND_READ)


@pytest.mark.parametrize("sites", [("north",), ("north", "south"), ("nowhere",), ("",), ()])
def test_who_is_bound_to_sites_gets_counts_of_theirs(store: Store, sites) -> None:
    lay_down_cases(store, 200)
    own = [case for case in plain_cases(store) if case.site in sites]
    bound = store.seen_from(sites)

    assert sum(count_cases(bound).values()) == len(own)
    line = list_worklist(bound, now=NOW).line
    waits = [case for case in own if case.state is CaseState.LISTED]
    above = sum(line.priority is None or case.priority >= line.priority for case in waits)
    assert (line.above, line.below, line.is_capped) == (above, len(waits) - above, False)
    assert line.triaged == list_worklist(store, now=NOW).line.triaged  # the line is the same for everybody


def test_a_filter_by_what_counts_are_told_apart_by_is_counted_to_the_last_case(store: Store) -> None:
    lay_down_cases(store, 200)
    wanted = CaseFilter(sites=("north",), subspecialties=("cardiac", "thoracic"))
    line = list_worklist(store, Selection(only=wanted), now=NOW).line
    asked_for = [case for case in listed(store) if case.site == "north" and case.subspecialty is not None]
    above = sum(case.priority >= line.priority for case in asked_for)

    assert (line.above, line.below, line.is_capped) == (above, len(asked_for) - above, False)
    assert list_worklist(store, Selection(only=CaseFilter(findings=("mass",))), now=NOW).line.is_capped


def test_changes_are_added_up_when_there_are_enough_of_them(store: Store) -> None:
    def waiting() -> int:
        with store.reading() as connection:
            return connection.execute(select(func.count()).select_from(case_count_changes)).scalar_one()

    lay_down_cases(store, 30)
    changed = 0 if store.engine.dialect.name == "sqlite" else 30
    assert waiting() == changed
    fold_counts(store, changes=31)
    assert waiting() == changed
    fold_counts(store, changes=30)
    assert waiting() == 0
    assert_counts_are_true(store)


def test_the_line_is_found_deep_in_the_list_with_no_more_work_than_at_its_head(store: Store) -> None:
    lay_down_cases(store, 6000)
    settle(store)

    def find(number: int):
        with store.reading() as connection:
            line = priority_at(connection, number)
            assert line is not None
            return listed_sides(connection, line)

    head, deep = work_of(store, lambda: find(10)), work_of(store, lambda: find(2000))

    assert deep < 2 * head  # walked along the index it would be two hundred times as much
