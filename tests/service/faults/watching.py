"""Kills the process that watches a folder with SIGKILL at random moments while files are put there; counts.

    python -m tests.service.faults.watching --files 300 --kills 40 --seed 1

Every file must end in done/, what it holds be in the store exactly once, and nothing be in quarantine.
"""

import argparse
import contextlib
import logging
import os
import random
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from service.hl7.settings import Hl7Settings
from service.log import configure_logging
from service.settings import Settings, load_settings
from service.store.database import Store, open_store
from service.store.quarantine import count_quarantine
from service.store.schema import instances, report_versions
from service.watch.folder import FolderWatcher
from service.watch.settings import WatchSettings
from tests.service.material import dicom_bytes

PATIENCE_SECONDS = 120.0
WATCH = WatchSettings(settled_seconds=0.01, poll_seconds=0.005)


def watch(settings: Settings, folder: Path) -> None:
    """Watch until killed."""
    configure_logging(level=logging.CRITICAL)
    watcher = FolderWatcher(
        store=open_store(settings),
        folder=folder,
        settings=WATCH,
        hl7=Hl7Settings(),
        clock=lambda: datetime.now(UTC),
        ticks=time.monotonic,
    )
    with watcher:
        while True:
            watcher.look()
            time.sleep(WATCH.poll_seconds)


def started(settings: Settings, folder: Path) -> int:
    """Return the process id of a watcher."""
    child = os.fork()
    if child:
        return child
    try:
        watch(settings, folder)
    finally:
        os._exit(1)


def put(folder: Path, number: int) -> None:
    """Put one file into the folder: images and reports in turn, renamed into place."""
    name = f"A{number}.txt" if number % 2 else f"{number}.dcm"
    content = f"No mass {number}.".encode() if number % 2 else dicom_bytes(study=f"2.25.{number}")
    (folder / f"{name}.part").write_bytes(content)
    (folder / f"{name}.part").rename(folder / name)


def remaining(folder: Path) -> int:
    """Return how many files have not been taken."""
    return sum(path.is_file() for path in folder.iterdir())


def run(settings: Settings, folder: Path, *, files: int, kills: int, chance: random.Random) -> bool:
    """Put the files and kill the watcher; return whether all were taken in the end."""
    child, number, killed = started(settings, folder), 0, 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while (number < files or remaining(folder)) and time.monotonic() < deadline:
            for _ in range(min(chance.randrange(1, 12), files - number)):
                put(folder, number)
                number += 1
            time.sleep(chance.random() * 0.1)
            if killed < kills:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                child, killed = started(settings, folder), killed + 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    print(f"put {number}, killed {killed} times, left in the folder {remaining(folder)}")  # noqa: T201
    return not remaining(folder)


def counted(store: Store) -> tuple[int, int, int]:
    """Return how many objects, versions of reports and refused things there are."""
    with store.reading() as connection:
        objects = connection.execute(select(func.count()).select_from(instances)).scalar_one()
        reports = connection.execute(select(func.count()).select_from(report_versions)).scalar_one()
    return objects, reports, count_quarantine(store)


def main() -> int:
    """Put, kill and count; 0 if nothing is lost, doubled or refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings({}, data_folder=Path(name, "data")).model_copy(update={"free_bytes_min": 0})
        folder = Path(name, "watched")
        folder.mkdir()
        open_store(settings).close()
        chance = random.Random(arguments.seed)  # a repeatable one
        taken = run(settings, folder, files=arguments.files, kills=arguments.kills, chance=chance)
        store = open_store(settings)
        objects, reports, refused = counted(store)
        store.close()
        done = sum(1 for _ in (folder / "done").iterdir())
    expected = ((arguments.files + 1) // 2, arguments.files // 2, 0)
    print(f"in done/ {done}, objects {objects}, reports {reports}, refused {refused}; expected {expected}")  # noqa: T201
    return 0 if taken and (objects, reports, refused) == expected and done == arguments.files else 1


if __name__ == "__main__":
    sys.exit(main())
