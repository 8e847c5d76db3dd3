"""Of several processes one does a piece of work: who holds a lease, for how long, and after a jump."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from service.store.database import Store
from service.store.leases import NamedLease, kept_lease, release_lease, take_lease
from service.store.schema import leases
from tests.service.material import NOW, after

FIRST = NamedLease(name="work", owner="first", seconds=10.0)
SECOND = replace(FIRST, owner="second")


def until(store: Store) -> object:
    with store.reading() as connection:
        return connection.execute(select(leases.c.until)).scalar_one()


def test_a_lease_is_one_owners_until_it_runs_out(store: Store) -> None:
    assert take_lease(store, FIRST, now=NOW)
    assert not take_lease(store, SECOND, now=after(9.9))
    assert take_lease(store, replace(SECOND, name="other work"), now=NOW)
    assert take_lease(store, SECOND, now=after(10))
    assert not take_lease(store, FIRST, now=after(10))


def test_the_owner_keeps_it_by_taking_it_anew_and_writes_only_when_half_is_over(store: Store) -> None:
    take_lease(store, FIRST, now=NOW)

    assert take_lease(store, FIRST, now=after(4))
    assert until(store) == after(10)
    assert take_lease(store, FIRST, now=after(5))
    assert until(store) == after(15)
    assert not take_lease(store, SECOND, now=after(12))


def test_what_its_owner_releases_is_free_at_once_and_nobody_elses_release_counts(store: Store) -> None:
    take_lease(store, FIRST, now=NOW)

    release_lease(store, SECOND)
    assert not take_lease(store, SECOND, now=NOW)
    release_lease(store, FIRST)
    assert take_lease(store, SECOND, now=NOW)


def test_a_lease_that_a_clock_ahead_of_time_put_down_is_free(store: Store) -> None:
    take_lease(store, FIRST, now=after(86_400))

    assert take_lease(store, SECOND, now=NOW)


def test_of_many_that_ask_at_once_one_gets_it(store: Store) -> None:
    together = threading.Barrier(8)
    taken: list[str] = []

    def ask(owner: str) -> None:
        together.wait()
        if take_lease(store, replace(FIRST, owner=owner), now=NOW):
            taken.append(owner)

    threads = [threading.Thread(target=ask, args=(f"owner {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1


@pytest.mark.parametrize("lease", [replace(FIRST, seconds=0.03)])
def test_a_lease_is_renewed_while_the_work_goes_on(store: Store, lease: NamedLease) -> None:
    renewed = threading.Event()
    times = [NOW, after(0.02), after(0.04)]

    def clock():
        if len(times) == 1:
            renewed.set()
            return times[0]
        return times.pop(0)

    take_lease(store, lease, now=NOW)
    with kept_lease(store, lease, clock=clock):
        assert renewed.wait(60)

    assert until(store) > after(0.03)
