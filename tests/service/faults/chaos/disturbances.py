"""Carries out what was planned, each stream in a thread of its own, and counts what happened."""

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.kill import Installation
from tests.service.faults.chaos.hostile import send_hostile
from tests.service.faults.chaos.places import Clock, Database, Disk
from tests.service.faults.chaos.plan import Action, Kind
from tests.service.faults.chaos.processes import LiveProcess, descendants
from tests.service.faults.chaos.watch import Conditions

CONNECTIONS = 200  # of the largest storm
SOURCE = "127.0.0.2"  # whence a storm comes: limits per address leave the senders alone
STEP_SECONDS = 86_400  # the largest step of the clock, either way
TRIES_SECONDS, DYING_SECONDS = 0.05, 10.0
SCRAPS = (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x0bMSH|^~\\&|", b"\x01\x00\x00\x00\xff\xff", bytes(4096))


@dataclass(kw_only=True)
class Scene:
    """The installation and what surrounds it."""

    installation: Installation
    disk: Disk
    database: Database
    clock: Clock
    conditions: Conditions
    over: threading.Event
    happened: Counter[str] = field(default_factory=Counter)
    hostile: Counter[str] = field(default_factory=Counter)
    starting: threading.Lock = field(default_factory=threading.Lock)  # whoever has it lets nothing start
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _shots: int = 0

    def note(self, what: str) -> None:
        """Count one more of it, from whatever thread."""
        with self._guard:
            self.happened[what] += 1

    def keep_up(self) -> None:
        """Start the installation again whenever it has ended, as an init system does."""
        while not self.over.wait(0.2):
            with self.starting:
                process = self.installation.process
                if process is not None and process.poll() is not None:
                    if process.returncode != -signal.SIGKILL:
                        self.note(f"supervisor ended by itself, status {process.returncode}")
                    self.installation.process = None
                    self.installation.keep_up()

    @property
    def pid(self) -> int:
        """Return the pid of the supervisor, the last one known."""
        process = self.installation.process
        return 0 if process is None else process.pid

    def start(self, streams: Mapping[str, Sequence[Action]]) -> list[threading.Thread]:
        """Carry out the streams from now on; return their threads."""
        begun = time.monotonic()
        threads = [
            threading.Thread(target=self._carry_out, args=(actions, begun), daemon=True)
            for actions in streams.values()
        ]
        for thread in threads:
            thread.start()
        return threads

    def _carry_out(self, actions: Sequence[Action], begun: float) -> None:
        for action in actions:
            if self.over.wait(max(begun + action.at - time.monotonic(), 0.0)):
                return
            with DEEDS[action.kind](self, action):
                self.over.wait(action.seconds)


@contextmanager
def kill(scene: Scene, action: Action) -> Iterator[None]:
    """One process below the supervisor is killed."""
    if victim := _one_of(descendants(scene.pid), action.pick):
        with suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGKILL)
            scene.note(f"killed {victim.role}")
    yield


@contextmanager
def kill_supervisor(scene: Scene, _: Action) -> Iterator[None]:
    """The supervisor is killed, and with it all that it started."""
    with suppress(ProcessLookupError):
        if scene.pid:
            os.kill(scene.pid, signal.SIGKILL)
            scene.note("killed supervisor")
    yield


@contextmanager
def freeze(scene: Scene, action: Action) -> Iterator[None]:
    """A worker stands still for a while."""
    workers = [process for process in descendants(scene.pid) if process.role.startswith("worker")]
    victim = _one_of(workers, action.pick)
    if victim is None:
        yield
        return
    with suppress(ProcessLookupError):
        os.kill(victim.pid, signal.SIGSTOP)
        scene.note(f"froze {victim.role}")
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGCONT)


@contextmanager
def fill(scene: Scene, _: Action) -> Iterator[None]:
    """The disk has less room than must stay free."""
    scene.disk.fill()
    scene.note("filled the disk")
    try:
        with scene.conditions.wrong("disk full"):
            yield
    finally:
        scene.disk.empty()


@contextmanager
def forbid_writing(scene: Scene, action: Action) -> Iterator[None]:
    """The disk is read-only, from a moment on at which nobody has a file open for writing.

    Where somebody always has, all is killed first: so a machine comes back after a fault of its disk.
    """
    if not scene.disk.can_be_read_only:
        scene.note("disk not made read-only: no file system of our own")
        yield
        return
    with scene.starting:
        done = scene.disk.forbid_writing() or _forbid_to_the_dead(scene)
    if not done:
        scene.note("disk not made read-only: in use")
        yield
        return
    scene.note("made the disk read-only")
    try:
        with scene.conditions.wrong("disk read-only"):
            yield
    finally:
        scene.disk.allow_writing()


def _forbid_to_the_dead(scene: Scene) -> bool:
    """Kill everything, and return whether the disk could be made read-only then."""
    with suppress(ProcessLookupError):
        os.kill(scene.pid, signal.SIGKILL)
        scene.note("killed supervisor")
    deadline = time.monotonic() + DYING_SECONDS
    while time.monotonic() < deadline:
        if scene.disk.forbid_writing():
            return True
        time.sleep(TRIES_SECONDS)
    return False


@contextmanager
def take_database(scene: Scene, action: Action) -> Iterator[None]:
    """The database cannot be written, or not be reached."""
    done = scene.database.take_away(abrupt=action.amount < 0.5)
    scene.note(done)
    with ExitStack() as stack:
        stack.callback(scene.database.give_back)
        if not done.endswith("not got"):
            stack.enter_context(scene.conditions.wrong(done))
        yield


@contextmanager
def step_clock(scene: Scene, action: Action) -> Iterator[None]:
    """The wall clock is set forth or back, anywhere within a day of the truth."""
    if not scene.clock.can_be_stepped:
        scene.note("clock not stepped: no C compiler is installed")
    else:
        # Small steps are as likely as large ones.
        size = int(STEP_SECONDS**action.amount)
        scene.clock.set(size if action.pick < 0.5 else -size)
        scene.note("stepped the clock forth" if action.pick < 0.5 else "stepped the clock back")
    yield


@contextmanager
def send_poison(scene: Scene, action: Action) -> Iterator[None]:
    """Something hostile is sent; a thread waits for what becomes of it."""
    scene._shots += 1
    number = scene._shots

    def shoot() -> None:
        outcome = send_hostile(scene.installation.ports, number, action.pick)
        with scene._guard:
            scene.hostile[outcome] += 1

    threading.Thread(target=shoot, daemon=True).start()
    yield


@contextmanager
def storm(scene: Scene, action: Action) -> Iterator[None]:
    """Many connections at once to one port, each with the beginning of something or nothing."""
    ports = scene.installation.ports
    port = (ports.api, ports.stow, ports.dicom, ports.hl7)[int(action.pick * 4)]
    chance = random.Random(action.at)
    with ExitStack() as stack:
        for _ in range(int(CONNECTIONS * (0.2 + 0.8 * action.amount))):
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), 1.0, (SOURCE, 0))
                stack.enter_context(connection)
                connection.sendall(chance.choice(SCRAPS))
                scene.note("connection of a storm")
        scene.note("storm")
        yield


def _one_of(processes: Sequence[LiveProcess], pick: float) -> LiveProcess | None:
    return processes[int(pick * len(processes))] if processes else None


DEEDS: Mapping[Kind, Callable[[Scene, Action], AbstractContextManager[None]]] = {
    Kind.KILL: kill,
    Kind.KILL_SUPERVISOR: kill_supervisor,
    Kind.FREEZE: freeze,
    Kind.FILL: fill,
    Kind.READ_ONLY: forbid_writing,
    Kind.DATABASE: take_database,
    Kind.CLOCK: step_clock,
    Kind.HOSTILE: send_poison,
    Kind.STORM: storm,
}
