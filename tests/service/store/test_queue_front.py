"""A worker looks for work from the front of the queue on, whatever lies dead before it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from service.store.database import Store, open_store
from service.store.queue import claim_case, peek_case, release_case
from service.store.queue_front import QueueFront
from tests.service.conftest import settings_on
from tests.service.material import NOW, after, ready_case

SPACING = 10  # seconds between the cases: more than a case may be put down late
_READ = text("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'ix_cases_state_due_at'")


@pytest.fixture
def postgres_store(request, tmp_path):
    opened = open_store(settings_on("postgresql", request, tmp_path))
    yield opened
    opened.close()


def claimed(store: Store, front: QueueFront, seconds: float) -> int | None:
    found = claim_case(store, worker="w", now=after(seconds), front=front)
    return None if found is None else found.lease.case_id


def test_cases_are_claimed_in_the_order_in_which_they_became_due(store) -> None:
    front = QueueFront()
    third, first, second = (ready_case(store, number, now=after(at)) for number, at in enumerate((30, 0, 20)))

    assert [claimed(store, front, 40) for _ in range(3)] == [first, second, third]
    assert claimed(store, front, 40) is None


def test_what_is_put_down_a_little_late_is_claimed_at_once(store) -> None:
    front = QueueFront()
    assert claimed(store, front, 100) is None

    late = ready_case(store, now=after(96))  # its transaction began before that look, and ended after it

    assert len(peek_case(store, now=after(101), front=front)) == 1
    assert claimed(store, front, 101) == late


def test_what_comes_to_lie_behind_the_front_is_claimed_within_ten_seconds(store) -> None:
    front = QueueFront()
    ready_case(store, 1, now=after(1000))
    assert claimed(store, front, 1000) is not None
    behind = ready_case(store, 2, now=NOW)  # by a machine whose clock is behind

    assert claimed(store, front, 1009) is None
    assert claimed(store, front, 1010) == behind


def test_a_case_that_was_given_back_is_claimed_again(store) -> None:
    front = QueueFront()
    ready_case(store, 1)
    again = claim_case(store, worker="w", now=after(1), front=front)
    release_case(store, again.lease, "stopping", now=after(2), failed=False)

    assert claimed(store, front, 2) == again.lease.case_id


def test_a_clock_that_was_set_back_hides_nothing(store) -> None:
    front = QueueFront()
    assert claimed(store, front, 3600) is None
    earlier = ready_case(store, now=NOW)

    assert claimed(store, front, 0) == earlier


def test_a_snapshot_that_somebody_holds_does_not_slow_the_claims(postgres_store) -> None:
    cases, now = 60, after(60 * SPACING)
    for number in range(cases):
        ready_case(postgres_store, number + 1, now=NOW + timedelta(seconds=number * SPACING))
    held = postgres_store.engine.execution_options(isolation_level="REPEATABLE READ")
    with held.connect() as holder:
        holder.execute(text("SELECT count(*) FROM cases"))
        front = QueueFront()
        for _ in range(40):
            assert claim_case(postgres_store, worker="w", now=now, front=front) is not None
        from_the_front = entries_read(postgres_store, front, now)
        from_the_beginning = entries_read(postgres_store, None, now)

    assert from_the_front <= 5
    assert from_the_beginning >= 40  # so the snapshot did keep what was claimed from being cleared away


def entries_read(store: Store, front: QueueFront | None, now: datetime) -> int:
    """Entries of the index of what is due that one claim reads, dead ones too."""
    before = _read_so_far(store)
    assert claim_case(store, worker="w", now=now, front=front) is not None
    return _read_so_far(store) - before


def _read_so_far(store: Store) -> int:
    store.engine.dispose()  # a session tells what it has counted when it ends, if not before
    with store.engine.connect() as connection:
        return int(connection.execute(_READ).scalar_one())
