import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from overread.case import CaseState
from overread.errors import (
    ConfigurationError,
    InvalidDicomError,
    NotFoundError,
    OutOfResourcesError,
    RemovedError,
)
from service.intake.closing import close_study
from service.intake.receipt import ReceiptOutcome
from service.maintenance.retention import RetentionCount, has_retention, retain, retain_daily
from service.store.database import Store
from service.store.leases import NamedLease, take_lease
from service.store.quarantine import discard, list_quarantine, load_entry
from service.store.queue import claim_case
from service.store.records import ReportStatus
from service.store.removal import Removal, drop_removed, mark_removed, restore_instance
from service.store.worklist import list_worklist, load_case, load_instance
from tests.service.material import (
    BLACK,
    CLEAR,
    MASS,
    NOW,
    ROE,
    WHITE,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triage_one,
    triaged_case,
)

DAY = timedelta(days=1)


def keeping(store: Store, **days: float) -> Store:
    """The same store under other settings."""
    return replace(
        store, settings=store.settings.model_copy(update={f"keep_days_{k}": v for k, v in days.items()})
    )


def run(store: Store, days_later: float, *, dry_run: bool = False) -> RetentionCount:
    counts = retain(store, now=NOW + days_later * DAY, dry_run=dry_run)
    return sum(counts, start=RetentionCount())


def concordant(store: Store, number: int = 1) -> int:
    case_id = triaged_case(store, number, value=BLACK, report=CLEAR)
    assert load_case(store, case_id).summary.state is CaseState.CONCORDANT
    return case_id


def uid(number: int = 1) -> str:
    return f"2.25.{number}.1.1"


def test_pixels_of_a_concordant_case_go_after_its_days_and_all_else_stays(store) -> None:
    case_id = concordant(store)
    before = load_case(store, case_id)
    kept = keeping(store, concordant=30)
    size = before.instances[0].size_bytes

    assert run(kept, 29.9) == RetentionCount()
    assert run(kept, 30) == RetentionCount(instances=1, instance_bytes=size)
    assert run(kept, 31) == RetentionCount()

    now = load_case(store, case_id)
    assert (now.summary, now.reports, now.triage, now.events) == (
        before.summary,
        before.reports,
        before.triage,
        before.events,
    )
    assert now.instances[0].removed_at == NOW + 30 * DAY
    assert "CONCORDANT for 30 days" in now.instances[0].removed_why
    assert store.files.objects.size_of(before.instances[0].sha256) is None
    with pytest.raises(RemovedError, match="pixels removed on 2026-03-31"):
        _ = now.instances[0].path


def test_the_days_count_from_the_last_change_of_the_case(store) -> None:
    send_image(store, dicom_bytes(value=BLACK))
    close_study(store, "2.25.1", now=NOW)
    send_report(store, now=NOW + 20 * DAY)
    claimed = claim_case(store, worker="w", now=NOW + 20 * DAY)
    triage_one(store, claimed, clock=lambda: NOW + 20 * DAY)
    kept = keeping(store, concordant=30)

    assert [run(kept, day).instances for day in (31, 49.9, 50)] == [0, 0, 1]


def test_without_a_setting_everything_is_kept(store) -> None:
    concordant(store)

    assert not has_retention(store.settings)
    assert run(store, 10_000) == RetentionCount()
    with pytest.raises(ConfigurationError, match="OVERREAD_KEEP_DAYS"):
        retain_daily(store, clock=lambda: NOW, stop=threading.Event())


def test_each_state_has_its_own_time_and_what_is_open_keeps_everything(store) -> None:
    concordant(store, 1)
    not_applicable = ready_case(store, 2)
    claimed = claim_case(store, worker="w", now=NOW)
    triage_one(store, claimed, clock=lambda: NOW, detectors=())
    triaged_case(store, 3, value=WHITE)  # listed
    ready_case(store, 4)
    send_image(store, dicom_bytes(study="2.25.5", AccessionNumber="A5"))  # no report yet
    close_study(store, "2.25.5", now=NOW)
    send_image(store, dicom_bytes(study="2.25.6", AccessionNumber="A6"))  # not closed yet
    kept = keeping(store, concordant=1, not_applicable=5)

    states = {load_case(store, not_applicable).summary.state}
    gone = [run(kept, 2).instances, run(kept, 6).instances, run(kept, 10_000).instances]

    assert gone == [1, 1 if states == {CaseState.NOT_APPLICABLE} else 0, 0]
    assert [load_instance(store, uid(number)).removed_at is not None for number in range(3, 7)] == [False] * 4


def test_a_dry_run_says_what_would_go_and_removes_nothing(store) -> None:
    concordant(store)
    kept = keeping(store, concordant=0)

    assert run(kept, 1, dry_run=True).instances == 1
    assert load_instance(store, uid()).path.exists()
    assert run(kept, 1).instances == 1


def test_a_case_that_got_a_further_image_is_open_again(store) -> None:
    concordant(store)
    send_image(store, dicom_bytes(number=2), now=after(1))

    assert run(keeping(store, concordant=0), 1) == RetentionCount()


def test_a_case_that_changed_state_in_the_meantime_keeps_its_pixels(store) -> None:
    case_id = concordant(store)
    send_report(store, MASS, status=ReportStatus.CORRECTED, now=after(5))
    assert load_case(store, case_id).summary.state is CaseState.READY

    removal = Removal(at=NOW, why="test", state=CaseState.CONCORDANT)

    assert mark_removed(store, "2.25.1", [uid()], removal) == 0
    assert load_instance(store, uid()).removed_at is None


def test_a_study_that_is_sent_again_is_kept_again_from_then_on(store) -> None:
    case_id = concordant(store)
    kept = keeping(store, concordant=30)
    run(kept, 30)

    receipt = send_image(store, dicom_bytes(value=BLACK), now=NOW + 40 * DAY)

    assert receipt.outcome is ReceiptOutcome.ALREADY_STORED
    instance = load_instance(store, uid())
    assert (instance.removed_at, instance.removed_why) == (None, None)
    assert instance.path.read_bytes() == dicom_bytes(value=BLACK)
    assert load_case(store, case_id).summary.state is CaseState.CONCORDANT
    assert (run(kept, 69).instances, run(kept, 70).instances) == (0, 1)


def test_what_comes_again_between_the_record_and_the_removal_keeps_its_bytes(store) -> None:
    concordant(store)
    removal = Removal(at=NOW, why="test", state=CaseState.CONCORDANT)
    assert mark_removed(store, "2.25.1", [uid()], removal) == 1

    send_image(store, dicom_bytes(value=BLACK))

    assert not drop_removed(store, uid())
    assert load_instance(store, uid()).path.read_bytes() == dicom_bytes(value=BLACK)


def test_what_is_removed_in_the_moment_it_comes_again_is_not_acknowledged(store) -> None:
    concordant(store)
    removal = Removal(at=NOW, why="test", state=CaseState.CONCORDANT)
    mark_removed(store, "2.25.1", [uid()], removal)
    assert drop_removed(store, uid())

    with pytest.raises(OutOfResourcesError, match="try again"):
        restore_instance(store, uid(), now=after(1))

    assert load_instance(store, uid()).removed_at == NOW


def test_a_report_that_is_corrected_after_the_pixels_went_is_compared_with_what_was_seen(store) -> None:
    case_id = concordant(store)
    run(keeping(store, concordant=30), 30)
    seen = load_case(store, case_id).triage.detections
    send_report(store, MASS, status=ReportStatus.CORRECTED, now=NOW + 31 * DAY)

    claimed = claim_case(store, worker="w", now=NOW + 32 * DAY)
    triage_one(store, claimed, clock=lambda: NOW + 32 * DAY)

    case = load_case(store, case_id)
    assert (case.summary.revision, case.triage.revision) == (2, 2)
    assert case.triage.detections == seen
    assert case.summary.state in {CaseState.LISTED, CaseState.CONCORDANT}


def test_a_case_whose_images_are_partly_gone_fails_with_the_reason(store) -> None:
    case_id = concordant(store)
    run(keeping(store, concordant=30), 30)
    send_image(store, dicom_bytes(number=2), now=NOW + 31 * DAY)
    close_study(store, "2.25.1", now=NOW + 31 * DAY)

    claimed = claim_case(store, worker="w", now=NOW + 32 * DAY)
    triage_one(store, claimed, clock=lambda: NOW + 32 * DAY)

    summary = load_case(store, case_id).summary
    assert summary.state is CaseState.FAILED
    assert "removed on 2026-03-31" in summary.failure


def test_refused_bytes_go_after_days_of_their_own_and_the_entry_stays(store) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDicomError):
            send_image(store, b"text")
    kept = keeping(store, quarantine=7)
    assert run(kept, 8, dry_run=True) == run(kept, 8) == RetentionCount()  # it waits for a person
    discard(store, 1, actor=ROE, because="no image", now=NOW)

    assert run(kept, 6.9) == RetentionCount()
    assert run(kept, 7) == RetentionCount(refused=1, refused_bytes=4)
    assert run(kept, 8) == RetentionCount()

    (entry,) = list_quarantine(store)
    assert (entry.reason, entry.removed_at) == ("INVALID_DICOM", NOW + 7 * DAY)
    with pytest.raises(RemovedError, match="bytes removed on 2026-03-08"):
        _ = entry.path
    with pytest.raises(NotFoundError):
        store.files.quarantine_path_of(entry.sha256)


def test_what_is_refused_again_after_its_bytes_went_is_kept_again(store) -> None:
    with pytest.raises(InvalidDicomError):
        send_image(store, b"text")
    kept = keeping(store, quarantine=7)
    discard(store, 1, actor=ROE, because="no image", now=NOW)
    run(kept, 7)

    with pytest.raises(InvalidDicomError):
        send_image(store, b"text", now=NOW + 9 * DAY)

    entry = load_entry(store, 1)
    assert (entry.removed_at, entry.path.read_bytes()) == (None, b"text")
    assert run(kept, 10) == RetentionCount()


def test_the_daily_run_stops_when_it_is_told_to(store) -> None:
    concordant(store)
    stop = threading.Event()

    def clock():
        stop.set()
        return NOW + DAY

    retain_daily(keeping(store, concordant=0), clock=clock, stop=stop)

    assert list_worklist(store, now=NOW).cases == ()
    assert load_instance(store, uid()).removed_at == NOW + DAY


def test_of_two_daily_runs_one_removes_what_is_over_its_time(store) -> None:
    concordant(store)
    take_lease(store, NamedLease(name="retention", owner="another machine", seconds=86_400.0), now=NOW + DAY)
    stop = threading.Event()

    def clock():
        stop.set()
        return NOW + DAY

    retain_daily(keeping(store, concordant=0), clock=clock, stop=stop)

    assert load_instance(store, uid()).removed_at is None
