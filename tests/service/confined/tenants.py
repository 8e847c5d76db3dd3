"""A tenant that does what it is told, and functions for it."""

import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import MappingProxyType

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import Counter

from overread.errors import ModelError, UndecodablePixelsError
from service.confined.limits import Limits

AMPLE = Limits(wall_seconds=120.0)


class Tenant:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.tallies: Counter | None = None  # made when it is asked for, in the child

    def count(self, more: int = 1) -> int:
        self.calls += more
        return self.calls

    def pid(self) -> int:
        return os.getpid()

    def double(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image * 2

    def rules(self) -> MappingProxyType[str, str]:
        return MappingProxyType({"size": "rule-7"})

    def spin(self) -> None:
        while True:
            pass

    def sleep(self) -> None:
        threading.Event().wait()

    def hoard(self) -> None:
        kept = []
        while True:
            kept.append(np.ones(1 << 20, np.uint8))

    def hold(self, begun: Path, go_on: Path) -> None:
        begun.write_bytes(b"")
        go_on.read_bytes()

    def keep(self, count: int) -> None:
        self.kept = np.ones(count, np.uint8)

    def leave(self, status: int) -> None:
        os._exit(status)

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def refuse(self) -> None:
        raise UndecodablePixelsError("image 2.25.1: no pixels")

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def fail_oddly(self) -> None:
        class OddError(Exception):
            pass

        raise OddError

    def answer_oddly(self) -> object:
        return threading.Lock()

    def much(self, count: int) -> bytes:
        return bytes(count)

    def length(self, content: bytes) -> int:
        return len(content)

    def descriptors(self) -> list[str]:
        folder = Path("/proc/self/fd")
        names = [str(path.readlink()) for path in sorted(folder.iterdir()) if path.is_symlink()]
        return [name for name in names if name.startswith("socket:")]

    def circumstances(self) -> dict[str, object]:
        previous = os.umask(0)
        os.umask(previous)
        return {
            "umask": previous,
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "ignored": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)],
        }

    def tally(self) -> None:
        self.tallies = self.tallies or Counter("tallies", "Calls.")
        self.tallies.inc()

    def say(self, word: str) -> None:
        structlog.get_logger("child").info(word)
        sys.stdout.write("to standard output\n")
        sys.stdout.flush()


def broken() -> Tenant:
    raise ModelError("the release is altered")


def stuck() -> Tenant:
    time.sleep(3600)
    return Tenant()


def listening_socket() -> socket.socket:
    """A listening socket that any child process would inherit."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.set_inheritable(True)
    return listener
