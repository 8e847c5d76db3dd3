"""Of several workers one keeps the queue in order."""

import threading

from overread.case import CaseState
from service.store.queue import claim_case
from service.store.workers import WorkerRecord, alive_workers, note_worker
from service.store.worklist import count_cases
from service.triage.housekeeping import Housekeeping
from service.triage.worker import work
from tests.service.material import NOW, MassDetector, after, dicom_bytes, readers, send_image, send_report


def arrived(store) -> None:
    send_image(store, dicom_bytes())
    send_report(store)


def ready(store) -> int:
    return count_cases(store)[CaseState.READY]


def test_a_second_worker_leaves_it_to_the_first_until_that_ends_or_falls_silent(store) -> None:
    arrived(store)
    now = [NOW]
    with Housekeeping(store, worker="first", clock=lambda: now[0]) as first:
        first.do()
        now[0] = after(2)
        with Housekeeping(store, worker="second", clock=lambda: after(60)) as early:
            early.do()
            assert ready(store) == 1  # the first has fallen silent for a minute
    send_image(store, dicom_bytes(study="2.25.2", AccessionNumber="A2"))
    send_report(store, accession="A2")
    with Housekeeping(store, worker="first", clock=lambda: after(0)) as first:
        first.do()
        with Housekeeping(store, worker="second", clock=lambda: after(5)) as second:
            second.do()
            assert ready(store) == 1
    with Housekeeping(store, worker="second", clock=lambda: after(31)) as second:
        second.do()
        assert ready(store) == 2


def test_rows_of_workers_that_died_are_removed(store) -> None:
    dead = WorkerRecord(
        name="dead", host="a", pid=1, release="0", detectors=(), started_at=NOW, seen_at=NOW, case_id=3
    )
    note_worker(store, dead)
    with Housekeeping(store, worker="w", clock=lambda: after(600)) as housekeeping:
        housekeeping.do()

    assert alive_workers(store, now=NOW) == ()


def test_a_worker_is_known_with_its_case_while_it_works_and_gone_when_it_ends(store) -> None:
    arrived(store)
    seen = []

    class Looking(MassDetector):
        def detect(self, instances):
            for _ in range(6000):  # its row says so within seconds
                if any(worker.case_id for worker in alive_workers(store, now=after(40))):
                    break
                threading.Event().wait(0.05)
            seen.extend(alive_workers(store, now=after(40)))
            return super().detect(instances)

    stop = threading.Event()
    tools = readers(detectors=(Looking(),))
    assert work(store, tools, name="w", clock=lambda: after(40), stop=stop, drain=True) == 1

    (worker,) = seen
    assert (worker.name, worker.case_id, worker.seen_at) == ("w", 1, after(40))
    assert worker.detectors == (f"{MassDetector.identity.name} {MassDetector.identity.version}",)
    assert alive_workers(store, now=after(40)) == ()


def test_a_dead_workers_case_is_given_back_by_whoever_has_the_lease(store) -> None:
    arrived(store)
    with Housekeeping(store, worker="first", clock=lambda: after(30)) as first:
        first.do()
    claim_case(store, worker="dead", now=after(31))
    with Housekeeping(store, worker="second", clock=lambda: after(92)) as second:
        second.do()

    assert ready(store) == 1
