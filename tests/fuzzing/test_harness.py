from collections.abc import Callable

import pytest
import structlog

from overread.errors import InputError
from tests.fuzzing import harness as bounds
from tests.fuzzing.campaign import fuzz
from tests.fuzzing.corpus import keep, kept
from tests.fuzzing.harness import CANARY, Harness, ViolationError, check


def talking(parse: Callable[[bytes], object]) -> Harness:
    return Harness(name="any", parse=parse, named=(InputError,), samples=(f"a{CANARY}b".encode(),))


def raises(error: Exception) -> Callable[[bytes], object]:
    def parse(content: bytes) -> None:
        raise error

    return parse


def test_a_named_error_is_what_a_parser_may_end_with() -> None:
    check(talking(raises(InputError("it is broken; send it again"))), b"x")


def test_any_other_error_is_found() -> None:
    with pytest.raises(ViolationError, match="KeyError"):
        check(talking(raises(KeyError("x"))), b"x")


def test_a_message_that_repeats_what_was_given_is_found() -> None:
    with pytest.raises(ViolationError, match="repeats"):
        check(talking(raises(InputError(f"{CANARY} is broken"))), b"x")


def test_a_log_that_repeats_what_was_given_is_found() -> None:
    with pytest.raises(ViolationError, match="log"):
        check(talking(lambda _: structlog.get_logger().info("seen", text=CANARY)), b"x")


def test_work_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PROCESSOR_SECONDS_MAX", 0.2)

    def parse(content: bytes) -> None:
        while True:
            pass

    with pytest.raises(ViolationError, match="more than"):
        check(talking(parse), b"x")


def test_a_large_bite_of_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MEMORY_KILOBYTES_MAX", -1)

    with pytest.raises(ViolationError, match="memory"):
        check(talking(len), b"x")


def test_a_campaign_finds_a_fault_makes_it_small_and_counts() -> None:
    def parse(content: bytes) -> None:
        if content.count(b"a") >= 2:
            raise ZeroDivisionError

    tally = fuzz(talking(parse), number=1, seconds=60.0, executions=400)

    assert tally.executions >= 200
    (smallest,) = tally.failures.values()
    assert smallest.count(b"a") == 2
    assert len(smallest) <= 12


def test_the_same_seed_tries_the_same_inputs() -> None:
    def tried(number: int) -> list[bytes]:
        seen: list[bytes] = []
        fuzz(talking(seen.append), number=number, seconds=60.0, executions=50)
        return seen

    assert tried(3) == tried(3)
    assert tried(3) != tried(4)


def test_what_failed_is_kept_once(tmp_path) -> None:
    assert keep("any", b"x", tmp_path) == keep("any", b"x", tmp_path)
    assert [path.read_bytes() for path in kept("any", tmp_path)] == [b"x"]
    assert list(kept("another", tmp_path)) == []
