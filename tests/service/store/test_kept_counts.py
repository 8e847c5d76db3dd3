from dataclasses import replace

import pytest

from overread.case import CaseState
from service.store.kept_counts import KeptCounts
from service.store.worklist import count_cases
from tests.service.material import ready_case, triaged_case
from tests.service.waiting import eventually


def test_counts_are_exact_while_there_are_few_cases(store) -> None:
    for number in range(1, 4):
        ready_case(store, number)
        assert count_cases(store)[CaseState.READY] == number


def test_of_very_many_cases_the_last_counts_are_given_out_for_a_while(store) -> None:
    store = replace(store, counts=KeptCounts(kept_from=2))
    for number in (1, 2):
        ready_case(store, number)
    assert count_cases(store)[CaseState.READY] == 2
    ready_case(store, 3)
    assert count_cases(store)[CaseState.READY] == 2


def test_a_thread_counts_again_while_the_last_counts_are_given_out(store) -> None:
    store = replace(store, counts=KeptCounts(kept_from=1, fresh_seconds=0.0))
    ready_case(store, 1)
    assert count_cases(store)[CaseState.READY] == 1
    ready_case(store, 2)
    eventually(lambda: count_cases(store)[CaseState.READY] == 2)


def test_counts_that_are_too_old_are_counted_at_once(store) -> None:
    store = replace(store, counts=KeptCounts(kept_from=1, stale_seconds=0.0))
    for number in (1, 2):
        ready_case(store, number)
        assert count_cases(store)[CaseState.READY] == number


@pytest.mark.parametrize("sites", [("a",), ()])
def test_who_is_bound_to_sites_gets_counts_of_theirs(store, sites) -> None:
    triaged_case(store)

    assert sum(count_cases(store).values()) == 1
    assert sum(count_cases(store.seen_from(sites)).values()) == 0
