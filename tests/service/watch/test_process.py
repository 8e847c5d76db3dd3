"""The watch as a process, as a person starts it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from service.store.database import Store
from service.store.worklist import load_case
from service.watch.settings import check_watch
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


def test_under_serve_a_folder_that_is_not_there_yet_is_waited_for(
    sqlite_store: Store, tmp_path: Path
) -> None:
    environ = {**os.environ, "OVERREAD_FOLDER": str(sqlite_store.settings.data_folder)}
    command = [sys.executable, "-m", "service.watch.process", str(tmp_path / "share")]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "cannot_watch" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=WAIT_SECONDS) == 0


def test_to_serve_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    check_watch({"OVERREAD_WATCH_FOLDER": str(tmp_path)})
    check_watch({})
    with pytest.raises(ConfigurationError, match=r"OVERREAD_WATCH_FOLDER: .* is no folder"):
        check_watch({"OVERREAD_WATCH_FOLDER": str(tmp_path / "none")})


def test_a_path_goes_with_folder_and_with_nothing_else() -> None:
    for words in (("folder",), ("dicom", "somewhere")):
        done = subprocess.run(
            [sys.executable, "-m", "overread", "receive", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "give a path with `folder`" in done.stderr
