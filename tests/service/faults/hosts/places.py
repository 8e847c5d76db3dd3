"""The hosts of overread itself: two that take in, three that look, each with its own processes and clock."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kill import ENVIRONMENT as USUAL
from tests.service.faults.chaos.places import Clock
from tests.service.faults.chaos.processes import descendants
from tests.service.faults.hosts.network import Network

API_PORT, STOW_PORT, DICOM_PORT, HL7_PORT = 8400, 8401, 11112, 2575
LEASE_SECONDS = 10.0
ENVIRONMENT = {
    **USUAL,
    "OVERREAD_LEASE_SECONDS": str(LEASE_SECONDS),
    "OVERREAD_ATTEMPTS_MAX": "100",
    "OVERREAD_DICOM_CALLING_AE_TITLES": "SENDER",
    "OVERREAD_HL7_SENDERS": "*",
    "OVERREAD_WATCH_SETTLED_SECONDS": "0.5",
    "OVERREAD_WATCH_POLL_SECONDS": "0.5",
}


@dataclass(kw_only=True)
class Host:
    """A machine of the installation."""

    network: Network
    name: str
    words: tuple[str, ...]  # what `overread` is called with
    folder: Path
    environment: dict[str, str]  # shared by all machines
    clock_ahead_seconds: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    own: dict[str, str] = field(default_factory=dict)  # settings of this machine alone

    def start(self) -> None:
        """Start its processes; they end with the network."""
        self.folder.mkdir()
        clock = Clock(self.folder)
        clock.set(self.clock_ahead_seconds)
        settings = {**ENVIRONMENT, **self.environment, **clock.environment, **self.own}
        settings["OVERREAD_FOLDER"] = str(self.folder / "data")
        command = [sys.executable, "-P", "-m", "overread", *self.words]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.network.command(self.name, command),
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[4],
            )

    def stop_short(self, number: signal.Signals) -> None:
        """Send a signal to all that runs here, as a hypervisor that stops or starts a machine."""
        assert self.process is not None
        for pid in (self.process.pid, *(each.pid for each in descendants(self.process.pid))):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        """End what runs here."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=30)


@contextmanager
def started(hosts: list[Host]) -> Iterator[None]:
    """The hosts run, the first before the others: it makes the tables."""
    try:
        for host in hosts:
            host.start()
        yield
    finally:
        for host in hosts:
            host.end()
