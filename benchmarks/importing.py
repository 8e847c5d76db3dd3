"""`overread import`: rows and images of 8.4 MB per second, and that memory does not grow with their number.

    python -m benchmarks.importing [--rows 20000 100000] [--images 300] [--threads 1 4]

Each import runs as a person starts it, into a store of its own that is empty before. Printed are counts, rate
and the most memory that the process held; then a second run over the same files, which passes over what the
first one took.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.stow import radiograph

REPORT = (
    "FINDINGS: The lungs are clear. No pleural effusion.\nIMPRESSION: Normal chest radiograph, number {}."
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One import."""

    seconds: float
    memory_bytes: int
    said: str


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="*", default=[20_000, 100_000])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--folder", type=Path, help="where to work (default: the folder for temporary files)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for count in arguments.rows:
            table = folder / f"{count}.csv"
            _write_table(table, count)
            for run in ("first", "second"):
                told = imported(folder / f"rows-{count}", "--reports", str(table))
                _tell(f"{count:,} rows, {run} run", count, told)
        if arguments.images:
            _measure_images(folder, arguments)


def _measure_images(folder: Path, arguments: argparse.Namespace) -> None:
    images = folder / "images"
    images.mkdir()
    generator = np.random.default_rng(1)
    for number in range(arguments.images):
        content = radiograph(number, generator)
        (images / f"{number}.dcm").write_bytes(content)
    for threads in arguments.threads:
        store = folder / f"images-{threads}"
        for run in ("first", "second"):
            told = imported(store, "--images", str(images), "--threads", str(threads))
            _tell(f"{arguments.images:,} images, {threads} at once, {run} run", arguments.images, told)


def imported(store: Path, *words: str) -> Run:
    """Return how an import went; it must end well."""
    command: Sequence[str] = [sys.executable, "-m", "overread", "import", "--data-folder", str(store), *words]
    environment = {**os.environ, "OVERREAD_FREE_BYTES_MIN": "0"}
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}: {said}")
    return Run(
        seconds=time.perf_counter() - started,
        memory_bytes=usage.ru_maxrss * 1024,
        said=said.strip().splitlines()[-1],
    )


def _write_table(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("accession,patient,status,text\n")
        for number in range(count):
            text = REPORT.format(number)
            file.write(f'A{number},P{number // 3},F,"{text}"\n')


def _tell(name: str, count: int, run: Run) -> None:
    rate = count / run.seconds
    memory = run.memory_bytes / 1e6
    print(f"{name:38} {run.seconds:8.1f} s {rate:10,.1f}/s {memory:7.0f} MB at most   {run.said}", flush=True)


if __name__ == "__main__":
    main()
