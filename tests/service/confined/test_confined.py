"""Children that are real processes, and do what hostile input makes a library do."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from overread.errors import (
    LostProcessError,
    ModelError,
    OutOfResourcesError,
    OverLimitError,
    UndecodablePixelsError,
)
from service.confined.confined import Confined, ConfinedTraceback
from service.confined.limits import Limits, cpu_seconds_of, memory_bytes_of
from service.confined.pool import ConfinedPool
from tests.service.confined import heavy
from tests.service.confined.tenants import AMPLE, Tenant, broken, listening_socket, stuck
from tests.service.waiting import eventually, is_alive

MEBIBYTE = 1 << 20
# Short enough to wait for; what runs under them never ends by itself.
SHORT = Limits(wall_seconds=0.3)


@pytest.fixture(scope="module")
def shared() -> Iterator[Confined[Tenant]]:
    with Confined(Tenant, what="the test") as confined:
        yield confined


@pytest.fixture
def confined() -> Iterator[Confined[Tenant]]:
    with Confined(Tenant, what="the test") as confined:
        yield confined


def test_a_tenant_lives_in_one_child_from_call_to_call(confined) -> None:
    assert confined.pid is None

    assert confined.call(AMPLE, Tenant.count) == 1
    assert confined.call(AMPLE, Tenant.count, more=2) == 3
    assert confined.call(AMPLE, Tenant.pid) == confined.pid != os.getpid()


def test_arrays_and_read_only_mappings_come_back_as_they_are(shared) -> None:
    image = np.arange(1 << 20, dtype=np.float32).reshape(1024, 1024)

    assert np.array_equal(shared.call(AMPLE, Tenant.double, image), image * 2)
    assert shared.call(AMPLE, Tenant.rules) == {"size": "rule-7"}
    assert shared.call(AMPLE, Tenant.length, bytes(5 * MEBIBYTE)) == 5 * MEBIBYTE


@pytest.mark.parametrize(
    ("limits", "function", "limit", "words"),
    [
        (SHORT, Tenant.spin, "wall_seconds", "the test took longer than 0.3 s and was ended"),
        (SHORT, Tenant.sleep, "wall_seconds", "longer than 0.3 s"),
        (SHORT, Tenant.stop, "wall_seconds", "longer than 0.3 s"),
        (
            Limits(wall_seconds=120, cpu_seconds=0.2),
            Tenant.spin,
            "cpu_seconds",
            "the test took more than 0.2 s of processor time and was ended",
        ),
        (
            Limits(wall_seconds=120, memory_bytes=64 * MEBIBYTE),
            Tenant.hoard,
            "memory_bytes",
            "the test took more than 64 MiB of memory and was ended",
        ),
    ],
    ids=["busy", "waiting", "stopped", "processor", "memory"],
)
def test_a_call_over_its_limit_is_ended_and_the_next_finds_a_new_child(
    confined, limits, function, limit, words
) -> None:
    confined.call(AMPLE, Tenant.count)
    before = confined.pid

    with pytest.raises(OverLimitError, match=words) as caught:
        confined.call(limits, function)

    assert caught.value.limit == limit
    assert not is_alive(before)
    assert confined.call(AMPLE, Tenant.count) == 1
    assert confined.pid != before


def test_a_call_that_the_child_does_not_even_read_is_ended(confined) -> None:
    confined.start()
    os.kill(confined.pid, signal.SIGSTOP)

    with pytest.raises(OverLimitError, match="longer than"):
        confined.call(SHORT, Tenant.length, bytes(64 * MEBIBYTE))


def test_an_answer_that_is_too_large_is_not_taken(confined) -> None:
    with pytest.raises(OverLimitError, match="larger than 1000 bytes") as caught:
        confined.call(Limits(wall_seconds=120, answer_bytes=1000), Tenant.much, 1001)

    assert caught.value.limit == "answer_bytes"
    assert confined.call(AMPLE, Tenant.count) == 1


def test_memory_that_earlier_calls_left_behind_is_given_back_with_the_child(confined) -> None:
    limits = Limits(wall_seconds=120, memory_bytes=64 * MEBIBYTE)
    confined.call(AMPLE, Tenant.keep, 32 * MEBIBYTE)
    first = confined.pid
    confined.call(limits, Tenant.count)
    assert confined.pid == first

    confined.call(AMPLE, Tenant.keep, 96 * MEBIBYTE)
    confined.call(Limits(wall_seconds=120, memory_bytes=MEBIBYTE), Tenant.count)

    assert confined.pid != first


def test_modules_that_a_call_needs_are_not_what_it_takes(confined) -> None:
    limits = Limits(wall_seconds=120, memory_bytes=64 * MEBIBYTE)
    assert confined.call(limits, heavy.weigh) == heavy.BYTES > 64 * MEBIBYTE
    first = confined.pid

    assert confined.call(limits, heavy.weigh) == heavy.BYTES
    assert confined.pid == first


def test_a_child_may_keep_what_the_largest_limit_allows(confined) -> None:
    confined.call(Limits(wall_seconds=120, memory_bytes=256 * MEBIBYTE), Tenant.keep, 96 * MEBIBYTE)
    first = confined.pid

    confined.call(Limits(wall_seconds=120, memory_bytes=64 * MEBIBYTE), Tenant.count)

    assert confined.pid == first


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (Tenant.leave, (3,), "the test ended without a result: its process ended with status 3"),
        (Tenant.kill, (), "its process was ended by SIGKILL; the machine may be short of memory"),
    ],
)
def test_a_child_that_ends_by_itself_is_told_from_one_that_answered(
    confined, function, arguments, words
) -> None:
    with pytest.raises(LostProcessError, match=words):
        confined.call(AMPLE, function, *arguments)

    assert confined.call(AMPLE, Tenant.count) == 1


def test_a_child_that_was_killed_between_two_calls_is_replaced(confined) -> None:
    confined.start()
    os.kill(confined.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(confined.pid))

    assert confined.call(AMPLE, Tenant.count) == 1


def test_an_error_comes_back_as_itself_and_says_where_it_was_raised(shared) -> None:
    with pytest.raises(UndecodablePixelsError, match=r"image 2.25.1: no pixels") as caught:
        shared.call(AMPLE, Tenant.refuse)
    first = shared.pid
    with pytest.raises(ValueError, match="bad"):
        shared.call(AMPLE, Tenant.fail, "bad")

    assert isinstance(caught.value.__cause__, ConfinedTraceback)
    assert caught.value.__cause__.frames[-1].endswith(" refuse")
    assert shared.pid == first


def test_what_cannot_be_pickled_is_said_by_name(shared) -> None:
    with pytest.raises(LostProcessError, match="unexpected OddError"):
        shared.call(AMPLE, Tenant.fail_oddly)
    with pytest.raises(TypeError, match="pickle"):
        shared.call(AMPLE, Tenant.answer_oddly)
    with pytest.raises(TypeError, match="pickle"):
        shared.call(AMPLE, Tenant.length, threading.Lock())

    assert shared.call(AMPLE, Tenant.length, b"1") == 1


def test_a_tenant_that_cannot_be_made_is_tried_again_by_the_next_call() -> None:
    with Confined(broken, what="the test") as confined:
        for _ in range(2):
            with pytest.raises(ModelError, match="altered"):
                confined.start()
            assert confined.pid is None


def test_a_start_is_under_limits_too() -> None:
    with (
        Confined(stuck, what="the test", start_limits=SHORT) as confined,
        pytest.raises(LostProcessError, match=r"did not start: .* longer than 0.3 s"),
    ):
        confined.start()


def test_a_child_inherits_no_socket_and_little_power(shared) -> None:
    with listening_socket(), Confined(Tenant, what="the test") as other:
        assert len(other.call(AMPLE, Tenant.descriptors)) == 1  # the one to its parent

    assert shared.call(AMPLE, Tenant.circumstances) == {
        "umask": 0o077,
        "core": (0, 0),
        "ignored": [signal.SIG_IGN, signal.SIG_IGN],
    }


def test_the_log_of_a_child_goes_where_its_parents_goes(capfd, confined) -> None:
    confined.call(AMPLE, Tenant.say, "seen")

    out, err = capfd.readouterr()
    assert '"action": "seen"' in err
    assert out == ""


def test_what_successive_children_count_adds_up_in_one_file(tmp_path, monkeypatch, confined) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for _ in range(3):
        confined.call(AMPLE, Tenant.tally)
        with pytest.raises(LostProcessError):
            confined.call(AMPLE, Tenant.kill)

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))
    assert registry.get_sample_value("tallies_total") == 3
    assert len(list(tmp_path.glob("counter_*"))) == 1


def test_the_end_of_the_block_ends_the_child() -> None:
    with Confined(Tenant, what="the test") as confined:
        confined.start()
        pid = confined.pid

    assert not is_alive(pid)


def parent(*arguments: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "tests.service.confined.parent", *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_parent_that_is_killed_leaves_no_child_behind() -> None:
    with parent() as process:
        child = int(process.stdout.readline())
        assert is_alive(child)
        process.kill()
        eventually(lambda: not is_alive(child))


def test_a_child_outlives_the_thread_that_called_it_first() -> None:
    with parent("from a thread that ends") as process:
        child = process.stdout.readline().strip()
        assert process.stdout.readline().split() == ["2", child]
        process.kill()


# --- pool


def test_calls_of_several_threads_run_in_several_children_and_no_more() -> None:
    with ConfinedPool(Tenant, what="the test", size=2) as pool:
        barrier = threading.Barrier(2)
        pids: list[int] = []

        def call() -> None:
            barrier.wait()
            pids.extend(pool.call(AMPLE, Tenant.pid) for _ in range(20))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(pids) == 80
        assert len(set(pids)) <= 2
        assert os.getpid() not in pids


def test_a_call_does_not_wait_for_ever_for_a_free_child(tmp_path: Path) -> None:
    with ConfinedPool(Tenant, what="the test", size=1, wait_seconds=0.1) as pool:
        begun, go_on = tmp_path / "begun", tmp_path / "go-on"
        for path in (begun, go_on):
            os.mkfifo(path)
        holder = threading.Thread(target=pool.call, args=(AMPLE, Tenant.hold, begun, go_on))
        holder.start()
        begun.read_bytes()  # the only child is busy from here on

        with pytest.raises(OutOfResourcesError, match="all 1 processes for the test are busy"):
            pool.call(AMPLE, Tenant.count)

        go_on.write_bytes(b"")
        holder.join()
        assert pool.call(AMPLE, Tenant.count) == 1


def test_an_error_gives_the_child_back_to_the_pool() -> None:
    with ConfinedPool(Tenant, what="the test", size=1) as pool:
        for function in (Tenant.refuse, Tenant.kill):
            with pytest.raises((UndecodablePixelsError, LostProcessError)):
                pool.call(AMPLE, function)

        assert pool.call(AMPLE, Tenant.count) == 1


def test_what_a_process_uses_is_told_while_it_is_there() -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as process:
        process.wait()

    assert memory_bytes_of(process.pid) is None
    assert cpu_seconds_of(process.pid) is None
    assert memory_bytes_of(os.getpid()) > MEBIBYTE
    assert cpu_seconds_of(os.getpid()) > 0
