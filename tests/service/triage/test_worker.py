import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from overread.case import CaseEvent, CaseState
from overread.errors import ModelError, OutdatedProcessError
from service.store.queue import claim_case, expire_leases
from service.store.worklist import count_cases, load_case
from service.triage.worker import work
from tests.service.counting import counting
from tests.service.material import (
    BLACK,
    CLEAR,
    MASS,
    NOW,
    WHITE,
    MassDetector,
    WordReader,
    after,
    dicom_bytes,
    readers,
    ready_case,
    send_image,
    send_report,
    triage_one,
    triaged_case,
)
from tests.service.store.test_release_watch import upgrade


def drain(store, *, now=NOW, **changed) -> int:
    return work(store, readers(**changed), name="w", clock=lambda: now, stop=threading.Event(), drain=True)


def states(store) -> dict[CaseState, int]:
    return {state: count for state, count in count_cases(store).items() if count}


@pytest.mark.parametrize(
    ("value", "report", "state"),
    [
        (WHITE, CLEAR, CaseState.LISTED),
        (WHITE, MASS, CaseState.CONCORDANT),
        (BLACK, CLEAR, CaseState.CONCORDANT),
    ],
)
def test_a_case_ends_where_report_and_image_take_it(store, value, report, state) -> None:
    case_id = triaged_case(store, value=value, report=report)

    assert load_case(store, case_id).summary.state is state


def test_a_worker_ends_when_its_database_is_brought_to_another_release(store) -> None:
    ready_case(store)
    upgrade(store)

    with pytest.raises(OutdatedProcessError, match="start overread anew"):
        work(store, readers(), name="w", clock=lambda: NOW, stop=threading.Event(), drain=False)


def test_a_study_that_no_detector_is_meant_for_is_not_applicable(store) -> None:
    send_image(store, dicom_bytes(Modality="CT"))
    send_report(store)

    assert drain(store, now=after(30)) == 1
    assert states(store) == {CaseState.NOT_APPLICABLE: 1}


def test_a_worker_closes_quiet_studies_and_triages_everything_that_is_due(store) -> None:
    for number in range(1, 6):
        send_image(store, dicom_bytes(study=f"2.25.{number}", AccessionNumber=f"A{number}"))
        send_report(store, accession=f"A{number}")

    assert drain(store, now=after(29)) == 0
    assert drain(store, now=after(30)) == 5
    assert states(store) == {CaseState.LISTED: 5}


def test_broken_pixels_fail_the_case_with_their_reason_and_stop_no_other(store) -> None:
    bad = ready_case(store, 1)
    good = ready_case(store, 2)
    # Eight rows are stated, the pixels of one are there: the header cannot tell.
    path = load_case(store, bad).instances[0].path
    path.write_bytes(dicom_bytes(PixelData=bytes(8)))

    drain(store)

    assert load_case(store, bad).summary.state is CaseState.FAILED
    assert "2.25.1.1.1" in load_case(store, bad).summary.failure
    assert load_case(store, good).summary.state is CaseState.LISTED


class NotingDetector(MassDetector):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Path, ...]]] = []

    def prefetch(self, instances):
        self.told.append(("prefetch", tuple(instances)))

    def detect(self, instances):
        self.told.append(("detect", tuple(instances)))
        return super().detect(instances)


def test_a_worker_says_which_study_probably_comes_next_before_it_looks(store) -> None:
    for number in (1, 2, 3):
        ready_case(store, number, now=after(number))
    first, second, third = (
        tuple(item.path for item in load_case(store, number).instances) for number in (1, 2, 3)
    )
    detectors = (NotingDetector(), NotingDetector())

    drain(store, now=after(9), detectors=detectors)

    for detector in detectors:
        assert detector.told == [
            ("prefetch", second),
            ("detect", first),
            ("prefetch", third),
            ("detect", second),
            ("detect", third),
        ]


class FaultyDetector(MassDetector):
    """Raises something unexpected, its message being what must not be kept, until told otherwise."""

    def __init__(self, error: Exception, faults: int = 1000) -> None:
        self.error = error
        self.faults = faults

    def detect(self, instances):
        self.faults -= 1
        if self.faults >= 0:
            raise self.error
        return super().detect(instances)


def test_an_unexpected_error_is_tried_again_later(store) -> None:
    case_id = ready_case(store)
    detector = FaultyDetector(RuntimeError("SECRET"), faults=1)

    with counting("overread_triage") as counts:
        assert drain(store, now=NOW, detectors=(detector,)) == 1
        assert states(store) == {CaseState.READY: 1}
        assert drain(store, now=after(5), detectors=(detector,)) == 1
    ends = {name: count for name, count in counts.added.items() if name.startswith("overread_triages")}
    assert ends == {f'overread_triages_total{{end="{end}"}}': 1 for end in ("concluded", "released")}
    assert counts.added["overread_triage_seconds_count"] == 1

    assert states(store) == {CaseState.LISTED: 1}
    released = [event for event in load_case(store, case_id).events if event.event is CaseEvent.RELEASED]
    assert [event.detail for event in released] == ["unexpected RuntimeError"]


def test_an_error_that_stays_fails_the_case_after_bounded_attempts(store, capfd) -> None:
    case_id = ready_case(store)

    attempts = sum(
        drain(store, now=after(3600 * hour), detectors=(FaultyDetector(RuntimeError("SECRET")),))
        for hour in range(8)
    )

    assert attempts == 5
    assert "unexpected RuntimeError" in load_case(store, case_id).summary.failure
    out, err = capfd.readouterr()
    assert "SECRET" not in out + err


def test_a_model_that_is_wrong_stops_the_worker_and_costs_the_case_nothing(store) -> None:
    case_id = ready_case(store)

    with pytest.raises(ModelError):
        drain(store, detectors=(FaultyDetector(ModelError("altered")),))

    case = load_case(store, case_id)
    assert (case.summary.state, case.summary.attempts) == (CaseState.READY, 0)


def test_a_result_whose_lease_was_lost_meanwhile_is_dropped(store) -> None:
    case_id = ready_case(store)

    class RevisedMeanwhile(MassDetector):
        def detect(self, instances):
            send_report(store, MASS)
            return super().detect(instances)

    claimed = claim_case(store, worker="w", now=NOW)
    with counting("overread_triage") as counts:
        triage_one(store, claimed, detectors=(RevisedMeanwhile(),), clock=lambda: NOW)
    assert counts.added == {'overread_triages_total{end="lease_lost"}': 1}

    case = load_case(store, case_id)
    assert (case.summary.state, case.summary.revision, case.triage) == (CaseState.READY, 2, None)


def test_a_failure_whose_lease_was_lost_meanwhile_does_not_fail_the_new_revision(store) -> None:
    case_id = ready_case(store)

    class RevisedMeanwhile(WordReader):
        def read(self, text):
            send_report(store, MASS)
            raise RuntimeError

    claimed = claim_case(store, worker="w", now=NOW)
    triage_one(store, claimed, report_reader=RevisedMeanwhile(), clock=lambda: NOW)

    assert load_case(store, case_id).summary.state is CaseState.READY


def test_a_long_look_keeps_its_lease(store) -> None:
    """Real time: the lease of a second is renewed while the look waits for a second and a half."""
    short = replace(store, settings=store.settings.model_copy(update={"lease_seconds": 1.0}))
    now = datetime.now(UTC)
    case_id = ready_case(short, now=now)
    expired = []

    class SlowDetector(MassDetector):
        def detect(self, instances):
            threading.Event().wait(1.5)
            expired.append(expire_leases(short, now=datetime.now(UTC)))
            return super().detect(instances)

    claimed = claim_case(short, worker="w", now=datetime.now(UTC))
    triage_one(short, claimed, detectors=(SlowDetector(),), clock=lambda: datetime.now(UTC))

    assert expired == [0]
    assert load_case(short, case_id).summary.state is CaseState.LISTED


def test_a_look_that_never_ends_loses_its_lease(store) -> None:
    hung = replace(
        store, settings=store.settings.model_copy(update={"lease_seconds": 0.3, "case_seconds_max": 0.3})
    )
    ready_case(hung, now=datetime.now(UTC))
    expired = []

    class HungDetector(MassDetector):
        def detect(self, instances):
            threading.Event().wait(1.2)
            expired.append(expire_leases(hung, now=datetime.now(UTC)))
            return super().detect(instances)

    claimed = claim_case(hung, worker="w", now=datetime.now(UTC))
    triage_one(hung, claimed, detectors=(HungDetector(),), clock=lambda: datetime.now(UTC))

    assert expired == [1]


def test_a_worker_that_is_told_to_stop_finishes_its_case_and_takes_no_other(store) -> None:
    for number in (1, 2):
        ready_case(store, number)
    stop = threading.Event()

    class StoppingDetector(MassDetector):
        def detect(self, instances):
            stop.set()
            return super().detect(instances)

    claims = work(
        store,
        readers(detectors=(StoppingDetector(),)),
        name="w",
        clock=lambda: NOW,
        stop=stop,
        drain=False,
    )

    assert claims == 1
    assert states(store) == {CaseState.LISTED: 1, CaseState.READY: 1}
