import pytest

from service.dicom.timing import SteadyTimer


class Hands:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_timer_runs_by_its_own_clock_and_starts_anew() -> None:
    clock = Hands()
    timer = SteadyTimer(5.0, clock)
    assert (timer.expired, timer.remaining) == (False, 5.0)

    timer.start()
    clock.now += 4
    assert (timer.expired, timer.remaining) == (False, 1.0)
    clock.now += 2
    assert (timer.expired, timer.remaining) == (True, -1.0)
    timer.restart()
    assert not timer.expired


def test_a_stopped_timer_stands_still() -> None:
    clock = Hands()
    timer = SteadyTimer(5.0, clock)
    timer.start()
    timer.stop()
    clock.now += 100
    assert (timer.expired, timer.remaining) == (False, 5.0)


@pytest.mark.parametrize("seconds", [1.0, 1e9])
def test_a_timer_without_a_limit_never_expires(seconds: float) -> None:
    clock = Hands()
    timer = SteadyTimer(None, clock)
    timer.start()
    clock.now += seconds
    assert (timer.expired, timer.remaining) == (False, 1)
