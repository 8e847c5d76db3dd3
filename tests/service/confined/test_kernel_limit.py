"""The limit that the kernel holds a child to, however seldom its parent looks."""

import pytest

from service.confined.confined import Confined
from service.confined.kernel_limit import take_at_most
from service.confined.limits import Limits

MEBIBYTE = 1 << 20
NO_LIMITS = Limits(wall_seconds=120.0)


class Bounded:
    """May take 64 MiB."""

    def __init__(self) -> None:
        take_at_most(64 * MEBIBYTE)

    def take(self, count: int) -> int:
        return len(bytearray(count))


def test_a_child_gets_no_more_memory_than_it_may_take_and_lives_on() -> None:
    with Confined(Bounded, what="the test") as confined:
        assert confined.call(NO_LIMITS, Bounded.take, 16 * MEBIBYTE) == 16 * MEBIBYTE
        pid = confined.pid
        with pytest.raises(MemoryError):
            confined.call(NO_LIMITS, Bounded.take, 128 * MEBIBYTE)
        assert confined.call(NO_LIMITS, Bounded.take, 16 * MEBIBYTE) == 16 * MEBIBYTE
        assert confined.pid == pid
