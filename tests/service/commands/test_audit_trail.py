import json
import subprocess
import sys
from pathlib import Path

from service.store.audit_trail import record_acts, seal_trail
from service.store.database import Store
from tests.service.audit_trail.material import sealed_views, tampering, view
from tests.service.material import PATIENT, triaged_case


def trail(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    folder = ("--data-folder", str(store.settings.data_folder))
    command = [sys.executable, "-m", "overread", "audit-trail", *folder, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_sound_trail_is_verified_against_a_kept_anchor(sqlite_store: Store, tmp_path: Path) -> None:
    sealed_views(sqlite_store, 2)
    kept = tmp_path / "kept.txt"
    assert trail(sqlite_store, "anchor", "--append", str(kept)).returncode == 0
    assert kept.read_text() == trail(sqlite_store, "anchor").stdout
    record_acts(sqlite_store, [view(3)])

    done = trail(sqlite_store, "verify", "--anchors", str(kept))

    assert done.returncode == 0, done.stderr
    assert "2 entries in the chain" in done.stdout
    assert "1 not sealed yet" in done.stdout
    assert "agrees with its chain and 1 kept anchors" in done.stdout


def test_tampering_ends_with_status_1(sqlite_store: Store) -> None:
    sealed_views(sqlite_store, 2)
    with tampering(sqlite_store) as connection:
        connection.exec_driver_sql("UPDATE audit_trail SET subject = 'case 5' WHERE position = 1")

    done = trail(sqlite_store, "verify")

    assert done.returncode == 1
    assert "position 1 (entry 1) was changed" in done.stdout
    assert "was tampered with" in done.stdout


def test_an_export_about_a_patient_has_what_was_seen_of_the_patient_and_is_recorded(
    sqlite_store: Store, tmp_path: Path
) -> None:
    number = triaged_case(sqlite_store)
    record_acts(sqlite_store, [view(number), view(number + 1)])
    file = tmp_path / "who.jsonl"

    done = trail(sqlite_store, "export", "--patient", PATIENT, "--out", str(file))
    again = trail(sqlite_store, "export")

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["subject"] for line in file.read_text().splitlines()] == [f"case {number}"]
    assert PATIENT not in done.stderr
    last = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line["what"] for line in last][-2:] == ["overread audit-trail export"] * 2
    assert not any(PATIENT in line for line in again.stdout.splitlines())


def test_fhir_and_syslog_are_a_line_an_entry(sqlite_store: Store) -> None:
    sealed_views(sqlite_store, 2)

    fhir = trail(sqlite_store, "export", "--format", "fhir", "--case", "1").stdout.splitlines()
    syslog = trail(sqlite_store, "export", "--format", "syslog", "--since", "2026-03-01").stdout.splitlines()

    assert {json.loads(line)["resourceType"] for line in fhir} == {"AuditEvent"}
    assert all(line.startswith("<85>1 ") for line in syslog)
    seal_trail(sqlite_store)


def test_what_is_no_file_of_anchors_is_refused_in_words(sqlite_store: Store, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("yesterday\n")

    missing = trail(sqlite_store, "verify", "--anchors", str(tmp_path / "none.txt"))
    malformed = trail(sqlite_store, "verify", "--anchors", str(wrong))

    assert (missing.returncode, malformed.returncode) == (1, 1)
    assert "cannot read anchors" in missing.stderr
    assert "an anchor is a position and a hash" in malformed.stderr
