"""Time and memory to audit a large cohort: `python -m benchmarks.audit [--ray 2] [--kills 5]`.

Writes a cohort of a million made-up cases (--cases) with 14 scores, an operating point and the findings of a
report each, three studies a patient, 200 first readers, 12 months, 4 sites, and runs `overread audit run` on
it as a person would. The limits are 60 seconds on two cores and 2 GB for a million cases, all processes
together. With --ray the same is done by a Ray cluster of N nodes of one CPU on this machine, whose own
processes count as memory too, and both results are compared. With --kills the command, and with --ray that of
the cluster too, is killed so many times (SIGKILL, it and all it started) at moments of chance, run once more
to its end, and what it then says is compared.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.rank import made_up_cases, write_cohort
from evaluation.audit.result_folder import read_result

SECONDS_MAX, MEGABYTES_MAX = 60, 2_000
KILL_SECONDS = (2.0, 30.0)  # between the start and the kill
_BLOCK = 10_000
_POINT = 0.4


def audited_cases(cases: int, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield made-up cases with what an audit tells apart."""
    generator = np.random.default_rng(seed)
    for number, case in enumerate(made_up_cases(cases, seed=seed)):
        if number % _BLOCK == 0:
            readers = generator.integers(0, 200, _BLOCK)
        (detection,) = case["detections"]
        detection["present"] = [name for name, score in detection["scores"].items() if score > _POINT]
        case |= {
            "modality": "DX",
            "site": f"site {number % 4}",
            "month": f"2026-{1 + number % 12:02d}",
            "first_reader": f"r{readers[number % _BLOCK]}",
        }
        yield case


class PeakMemory:
    """The most memory that a process and its children held together, looked at ten times a second."""

    def __init__(self, process: int) -> None:
        self.bytes = 0
        self._root = psutil.Process(process)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End looking."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            total = 0
            try:
                family = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in family:
                try:
                    total += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.bytes = max(self.bytes, total)


def measured(command: Sequence[str], watched: int | None = None) -> int:
    """Print time and memory of a command, and return its status.

    Args:
        command: that is run.
        watched: process whose memory counts, with its children; None: that of the command.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        memory = PeakMemory(watched or process.pid)
        process.wait()
        memory.stop()
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{seconds:6.1f} s ({seconds / SECONDS_MAX:.2f} of the limit), CPU {cpu:6.1f} s of it and what it "
        f"started, {memory.bytes / 1e6:5.0f} MB of all processes "
        f"({memory.bytes / 1e6 / MEGABYTES_MAX:.2f} of the limit)",
        flush=True,
    )
    return process.returncode


def killed(command: Sequence[str], kills: int, seed: int) -> int:
    """Kill a command so many times, each after a while of chance, then let it end; return its status."""
    chance = random.Random(seed)
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                process.wait(chance.uniform(*KILL_SECONDS))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        print(f"killed: {process.returncode == -signal.SIGKILL}", flush=True)
    return measured(command)


@contextmanager
def ray_cluster(workers: int) -> Iterator[str]:
    """Yield the address of a Ray cluster of so many nodes of one CPU on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1)
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def is_same(first: Path, second: Path) -> bool:
    """Print and return whether two results have the same tables."""
    same: bool = read_result(first)["tables"] == read_result(second)["tables"]
    print("identical tables" if same else "other tables", flush=True)
    return same


def main(arguments: Sequence[str] | None = None) -> int:
    """Print time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ray", type=int, metavar="N", help="beside it, by a Ray cluster of N nodes on this machine"
    )
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="beside it, killed N times")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cohort, alone = folder / "cohort.jsonl", folder / "alone"
        write_cohort(cohort, audited_cases(given.cases, seed=given.seed))
        print(f"{given.cases} cases, {cohort.stat().st_size / 1e6:.0f} MB", flush=True)
        audit = [sys.executable, "-m", "overread", "audit", "run", str(cohort), "--out"]
        status = measured([*audit, str(alone)])
        if not status and given.kills:
            status = killed([*audit, str(folder / "killed")], given.kills, given.seed)
            status = status or 1 - is_same(alone, folder / "killed")
        if status or not given.ray:
            return status
        print(f"by {given.ray} nodes of Ray:")
        with ray_cluster(given.ray) as address:
            spread = [*audit, str(folder / "spread"), "--ray", address]
            status = measured(spread, watched=os.getpid()) or 1 - is_same(alone, folder / "spread")
            if not status and given.kills:
                spread[spread.index(str(folder / "spread"))] = str(folder / "killed on Ray")
                status = killed(spread, given.kills, given.seed)
                status = status or 1 - is_same(alone, folder / "killed on Ray")
        return status


if __name__ == "__main__":
    sys.exit(main())
