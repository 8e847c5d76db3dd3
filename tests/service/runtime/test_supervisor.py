"""The supervisor, with real processes and real signals."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from service.runtime.supervisor import ChildSpec, RestartPolicy, Supervisor
from tests.service.waiting import DEADLINE_SECONDS, eventually, is_alive

QUICK = RestartPolicy(
    first_delay_seconds=0.01, longest_delay_seconds=0.05, healthy_after_seconds=60, give_up_after=3
)

# A supervisor of its own process: its children write their process ids to a folder and run on.
SUPERVISOR = """
import sys, time
from service.runtime.supervisor import ChildSpec, RestartPolicy, Supervisor
folder, *stubborn = sys.argv[1:]
ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
code = f"import os, pathlib, signal, time;{ignore} "
code += f"pathlib.Path({folder!r}, str(os.getpid())).touch(); time.sleep(600)"
specs = [ChildSpec(name=f"child-{n}", command=(sys.executable, "-c", code)) for n in (1, 2)]
policy = RestartPolicy(first_delay_seconds=0.01, longest_delay_seconds=0.05, give_up_after=50)
Supervisor(specs, clock=time.monotonic, policy=policy, stop_seconds=1.0).run()
"""


@contextlib.contextmanager
def supervising(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder), *options], stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_every_child(tmp_path: Path, number: signal.Signals) -> None:
    with supervising(tmp_path) as process:
        eventually(lambda: len(children(tmp_path)) == 2)
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert not any(map(is_alive, children(tmp_path)))


def test_a_child_that_does_not_stop_when_asked_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, "stubborn") as process:
        eventually(lambda: len(children(tmp_path)) == 2)
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
        assert not any(map(is_alive, children(tmp_path)))


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    with supervising(tmp_path):
        eventually(lambda: len(children(tmp_path)) == 2)
        for count in (3, 4, 5):
            os.kill(max(filter(is_alive, children(tmp_path))), signal.SIGKILL)
            eventually(lambda count=count: len(children(tmp_path)) == count)  # type: ignore[misc]
        assert sum(map(is_alive, children(tmp_path))) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_supervisor_that_is_killed_leaves_no_orphan(tmp_path: Path) -> None:
    with supervising(tmp_path) as process:
        eventually(lambda: len(children(tmp_path)) == 2)
        process.kill()
        eventually(lambda: not any(map(is_alive, children(tmp_path))))


def test_a_child_that_ends_at_once_again_and_again_stops_everything_with_its_name() -> None:
    specs = [
        ChildSpec(name="steady", command=("sleep", "600")),
        ChildSpec(name="broken", command=(sys.executable, "-c", "raise SystemExit(3)")),
    ]
    supervisor = Supervisor(specs, clock=time.monotonic, policy=QUICK)
    with pytest.raises(ConfigurationError, match=r"broken ended 3 times .* status 3"):
        supervisor.run()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_child_that_is_killed_again_and_again_is_not_given_up(tmp_path: Path) -> None:
    marks = tmp_path / "starts"
    # Killed four times, more often than the policy forgives an exit; then it exits until it is given up.
    code = (
        "import os, pathlib, signal, sys; marks = pathlib.Path(sys.argv[1]); marks.mkdir(exist_ok=True); "
        "count = len(list(marks.iterdir())); (marks / str(count)).touch(); "
        "os.kill(os.getpid(), signal.SIGKILL) if count < 4 else sys.exit(3)"
    )
    spec = ChildSpec(name="poisoned", command=(sys.executable, "-c", code, str(marks)))
    with pytest.raises(ConfigurationError, match="poisoned ended 3 times"):
        Supervisor([spec], clock=time.monotonic, policy=QUICK).run()
    assert len(list(marks.iterdir())) == 4 + QUICK.give_up_after


def test_a_child_stands_back_for_the_others_as_far_as_it_is_told(tmp_path: Path) -> None:
    code = "import os, pathlib, sys, time; time.sleep(.2); "
    code += "pathlib.Path(sys.argv[1]).write_text(str(os.nice(0)))"
    specs = [
        ChildSpec(name=name, command=(sys.executable, "-c", code, str(tmp_path / name)), niceness=niceness)
        for name, niceness in (("first", 0), ("last", 7))
    ]
    with pytest.raises(ConfigurationError):
        Supervisor(specs, clock=time.monotonic, policy=QUICK).run()
    here = os.nice(0)
    told = {name: int((tmp_path / name).read_text()) for name in ("first", "last")}
    assert told == {"first": here, "last": max(here, 7)}


def test_a_command_that_does_not_exist_is_reported_too() -> None:
    supervisor = Supervisor(
        [ChildSpec(name="absent", command=("/no/such/program",))], clock=time.monotonic, policy=QUICK
    )
    with pytest.raises(ConfigurationError, match="absent ended 3 times"):
        supervisor.run()


def test_delays_double_up_to_the_longest() -> None:
    policy = RestartPolicy(first_delay_seconds=0.5, longest_delay_seconds=3)
    assert [policy.delay_seconds(ends) for ends in (1, 2, 3, 4, 9)] == [0.5, 1, 2, 3, 3]


def test_a_listening_socket_outlives_the_child_that_serves_it(tmp_path: Path) -> None:
    """A client that connects while the child restarts waits and is served by the successor."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = (
        "import os, socket, sys; s = socket.socket(fileno=int(sys.argv[1])); c, _ = s.accept(); "
        "c.sendall(str(os.getpid()).encode()); c.close()"  # one client each, then it ends
    )
    spec = ChildSpec(
        name="once", command=(sys.executable, "-c", served, str(listener.fileno())), listeners=(listener,)
    )
    pid = os.fork()
    if pid == 0:  # the supervisor needs a main thread of its own
        Supervisor(
            [spec], clock=time.monotonic, policy=RestartPolicy(first_delay_seconds=0.01, give_up_after=99)
        ).run()
        os._exit(0)
    try:
        answers = set()
        for _ in range(3):
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE_SECONDS) as connection:
                answers.add(connection.recv(100))
        assert len(answers) == 3
        assert b"" not in answers
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        listener.close()
