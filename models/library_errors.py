"""Errors of ONNX Runtime, torch and MONAI, as the one error that a caller of ours knows."""

from collections.abc import Iterator
from contextlib import contextmanager

from overread.errors import ModelError, OverreadError


@contextmanager
def as_model_error(failure: str, *, first_line: bool = False) -> Iterator[None]:
    """Turn whatever a library raises within the block into a ModelError; errors of our own pass.

    The libraries have no common class: ONNX Runtime raises one per status, torch and MONAI raise anything.

    Args:
        failure: what could not be done, such as "model.onnx cannot be loaded"; the library's reason follows.
        first_line: keep of that reason the first line only.

    Raises:
        ModelError: the library raised.
    """
    try:
        yield
    except OverreadError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ModelError(f"{failure}: {reason.splitlines()[0] if first_line else reason}") from error
