import pytest

from service.store.list_changes import changes_since, mark_now
from service.store.queue import claim_case
from service.store.reading_claims import Hold, hold_case, release_claim
from tests.service.material import CLEAR, MASS, NOW, after, ready_case, triaged_case
from tests.service.store.racing import race
from tests.service.store.test_reading_claims import ADA, stores

__all__ = ("stores",)


def test_what_comes_on_the_list_and_who_takes_it_is_told_once(store) -> None:
    begun = mark_now(store)
    case_id = triaged_case(store, report=CLEAR)
    came = changes_since(store, begun, now=NOW)
    hold_case(store, case_id, Hold(holder=ADA, at=NOW, seconds=900))
    taken = changes_since(store, came.mark, now=NOW)
    release_claim(store, case_id, by=ADA, now=after(1))
    put_back = changes_since(store, taken.mark, now=after(1))
    nothing = changes_since(store, put_back.mark, now=after(2))

    assert (came.is_changed, dict(came.hands)) == (True, {})
    assert (taken.is_changed, taken.hands[case_id].holder) == (False, ADA)
    assert (put_back.is_changed, dict(put_back.hands)) == (False, {case_id: None})
    assert (nothing.is_changed, dict(nothing.hands), nothing.mark) == (False, {}, put_back.mark)


def test_what_never_was_on_the_list_does_not_change_it(store) -> None:
    begun = mark_now(store)
    triaged_case(store, report=MASS)
    ready_case(store, 2)
    claim_case(store, worker="w", now=NOW)

    assert not changes_since(store, begun, now=NOW).is_changed


@pytest.mark.parametrize("at", ["INSERT INTO events"])
def test_an_entry_that_is_seen_after_a_later_one_is_told_all_the_same(stores, at) -> None:
    """On PostgreSQL the numbers of two transactions may be seen in the other order."""
    one, other = stores
    first, second = triaged_case(one, 1, report=CLEAR), triaged_case(one, 2, report=CLEAR)
    begun = mark_now(other)
    told = []

    def overtake() -> None:
        hold_case(other, second, Hold(holder=ADA, at=NOW, seconds=900))
        told.append(changes_since(other, begun, now=NOW))

    race(
        one.engine,
        lambda: hold_case(one, first, Hold(holder=ADA, at=NOW, seconds=900)),
        overtake,
        watch=other.engine,
        at=at,
    )
    assert set(told[0].hands) == {second}
    assert set(changes_since(other, told[0].mark, now=NOW).hands) == {first}
