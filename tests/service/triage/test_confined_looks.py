"""Looks in a child process: what goes wrong there costs one case, and the worker nothing."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from overread.appearance import Appearance
from overread.case import CaseEvent, CaseState
from overread.errors import LostProcessError, ModelError
from service.store.database import Store
from service.store.drift import kept_appearance
from service.store.history import concluded_cases
from service.store.json_format import from_json
from service.store.queue import claim_case
from service.store.records import ReportStatus
from service.store.shadows import walk_shadows
from service.store.worklist import load_case
from service.triage.confined_looks import ConfinedLooks
from service.triage.looks import material_of
from service.triage.worker import work
from tests.service.counting import counting
from tests.service.material import BLACK, MASS, NOW, WHITE, after, readers, ready_case, send_report
from tests.service.triage import child_tools

AMPLE_SECONDS = 300.0


@contextmanager
def looking(
    store: Store, load, *, seconds: float = AMPLE_SECONDS, memory_bytes: int = 1 << 28
) -> Iterator[ConfinedLooks]:
    settings = store.settings.model_copy(
        update={"case_seconds_max": seconds, "case_memory_bytes_max": memory_bytes}
    )
    looks = ConfinedLooks(load, settings, registry_version=None)
    try:
        yield looks
    finally:
        looks.close()


def drain(store: Store, looks: ConfinedLooks, *, now=NOW) -> int:
    return work(store, looks, name="w", clock=lambda: now, stop=threading.Event(), drain=True)


def bad_and_good(store: Store) -> tuple[int, int]:
    return ready_case(store, 1, value=BLACK), ready_case(store, 2, value=WHITE, now=after(1))


def test_a_child_concludes_what_the_process_itself_does(sqlite_store) -> None:
    ready_case(sqlite_store)
    claimed = claim_case(sqlite_store, worker="w", now=NOW)
    material = material_of(claimed)

    with looking(sqlite_store, child_tools.refusing) as looks:
        looks.prepare()
        assert [observer.name for observer in looks.observers] == ["mean"]
        assert looks.look(material) == readers().look(material)


def test_what_the_images_looked_like_is_kept_and_stays_when_they_are_not_looked_at_again(
    sqlite_store,
) -> None:
    number = ready_case(sqlite_store)
    with looking(sqlite_store, child_tools.load_describing) as looks:
        assert drain(sqlite_store, looks) == 1
    described = Appearance(scanner="Maker One", rows=1, columns=8)
    assert from_json(Appearance, kept_appearance(sqlite_store, number)) == described

    send_report(sqlite_store, MASS, status=ReportStatus.CORRECTED, now=after(60))
    with looking(sqlite_store, child_tools.refusing) as looks:  # whose detector describes nothing
        assert drain(sqlite_store, looks, now=after(61)) == 1
    assert from_json(Appearance, kept_appearance(sqlite_store, number)) == described
    (case,) = concluded_cases(sqlite_store)
    assert (case.scanner, case.appearance) == ("Maker One", described)


def test_a_look_that_takes_too_much_memory_fails_its_case_and_the_next_is_triaged(sqlite_store) -> None:
    bad, good = bad_and_good(sqlite_store)

    with looking(sqlite_store, child_tools.hoarding) as looks, counting("overread_looks_ended") as counts:
        assert drain(sqlite_store, looks, now=after(9)) == 2

    assert load_case(sqlite_store, bad).summary.state is CaseState.FAILED
    assert load_case(sqlite_store, bad).summary.failure == (
        "the look at this case took more than 256 MiB of memory and was ended; look at its images, "
        "or raise OVERREAD_CASE_MEMORY_BYTES_MAX"
    )
    assert load_case(sqlite_store, good).summary.state is CaseState.LISTED
    assert counts.added == {'overread_looks_ended_total{limit="memory_bytes"}': 1}


def test_a_look_that_takes_too_long_fails_its_case(sqlite_store) -> None:
    bad = ready_case(sqlite_store, 1, value=BLACK)

    with (
        looking(sqlite_store, child_tools.spinning, seconds=0.5) as looks,
        counting("overread_looks_ended") as counts,
    ):
        assert drain(sqlite_store, looks) == 1

    assert load_case(sqlite_store, bad).summary.state is CaseState.FAILED
    assert load_case(sqlite_store, bad).summary.failure == (
        "the look at this case took longer than 0.5 s and was ended; look at its images, "
        "or raise OVERREAD_CASE_SECONDS_MAX"
    )
    assert counts.added == {'overread_looks_ended_total{limit="wall_seconds"}': 1}


def test_a_child_that_is_killed_from_outside_costs_the_case_an_attempt(sqlite_store) -> None:
    store = replace(sqlite_store, settings=sqlite_store.settings.model_copy(update={"attempts_max": 2}))
    bad, good = bad_and_good(store)

    with looking(store, child_tools.dying) as looks, counting("overread_looks_ended") as counts:
        attempts = sum(drain(store, looks, now=after(9 + 3600 * hour)) for hour in range(4))

    assert attempts == 2 + 1
    assert load_case(sqlite_store, bad).summary.state is CaseState.FAILED
    released = [event for event in load_case(sqlite_store, bad).events if event.event is CaseEvent.RELEASED]
    assert released[0].detail == (
        "the look at this case ended without a result: its process was ended by SIGKILL; "
        "the machine may be short of memory"
    )
    assert load_case(sqlite_store, good).summary.state is CaseState.LISTED
    assert counts.added == {'overread_looks_ended_total{limit="lost"}': 2}


def test_an_error_of_the_look_is_what_it_is_in_the_workers_own_process(sqlite_store, capfd) -> None:
    bad, good = bad_and_good(sqlite_store)
    with looking(sqlite_store, child_tools.refusing) as looks:
        drain(sqlite_store, looks, now=after(9))
    assert load_case(sqlite_store, bad).summary.state is CaseState.FAILED
    assert load_case(sqlite_store, bad).summary.failure == "image 2.25.1: its pixels are broken"
    assert load_case(sqlite_store, good).summary.state is CaseState.LISTED

    odd = ready_case(sqlite_store, 3, value=BLACK)
    with looking(sqlite_store, child_tools.blundering) as looks:
        drain(sqlite_store, looks, now=after(9))
    assert load_case(sqlite_store, odd).events[-1].detail == "unexpected RuntimeError"
    out, err = capfd.readouterr()
    assert "SECRET" not in out + err


def test_a_model_that_is_wrong_stops_the_worker_and_costs_the_case_nothing(sqlite_store) -> None:
    case_id = ready_case(sqlite_store, value=BLACK)

    with (
        looking(sqlite_store, child_tools.contradicting) as looks,
        pytest.raises(ModelError, match="altered"),
    ):
        drain(sqlite_store, looks)
    with looking(sqlite_store, child_tools.load_altered) as looks, pytest.raises(ModelError, match="altered"):
        drain(sqlite_store, looks)

    case = load_case(sqlite_store, case_id)
    assert (case.summary.state, case.summary.attempts) == (CaseState.READY, 0)


def test_detectors_that_cannot_be_loaded_now_are_loaded_later_before_any_claim(
    sqlite_store, tmp_path
) -> None:
    case_id = ready_case(sqlite_store)

    with looking(sqlite_store, partial(child_tools.load_once_dying, tmp_path / "mark")) as looks:
        with pytest.raises(LostProcessError, match="SIGKILL"):
            drain(sqlite_store, looks)
        assert load_case(sqlite_store, case_id).summary.attempts == 0
        drain(sqlite_store, looks)

    assert load_case(sqlite_store, case_id).summary.state is CaseState.LISTED


def test_a_shadow_that_goes_wrong_fails_alone(sqlite_store) -> None:
    cases = [ready_case(sqlite_store, 1, value=BLACK), ready_case(sqlite_store, 2, value=WHITE, now=after(1))]

    load = partial(child_tools.load_with_shadow, child_tools.hoard)
    with looking(sqlite_store, load) as looks:
        drain(sqlite_store, looks, now=after(9))

    assert [load_case(sqlite_store, case).summary.state for case in cases] == [
        CaseState.CONCORDANT,
        CaseState.LISTED,
    ]
    failures = [pair.shadow.failure for pair in walk_shadows(sqlite_store)]
    assert [failure is None for failure in failures] == [False, True, True, True]
    assert "256 MiB of memory" in str(failures[0])


def test_the_child_hears_which_images_probably_follow(sqlite_store) -> None:
    cases = [ready_case(sqlite_store, number, now=after(number)) for number in (1, 2, 3)]

    with looking(sqlite_store, child_tools.load_noting) as looks:
        drain(sqlite_store, looks, now=after(9))

    files = [load_case(sqlite_store, case).instances[0].path.name for case in cases]
    remarks = [load_case(sqlite_store, case).triage.detections[0].remarks for case in cases]
    assert remarks == [(files[1],), (files[1], files[2]), (files[1], files[2])]


def test_the_stages_of_a_look_are_counted_by_the_worker(sqlite_store) -> None:
    ready_case(sqlite_store)

    with looking(sqlite_store, child_tools.refusing) as looks, counting("overread_decode_seconds") as counts:
        drain(sqlite_store, looks)

    assert counts.added['overread_decode_seconds_count{detector="mean"}'] == 1
    assert counts.added['overread_decode_seconds_sum{detector="mean"}'] == 0.5


def test_the_process_of_a_worker_has_no_networks_in_memory() -> None:
    code = "import sys, service.runtime.worker_process as w; sys.exit('onnxruntime' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
