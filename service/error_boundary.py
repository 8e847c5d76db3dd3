"""One item of many, such as a message of a listener, whose failure must not end what takes the others."""

from types import TracebackType
from typing import Self


class ErrorBoundary:
    """Context that keeps an error as `error` instead of raising it, whatever it is.

    For the outermost loop of a listener or thread alone, which answers for the error and goes on. What asks a
    process to end, such as KeyboardInterrupt, passes.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        """Begin the item."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End the item; its error is kept."""
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None
