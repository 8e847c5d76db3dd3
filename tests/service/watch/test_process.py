"""The watch as a process, as a person starts it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from service.store.database import Store
from service.store.worklist import load_case
from tests.service.material import CLEAR

WAIT_SECONDS = 60


def test_a_file_is_taken_and_a_signal_ends_the_watch(sqlite_store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "A1.txt").write_text(CLEAR)
    command = [sys.executable, "-m", "overread", "receive", "folder", str(folder)]
    environ = {
        **os.environ,
        "OVERREAD_FOLDER": str(sqlite_store.settings.data_folder),
        "OVERREAD_FREE_BYTES_MIN": "0",
        "OVERREAD_WATCH_SETTLED_SECONDS": "0.05",
        "OVERREAD_WATCH_POLL_SECONDS": "0.02",
    }
    pause = threading.Event()  # that nobody sets
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (folder / "done" / "A1.txt").exists() and time.monotonic() < deadline:
            assert process.poll() is None
            pause.wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=WAIT_SECONDS) == 0

    assert load_case(sqlite_store, 1).report is not None


def test_a_path_goes_with_folder_and_with_nothing_else() -> None:
    for words in (("folder",), ("dicom", "somewhere")):
        done = subprocess.run(
            [sys.executable, "-m", "overread", "receive", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "give a path with `folder`" in done.stderr
