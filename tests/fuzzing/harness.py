"""What is asked of a parser, whatever it is given: named errors, bounded work, no word of a patient."""

import logging
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Self

from structlog.testing import capture_logs

CANARY = "Quartzbane"  # stands in every sample where a name, a report's text or a secret may stand
PROCESSOR_SECONDS_MAX = 10.0  # of this process for one input
MEMORY_KILOBYTES_MAX = 384 << 10  # by which one input may raise the peak


class ViolationError(AssertionError):
    """A parser did what it must not do."""


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One parser and how to talk to it."""

    name: str
    parse: Callable[[bytes], object]
    named: tuple[type[Exception], ...]  # errors that it may raise
    samples: Sequence[bytes]  # what it takes, with the canary in it
    words: Sequence[bytes] = ()  # of its language
    nests: Sequence[tuple[bytes, bytes]] = ()  # what opens and what closes something within itself
    share: float = 1.0  # of the executions of the others, where one is dear


def check(harness: Harness, content: bytes) -> None:
    """Return if the parser did as it must with this content.

    Raises:
        ViolationError: it did not; the message says what.
    """
    before, told = peak_kilobytes(), _Told()
    with capture_logs() as logged, told:
        try:
            with limited():
                harness.parse(content)
        except harness.named as error:
            if CANARY in str(error):
                raise ViolationError(f"{type(error).__name__} repeats what it was given") from error
        except _TooMuchWork as error:
            raise ViolationError(f"more than {PROCESSOR_SECONDS_MAX:g} s for {len(content)} bytes") from error
        except Exception as error:
            raise ViolationError(f"{type(error).__name__} is none of its errors: {error}") from error
    if CANARY in repr(logged) or CANARY in told.text:
        raise ViolationError("the log repeats what it was given")
    grown = peak_kilobytes() - before
    if grown > MEMORY_KILOBYTES_MAX:
        raise ViolationError(f"{grown >> 10} MB of memory for {len(content)} bytes")


class _Told(logging.Handler):
    """What libraries log within the block; it goes nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.text += f"{record.getMessage()}\n"


def peak_kilobytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _TooMuchWork(BaseException):
    """Nothing in a parser catches it."""


@contextmanager
def limited() -> Iterator[None]:
    """The block may take so much time of the processor; what waits for others takes none."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooMuchWork

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
