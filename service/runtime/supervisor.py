"""Keeps the processes of one machine running: starts, restarts with growing delays, gives up, stops cleanly.

Listening sockets belong to the supervisor and are handed to each child: while a child restarts, its clients
wait in the socket's queue and are served by the successor, and a port once announced stays ours.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

import structlog

from overread.errors import ConfigurationError

_log = structlog.get_logger("overread.supervisor")
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One process to keep running."""

    name: str  # for logs, such as "worker-1"
    command: tuple[str, ...]
    listeners: tuple[socket.socket, ...] = ()  # handed down; the command names their descriptors
    environment: dict[str, str] = field(default_factory=dict)  # added to the supervisor's own
    niceness: int = 0  # 0 to 19: how far it stands back for the others where cores are short


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Delays and limits of the restarts of a child that ended."""

    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 15.0
    healthy_after_seconds: float = 20.0  # a child that lived so long starts again without a record
    give_up_after: int = 6  # early exits in a row; a child that was killed is not broken

    def delay_seconds(self, early_ends: int) -> float:
        """Return how long to wait before the next start: doubled with each early end."""
        return min(self.first_delay_seconds * 2.0 ** max(early_ends - 1, 0), self.longest_delay_seconds)


class _Child:
    """A running or waiting child."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_again_at: float | None = None
        self.early_ends = 0  # in a row, of any kind; they make the next start wait
        self.early_exits = 0  # those in a row that no signal caused


class Supervisor:
    """Runs the children until a signal to stop, or until one of them cannot be kept running."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        clock: Callable[[], float],
        policy: RestartPolicy | None = None,
        stop_seconds: float = 5.0,
    ) -> None:
        self._children = [_Child(spec) for spec in specs]
        self._clock = clock
        self._policy = policy or RestartPolicy()
        self._stop_seconds = stop_seconds
        self._stopping = False

    def run(self) -> None:
        """Return after SIGTERM or SIGINT, with every child ended.

        Raises:
            ConfigurationError: a child exited early again and again; every child has been ended.
        """
        wake_reader, wake_writer = socket.socketpair()
        wake_writer.setblocking(False)
        previous = {
            number: signal.signal(number, self._note_signal) for number in (*_STOP_SIGNALS, signal.SIGCHLD)
        }
        previous_wakeup = signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(wake_reader, selectors.EVENT_READ)
        try:
            for child in self._children:
                self._start(child)
            while not self._stopping:
                if selector.select(self._seconds_to_next_start()):
                    wake_reader.recv(4096)
                self._look_after_children()
        finally:
            self._stop_all()
            signal.set_wakeup_fd(previous_wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)
            selector.close()
            wake_reader.close()
            wake_writer.close()

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        if number in _STOP_SIGNALS:
            self._stopping = True

    def _seconds_to_next_start(self) -> float:
        waiting = [child.start_again_at for child in self._children if child.start_again_at is not None]
        if not waiting:
            return _LONGEST_WAIT_SECONDS
        return min(max(min(waiting) - self._clock(), 0.0), _LONGEST_WAIT_SECONDS)

    def _look_after_children(self) -> None:
        for child in self._children:
            if self._stopping:
                return
            if child.process is not None and (status := child.process.poll()) is not None:
                self._note_end(child, status)
            elif child.start_again_at is not None and child.start_again_at <= self._clock():
                self._start(child)

    def _start(self, child: _Child) -> None:
        spec = child.spec
        attached = (sys.executable, "-P", "-m", "service.parent_death", str(os.getpid()), *spec.command)
        child.process = subprocess.Popen(  # noqa: S603  # our own commands, no shell
            attached,
            env={**os.environ, **spec.environment},
            pass_fds=tuple(listener.fileno() for listener in spec.listeners),
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C at the terminal reaches the supervisor alone, which stops the rest
        )
        if spec.niceness:
            with contextlib.suppress(ProcessLookupError):  # it has ended already: noted like any other end
                os.setpriority(os.PRIO_PROCESS, child.process.pid, spec.niceness)
        child.started_at = self._clock()
        child.start_again_at = None
        _log.info("start", child=spec.name, pid=child.process.pid)

    def _note_end(self, child: _Child, status: int) -> None:
        now = self._clock()
        lived_seconds = now - child.started_at
        if lived_seconds >= self._policy.healthy_after_seconds:
            child.early_ends = child.early_exits = 0
        child.early_ends += 1
        # A crash on one image, or the kernel short of memory, ends a child by a signal. Such an image, given
        # again and again, must not stop everything: the queue puts its case aside after some attempts.
        child.early_exits = 0 if status < 0 else child.early_exits + 1
        child.process = None
        if child.early_exits >= self._policy.give_up_after:
            raise ConfigurationError(
                f"the process {child.spec.name} ended {child.early_exits} times in a row soon after its "
                f"start, at last with status {status}; its own messages above say why. "
                "Everything has been stopped."
            )
        delay_seconds = self._policy.delay_seconds(child.early_ends)
        child.start_again_at = now + delay_seconds
        _log.warning(
            "restart",
            child=child.spec.name,
            status=status,
            lived_seconds=round(lived_seconds, 1),
            delay_seconds=round(delay_seconds, 1),
        )

    def _stop_all(self) -> None:
        """End every child: SIGTERM first, in the end SIGKILL to what is left of its process group."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            _signal_group(process, signal.SIGTERM)
        deadline = self._clock() + self._stop_seconds
        for process in running:
            try:
                process.wait(timeout=max(deadline - self._clock(), 0.01))
            except subprocess.TimeoutExpired:
                _log.warning("kill", pid=process.pid, reason="it did not stop when asked")
            _signal_group(process, signal.SIGKILL)  # also whatever the child has left behind in its group
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # nobody of the group is left
        return
