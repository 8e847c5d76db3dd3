"""Clocks that jump, in either direction: nothing is lost, or done twice, or waits for the jump to pass."""

from datetime import timedelta

import pytest

from overread.case import CaseEvent, CaseState
from service.intake.closing import close_quiet_studies
from service.store.database import Store
from service.store.queue import claim_case, expire_leases, peek_case, release_case, renew_lease
from service.store.worklist import count_cases, load_case
from tests.service.material import NOW, after, dicom_bytes, ready_case, send_image, send_report, triage_one

DAY = 86_400.0
LEASE = 60.0  # the default, in seconds
QUIET = 30.0


def states(store: Store) -> dict[CaseState, int]:
    return {state: count for state, count in count_cases(store).items() if count}


@pytest.mark.parametrize("jump", [-DAY, -3600.0, DAY])
def test_what_waits_is_claimed_after_a_jump(store: Store, jump: float) -> None:
    case_id = ready_case(store)

    assert len(peek_case(store, now=after(jump))) == 1
    claimed = claim_case(store, worker="w", now=after(jump))

    assert claimed is not None
    triage_one(store, claimed, clock=lambda: after(jump))
    assert load_case(store, case_id).summary.state is CaseState.LISTED


def test_a_pause_before_the_next_attempt_is_no_jump(store: Store) -> None:
    ready_case(store)
    for attempt in range(1, 5):
        claimed = claim_case(store, worker="w", now=after(1000 * attempt))
        assert claimed is not None
        release_case(store, claimed.lease, "busy", now=after(1000 * attempt), failed=True)
        assert claim_case(store, worker="w", now=after(1000 * attempt)) is None


def test_the_case_of_a_dead_worker_is_free_again_after_a_jump_back(store: Store) -> None:
    case_id = ready_case(store)
    claim_case(store, worker="dead", now=NOW)

    assert expire_leases(store, now=after(LEASE - 1)) == 0
    assert expire_leases(store, now=after(-DAY)) == 1

    assert load_case(store, case_id).summary.state is CaseState.READY


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_worker_at_work_during_a_jump_concludes_once_or_not_at_all(store: Store, jump: float) -> None:
    case_id = ready_case(store)
    first = claim_case(store, worker="first", now=NOW)
    assert first is not None

    expire_leases(store, now=after(jump))  # another worker, which keeps house
    second = claim_case(store, worker="second", now=after(jump + 60))
    assert second is not None
    triage_one(store, second, clock=lambda: after(jump + 60))
    triage_one(store, first, clock=lambda: after(jump + 60))

    events = [event.event for event in load_case(store, case_id).events]
    assert events.count(CaseEvent.FOUND_DISCREPANT) == 1


def test_a_living_worker_keeps_its_case_over_a_small_jump(store: Store) -> None:
    ready_case(store)
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None

    renew_lease(store, claimed.lease, now=after(-60))

    assert expire_leases(store, now=after(-60)) == 0
    triage_one(store, claimed, clock=lambda: after(-59))
    assert states(store) == {CaseState.LISTED: 1}


def test_a_study_whose_images_came_before_a_jump_back_is_closed(store: Store) -> None:
    send_image(store)
    send_report(store)

    assert close_quiet_studies(store, now=after(-60)) == 0  # the clocks of two machines may differ
    assert close_quiet_studies(store, now=after(-DAY)) == 1
    assert states(store) == {CaseState.READY: 1}


def test_a_study_that_a_jump_forward_closed_takes_its_further_images(store: Store) -> None:
    send_image(store)
    send_report(store)
    assert close_quiet_studies(store, now=after(DAY)) == 1
    claimed = claim_case(store, worker="w", now=after(DAY))
    assert claimed is not None
    triage_one(store, claimed, clock=lambda: after(DAY))

    send_image(store, dicom_bytes(number=2), now=after(1))  # the clock has been put right
    assert close_quiet_studies(store, now=after(1 + QUIET)) == 1

    again = claim_case(store, worker="w", now=after(1 + QUIET) + timedelta(seconds=1))
    assert again is not None
    assert len(again.instances) == 2
    assert again.lease.revision == 2
