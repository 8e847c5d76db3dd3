import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from overread.case import CaseEvent, CaseState
from overread.errors import LeaseLostError, NotFoundError, TransitionError
from service.intake.closing import close_study
from service.store.queue import (
    claim_case,
    complete_case,
    expire_leases,
    fail_case,
    peek_case,
    release_case,
    renew_lease,
    retry_case,
)
from service.store.schema import cases
from service.store.worklist import load_case
from service.triage.looks import material_of
from tests.service.material import (
    MASS,
    NOW,
    ROE,
    after,
    dicom_bytes,
    readers,
    ready_case,
    send_image,
    send_report,
)

LEASE = 60.0  # the default


def claim(store, worker="w", now=NOW):
    claimed = claim_case(store, worker=worker, now=now)
    assert claimed is not None
    return claimed


def complete(store, claimed, now=NOW) -> None:
    seen = readers().look(material_of(claimed))
    complete_case(store, claimed, seen.result, reading=seen.reading, detections=seen.detections, now=now)


def state(store, case_id) -> CaseState:
    return load_case(store, case_id).summary.state


def history(store, case_id) -> list[CaseEvent]:
    return [event.event for event in load_case(store, case_id).events]


def test_a_claimed_case_carries_what_its_triage_needs(store) -> None:
    case_id = ready_case(store, report=MASS)

    claimed = claim(store)

    assert claimed.lease.case_id == case_id
    assert claimed.report_text == MASS
    assert [path.read_bytes() for path in claimed.instances] == [dicom_bytes()]
    assert state(store, case_id) is CaseState.IN_TRIAGE


def test_the_case_that_is_due_for_longest_is_claimed_first(store) -> None:
    later, sooner = ready_case(store, 1, now=after(1)), ready_case(store, 2, now=NOW)

    assert [claim(store, now=after(2)).lease.case_id for _ in range(2)] == [sooner, later]
    assert claim_case(store, worker="w", now=after(2)) is None


def test_a_peek_shows_the_images_that_the_next_claim_gives_and_takes_nothing(store) -> None:
    ready_case(store, 1, now=after(1))
    sooner = ready_case(store, 2, now=NOW)
    send_image(store, dicom_bytes(study="2.25.2", number=2, AccessionNumber="A2"), now=NOW)
    close_study(store, "2.25.2", now=NOW)

    assert peek_case(store, now=after(-1)) == ()
    for images in (2, 1):
        peeked = peek_case(store, now=after(2))
        assert peek_case(store, now=after(2)) == peeked
        assert peeked == claim(store, now=after(2)).instances
        assert len(peeked) == images
    assert peek_case(store, now=after(2)) == ()
    assert history(store, sooner).count(CaseEvent.CLAIMED) == 1


def test_a_peek_does_not_show_what_is_not_due_yet(store) -> None:
    ready_case(store)
    release_case(store, claim(store).lease, "a fault", now=NOW, failed=True)

    assert peek_case(store, now=after(4.9)) == ()
    assert peek_case(store, now=after(5)) == claim(store, now=after(5)).instances


def test_workers_that_claim_at_once_never_get_the_same_case(store) -> None:
    cases = {ready_case(store, number) for number in range(1, 13)}
    start = threading.Barrier(4)

    def drain(worker: str) -> list[int]:
        start.wait()
        claimed = []
        while (case := claim_case(store, worker=worker, now=NOW)) is not None:
            claimed.append(case.lease.case_id)
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [case for found in pool.map(drain, "abcd") for case in found]

    assert sorted(claimed) == sorted(cases)


def test_a_result_is_stored_with_everything_that_led_to_it(store) -> None:
    case_id = ready_case(store)
    claimed = claim(store)

    complete(store, claimed, now=after(5))

    case = load_case(store, case_id)
    assert case.summary.state is CaseState.LISTED
    assert case.summary.priority == case.triage.result.priority > 0
    assert case.summary.reasons == case.triage.result.reasons
    assert case.triage.reading.observer.name == "words"
    assert case.triage.detections[0].detector.sha256 == "0" * 64
    assert case.triage.detections[0].operating_point == "half"
    assert case.triage.instances_sha256 == claimed.instances_sha256
    assert case.triaged_report.version == claimed.report_version
    assert case.triage.triaged_at == after(5)
    assert history(store, case_id)[-2:] == [CaseEvent.CLAIMED, CaseEvent.FOUND_DISCREPANT]


def test_a_result_cannot_be_stored_twice(store) -> None:
    ready_case(store)
    claimed = claim(store)
    complete(store, claimed)

    with pytest.raises(LeaseLostError, match="drop"):
        complete(store, claimed)


def test_a_lease_that_ran_out_gives_the_case_to_another_and_the_late_result_is_dropped(store) -> None:
    case_id = ready_case(store)
    slow = claim(store, "slow")

    assert expire_leases(store, now=after(LEASE - 1)) == 0
    assert expire_leases(store, now=after(LEASE)) == 1
    quick = claim(store, "quick", now=after(LEASE + 60))
    with pytest.raises(LeaseLostError):
        complete(store, slow)
    complete(store, quick, now=after(LEASE + 61))

    assert load_case(store, case_id).triage.worker == "quick"


def test_the_same_worker_cannot_use_its_lost_lease_either(store) -> None:
    ready_case(store)
    first = claim(store)
    expire_leases(store, now=after(LEASE))
    claim(store, now=after(LEASE + 60))

    with pytest.raises(LeaseLostError):
        renew_lease(store, first.lease, now=after(LEASE + 61))
    with pytest.raises(LeaseLostError):
        complete(store, first)


def test_a_lease_on_an_earlier_revision_is_lost_to_the_same_worker_too(store) -> None:
    ready_case(store)
    first = claim(store)
    send_report(store, MASS)
    claim(store)

    with pytest.raises(LeaseLostError):
        complete(store, first)


def test_a_lease_from_before_a_person_tried_again_is_lost(store) -> None:
    ready_case(store)
    slow = claim(store, "slow")
    with store.writing() as connection:  # as if it had failed in other hands meanwhile
        connection.execute(cases.update().values(state=CaseState.FAILED.value, attempts=5))
    retry_case(store, slow.lease.case_id, actor=ROE, now=NOW)
    claim(store, "other")

    with pytest.raises(LeaseLostError):
        complete(store, slow)


def test_a_renewed_lease_runs_on(store) -> None:
    ready_case(store)
    claimed = claim(store)

    renew_lease(store, claimed.lease, now=after(LEASE - 1))

    assert expire_leases(store, now=after(LEASE + 1)) == 0
    complete(store, claimed)


def test_a_further_report_takes_the_case_from_its_worker(store) -> None:
    case_id = ready_case(store)
    claimed = claim(store)

    send_report(store, "Now a mass is seen.")

    with pytest.raises(LeaseLostError):
        complete(store, claimed)
    again = claim(store)
    assert (again.lease.revision, again.lease.attempt) == (2, 1)
    assert again.report_text == "Now a mass is seen."
    assert load_case(store, case_id).triage is None


def test_a_further_image_sends_a_triaged_case_back_when_its_study_closes_again(store) -> None:
    case_id = ready_case(store)
    first = claim(store)
    complete(store, first)

    send_image(store, dicom_bytes(number=2), now=after(100))
    assert state(store, case_id) is CaseState.LISTED
    close_study(store, "2.25.1", now=after(200))

    again = claim(store, now=after(200))
    assert len(again.instances) == 2
    assert again.instances_sha256 != first.instances_sha256
    assert again.lease.revision == 2
    complete(store, again, now=after(201))
    assert load_case(store, case_id).triage.revision == 2


def test_a_failed_case_says_why_and_can_be_tried_again_by_a_person(store) -> None:
    case_id = ready_case(store)
    fail_case(store, claim(store).lease, "the pixels are broken", now=NOW)

    assert load_case(store, case_id).summary.failure == "the pixels are broken"
    assert claim_case(store, worker="w", now=after(1e6)) is None
    retry_case(store, case_id, actor=ROE, now=after(5))
    assert claim(store, now=after(5)).lease.attempt == 1
    assert load_case(store, case_id).summary.failure is None


@pytest.mark.parametrize(("attempt", "pause"), [(1, 5), (2, 10), (3, 20), (4, 40)])
def test_the_pause_before_the_next_attempt_doubles(store, attempt, pause) -> None:
    ready_case(store)
    now = NOW
    for _ in range(attempt):
        now += timedelta(hours=1)
        release_case(store, claim(store, now=now).lease, "a fault", now=now, failed=True)

    assert claim_case(store, worker="w", now=now + timedelta(seconds=pause - 0.001)) is None
    assert claim_case(store, worker="w", now=now + timedelta(seconds=pause)) is not None


@pytest.mark.parametrize("end", ["its look raises", "its worker is killed"])
def test_a_case_that_never_succeeds_is_given_up_after_five_attempts(store, end) -> None:
    case_id = ready_case(store)
    now = NOW
    for attempt in range(1, 6):
        assert state(store, case_id) is CaseState.READY
        now += timedelta(hours=1)
        claimed = claim(store, now=now)
        assert claimed.lease.attempt == attempt
        if end == "its look raises":
            release_case(store, claimed.lease, "a fault", now=now, failed=True)
        else:
            now += timedelta(hours=1)
            expire_leases(store, now=now)

    assert state(store, case_id) is CaseState.FAILED
    assert "attempt 5 of 5" in load_case(store, case_id).summary.failure


def test_a_worker_that_stops_gives_its_case_back_uncounted_and_at_once(store) -> None:
    ready_case(store)

    release_case(store, claim(store).lease, "the worker stops", now=NOW, failed=False)

    assert claim(store).lease.attempt == 1


def test_a_case_that_waits_for_its_next_attempt_does_not_hold_up_the_others(store) -> None:
    bad = ready_case(store, 1)
    release_case(store, claim(store).lease, "a fault", now=NOW, failed=True)
    good = ready_case(store, 2, now=after(1))

    assert claim(store, now=after(1)).lease.case_id == good
    assert state(store, bad) is CaseState.READY


def test_only_a_failed_case_can_be_tried_again(store) -> None:
    case_id = ready_case(store)

    with pytest.raises(TransitionError):
        retry_case(store, case_id, actor=ROE, now=NOW)
    with pytest.raises(NotFoundError):
        retry_case(store, case_id + 1, actor=ROE, now=NOW)
