import subprocess
import sys
from pathlib import Path

from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from tests.service.material import PATIENT, triaged_case


def patient(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    folder = ("--data-folder", str(store.settings.data_folder))
    command = [sys.executable, "-m", "overread", "patient", *folder, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_kept_is_told_copied_and_removed_and_each_is_recorded(
    sqlite_store: Store, tmp_path: Path
) -> None:
    number = triaged_case(sqlite_store)

    shown = patient(sqlite_store, "show", PATIENT)
    copied = patient(sqlite_store, "export", PATIENT, "--out", str(tmp_path / "copy"))
    removed = patient(sqlite_store, "remove", PATIENT, "--because", "request 7")

    assert [done.returncode for done in (shown, copied, removed)] == [0, 0, 0], removed.stderr
    assert "1 cases, 1 studies, 1 images, 0 in quarantine" in shown.stdout
    assert "files in" in copied.stdout
    assert "removed: 1 images" in removed.stdout
    assert "What stays: the text of the reports" in removed.stdout
    whats = [sealed.entry.what for sealed in find_entries(sqlite_store, TrailFilter()) if sealed.entry]
    assert whats == ["overread patient show", "overread patient export", "bytes"]
    assert number == 1


def test_an_unknown_patient_is_said_so(sqlite_store: Store) -> None:
    done = patient(sqlite_store, "show", "4711")

    assert done.returncode == 1
    assert "nothing is kept" in done.stderr
    assert "4711" not in done.stderr
