import pytest

from service.error_boundary import ErrorBoundary


def test_an_error_is_kept_and_what_follows_goes_on() -> None:
    error = ZeroDivisionError("of the item")

    with ErrorBoundary() as boundary:
        raise error

    assert boundary.error is error


def test_without_an_error_there_is_none() -> None:
    with ErrorBoundary() as boundary:
        pass

    assert boundary.error is None


def test_what_asks_the_process_to_end_passes() -> None:
    with pytest.raises(KeyboardInterrupt), ErrorBoundary() as boundary:
        raise KeyboardInterrupt

    assert boundary.error is None
