"""A child process that holds one object, its tenant, and answers one call at a time under limits.

What a call raises comes back as the same error. A call that takes more than its limits allow costs the child
its life and nobody else: the next call finds a new child.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import structlog

from overread.errors import LostProcessError, OutOfResourcesError, OverLimitError
from service.confined.channel import Channel, Packed, pack
from service.confined.limits import TICK_SECONDS, Limits, Watch, memory_bytes_of
from service.confined.messages import Answer, Begun, Call, Failure

Tenant = TypeVar("Tenant")
Params = ParamSpec("Params")
Result = TypeVar("Result")

_END_SECONDS = 5.0  # for a child that closed its socket to end
_UMASK = 0o077  # what a child writes, its user alone may read
START_LIMITS = Limits(wall_seconds=120.0)
_NUMBERS = itertools.count(1)  # of the children of this process; a successor has that of its predecessor

_log = structlog.get_logger("overread.confined")


class ConfinedTraceback(Exception):  # noqa: N818  # no error of its own: the cause of one, for logs
    """Where in the child an error was raised: file, line and function of each frame, without values."""

    def __init__(self, frames: tuple[str, ...]) -> None:
        super().__init__("\n".join(("in a child process:", *frames)))
        self.frames = frames


class _NeverBegunError(LostProcessError):
    """The child ended before the function began."""


class Confined(Generic[Tenant]):
    """A tenant in a child process. Safe to share between threads, which wait for each other.

    A child is started by the first call, or by `start`. It ends with its parent, at whatever moment that
    ends; it inherits no descriptor but those of the standard streams, and writes its log where its parent
    does. Function, arguments and what comes back are pickled; a function must be one of a module or class.
    """

    def __init__(self, make: Callable[[], Tenant], *, what: str, start_limits: Limits = START_LIMITS) -> None:
        """Start nothing yet.

        Args:
            make: makes the tenant, in the child; picklable, such as a class or a `functools.partial`.
            what: is done there, for messages: "the look at the images".
            start_limits: of the start of a child with its tenant.
        """
        self._what = what
        self._make = pack(Call(function=make, kwargs={}, makes_tenant=True))
        self._start_limits = start_limits
        self._lock = threading.Lock()
        self._number = next(_NUMBERS)
        self._child: _Child | None = None
        self._most_bytes = 0  # of all limits of memory so far; a child that keeps more is replaced
        # The kernel ends a child with the thread that started it, so that one must stay: this one.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="confined")

    def __enter__(self) -> Self:
        """Start nothing yet; the block's end ends the child."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self.close()

    def start(self) -> None:
        """Return when a child is there whose tenant is made; at once where it is there already.

        Raises:
            OutOfResourcesError: no process can be started now.
            LostProcessError: the child ended before its tenant was made, or took more than `start_limits`.
            Exception: what `make` raises.
        """
        with self._lock:
            self._ready_child()

    def call(
        self,
        limits: Limits,
        function: Callable[Concatenate[Tenant, Params], Result],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Return what the function returns for the tenant and these arguments, in the child.

        Args:
            limits: of this call, from its sending to its whole answer.
            function: a method of the tenant's class, or a function that takes the tenant first.
            args: further arguments.
            kwargs: the same.

        Raises:
            OverLimitError: it took more than the limits allow, and the child was killed.
            LostProcessError: the child ended without an answer: it crashed, or was killed from outside.
            OutOfResourcesError: no process can be started now.
            Exception: what the function raises, its cause a `ConfinedTraceback`; the child lives on.
        """
        request = pack(Call(function=function, args=args, kwargs=kwargs))
        with self._lock:
            self._most_bytes = max(self._most_bytes, limits.memory_bytes or 0)
            try:
                result: Result = self._exchange(self._ready_child(), request, limits)
            except _NeverBegunError:  # it was killed between two calls: nothing has been done yet
                result = self._exchange(self._ready_child(), request, limits)
            return result

    def close(self) -> None:
        """End the child, after a call that is in hand."""
        with self._lock:
            self._discard()
            self._starter.shutdown()

    @property
    def pid(self) -> int | None:
        """Number of the child's process; None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def _ready_child(self) -> "_Child":
        """Return a child with its tenant, a new one where there is none or it keeps too much of its calls."""
        child = self._child
        if child is not None and (
            not child.is_alive() or child.kept_bytes() > (self._most_bytes or sys.maxsize)
        ):
            _log.info("child_replaced", what=self._what, pid=child.process.pid, status=child.process.poll())
            self._discard()
        if self._child is None:
            try:
                self._child = self._starter.submit(_Child, self._number).result()
            except OSError as error:
                raise OutOfResourcesError(f"no process can be started for {self._what}; try again") from error
            self._make_tenant(self._child)
        return self._child

    def _make_tenant(self, child: "_Child") -> None:
        """Return when the child has its tenant; a child without one is discarded."""
        made = False
        try:
            self._exchange(child, self._make, self._start_limits)
            child.note_beginning()
            made = True
        except OverLimitError as error:  # no input is at fault
            raise LostProcessError(f"a process for {self._what} did not start: {error}") from None
        finally:
            if not made:
                self._discard()

    def _exchange(self, child: "_Child", request: Packed, limits: Limits) -> Any:
        """Return the child's answer to a request; without a whole answer the child is discarded."""
        watch = Watch(child.process.pid, limits, what=self._what)
        begun: Begun | None = None
        answer: Answer | Failure | None = None
        try:
            child.channel.send(request, tick=watch.check)
            begun = child.channel.receive(tick=watch.check)
            taken_bytes = watch.begin()
            if begun is not None and begun.has_imported:
                child.needs(taken_bytes)
            answer = child.channel.receive(tick=watch.check, bytes_max=limits.answer_bytes)
        except (EOFError, OSError):
            kind = _NeverBegunError if begun is None else LostProcessError
            raise kind(f"{self._what} ended without a result: {child.end_in_words()}") from None
        except OverLimitError as error:
            _log.warning("child_killed", what=self._what, pid=child.process.pid, limit=error.limit)
            raise
        finally:
            if answer is None:
                self._discard()
        if isinstance(answer, Answer):
            return answer.value
        raised = answer.error or LostProcessError(f"unexpected {answer.name} in {self._what}")
        raise raised from ConfinedTraceback(answer.frames)

    def _discard(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


class _Child:
    """A running child."""

    def __init__(self, number: int) -> None:
        ours, its = socket.socketpair()
        with its:
            arguments = (str(os.getpid()), str(number), str(its.fileno()))
            try:
                self.process = subprocess.Popen(  # noqa: S603  # our own command, no shell
                    (sys.executable, "-P", "-m", "service.confined.process", *arguments),
                    pass_fds=(its.fileno(),),
                    stdin=subprocess.DEVNULL,
                    umask=_UMASK,
                    process_group=0,  # Ctrl-C at the terminal reaches the parent alone
                )
            except OSError:
                ours.close()
                raise
        self.channel = Channel(ours, tick_seconds=TICK_SECONDS)
        self._first_bytes: int | None = None

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def note_beginning(self) -> None:
        """Take what it holds now for what it needs."""
        self._first_bytes = memory_bytes_of(self.process.pid)

    def needs(self, more_bytes: int) -> None:
        """Take so much more for what it needs, such as modules that it imported."""
        if self._first_bytes is not None:
            self._first_bytes += more_bytes

    def kept_bytes(self) -> int:
        """Return what it keeps of earlier calls; 0 where that cannot be told."""
        held = memory_bytes_of(self.process.pid)
        return 0 if held is None or self._first_bytes is None else held - self._first_bytes

    def end_in_words(self) -> str:
        """Return how it ended, which it is about to do."""
        try:
            status = self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process no longer answered"
        if status >= 0:
            return f"its process ended with status {status}"
        name = signal.Signals(-status).name
        hint = "; the machine may be short of memory" if -status == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"

    def kill(self) -> None:
        """Return when it has ended."""
        self.channel.close()
        self.process.kill()
        self.process.wait()
