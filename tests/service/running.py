"""`overread serve` as a user starts it."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120
_NAMES = frozenset({b"api", b"stow", b"dicom", b"hl7", b"worker", b"fetch", b"retain", b"drift"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A running `overread serve`."""

    process: subprocess.Popen[str]
    api: str
    stow: str
    ports: dict[str, int]  # of the listeners, by protocol
    probes: str  # address of health and metrics without a token; empty where there is none

    def children(self) -> dict[str, int]:
        """Process ids of the direct children by what they are, of several alike one."""
        return dict(self._children())

    def processes(self, name: str) -> list[int]:
        """Process ids of the direct children that are this."""
        return sorted(pid for found, pid in self._children() if found == name)

    def _children(self) -> Iterator[tuple[str, int]]:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == self.process.pid and state != "Z":
                    words = (stat.parent / "cmdline").read_bytes().split(b"\0")
                    name = next(
                        (w.decode() for w in words if w in _NAMES),
                        "starting",
                    )
                    yield name, int(stat.parent.name)


@contextlib.contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Serving]:
    """Everything on free ports and a data folder of the test's own, ready; ended when the block ends."""
    command = [sys.executable, "-m", "overread", "serve", "--data-folder", str(folder / "data"), *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *("--port", "0", "--stow-port", "0", "--dicom-port", "0", "--hl7-port", "0")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "OVERREAD_FREE_BYTES_MIN": "0", **environment},
        )
    try:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if "Stop with Ctrl-C" in line:
                break
        addresses = re.findall(r"http://127\.0\.0\.1:\d+", text)
        assert addresses, (folder / "log").read_text()
        ports = {
            name.lower(): int(port) for name, port in re.findall(r"(DICOM|HL7) +127\.0\.0\.1:(\d+)", text)
        }
        stow = re.findall(r"(http://\S+)/studies", text)[0]
        probes = re.findall(r"Probes +(http://\S+)/metrics", text)
        yield Serving(
            process=process, api=addresses[0], stow=stow, ports=ports, probes=probes[0] if probes else ""
        )
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)
