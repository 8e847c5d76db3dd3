"""Metrics of the whole installation."""

import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from overread.actor import Actor
from overread.command import main
from overread.drift_columns import CHANNELS
from service.maintenance.backup import read_manifest
from service.store.database import Store, open_engine
from service.store.drift import add_look
from service.store.workers import WorkerRecord, note_worker
from service.web.guard import access_for
from service.web.installation_metrics import InstallationCollector
from service.web.opening import context_opener
from tests.service.certificates import Certificates
from tests.service.dicomweb.test_stow import body, post
from tests.service.material import after, ready_case, send_report, triaged_case
from tests.service.store.releases.whole import whole_look
from tests.service.web.listening import NOW

LABELS = ("state", "check", "listener", "channel")


def values(text: str) -> dict[str, float]:
    """Samples by name, and by state, check or listener where they have one."""
    return {
        "/".join(
            (sample.name, *(sample.labels[name] for name in LABELS if name in sample.labels))
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_queue_quarantine_and_disk_are_told(api: httpx.Client, stow_url: str, sqlite_store: Store) -> None:
    ready_case(sqlite_store, 1, now=after(-90))
    triaged_case(sqlite_store, 2, now=after(-3600))
    send_report(sqlite_store, accession="A9")
    post(stow_url, body(b"no DICOM"))

    found = values(api.get("/metrics").text)

    assert found["overread_cases/READY"] == found["overread_cases/LISTED"] == 1
    assert found["overread_cases/FAILED"] == 0
    assert found["overread_oldest_case_age_seconds/READY"] == 90
    assert found["overread_oldest_case_age_seconds/LISTED"] == 3600
    assert found["overread_quarantine_waiting"] == 1
    assert found["overread_disk_free_bytes"] > 0
    assert found["overread_disk_free_min_bytes"] == sqlite_store.settings.free_bytes_min
    assert found["overread_database_up"] == 1


def test_workers_that_live_are_counted(api: httpx.Client, sqlite_store: Store) -> None:
    seen = WorkerRecord(
        name="a", host="a", pid=1, release="1", detectors=(), started_at=NOW, seen_at=NOW, case_id=None
    )
    note_worker(sqlite_store, seen)
    note_worker(sqlite_store, replace(seen, name="dead", seen_at=after(-600)))

    assert values(api.get("/metrics").text)["overread_workers_alive"] == 1


def test_without_the_database_the_rest_is_still_told(sqlite_store: Store) -> None:
    gone = Store(
        settings=sqlite_store.settings,
        engine=open_engine("postgresql+psycopg://127.0.0.1:1/gone"),
        files=sqlite_store.files,
    )
    found = {family.name: family.samples for family in InstallationCollector(gone, now=NOW).collect()}
    assert found["overread_database_up"][0].value == 0
    assert "overread_disk_free_bytes" in found
    assert "overread_cases" not in found


def test_each_check_of_readiness_is_told_as_it_is(api: httpx.Client, sqlite_store: Store) -> None:
    before = values(api.get("/metrics").text)
    ready_case(sqlite_store, 1, now=after(-1000))  # and nobody triages it

    found = values(api.get("/metrics").text)

    checks = {name: value for name, value in before.items() if name.startswith("overread_check_ok/")}
    names = ("database", "disk", "objects", "model", "workers", "queue")
    assert checks == {f"overread_check_ok/{name}": 1.0 for name in names}
    assert found["overread_check_ok/workers"] == found["overread_check_ok/queue"] == 0
    assert found["overread_check_ok/database"] == found["overread_check_ok/disk"] == 1


def test_the_latest_look_for_drift_is_told_until_further_ones_have_not_come_for_long(
    sqlite_store: Store,
) -> None:
    def told(seconds: float) -> dict[str, float]:
        collector = InstallationCollector(sqlite_store, now=after(seconds))
        return {
            "/".join((sample.name.removeprefix("overread_drift_"), *sample.labels.values())): sample.value
            for family in collector.collect()
            for sample in family.samples
            if sample.name.startswith("overread_drift_")
        }

    nothing = {
        **{f"alarm/{channel}": 0.0 for channel in CHANNELS},
        "window_cases": 0.0,
        "next_look_timestamp_seconds": 0.0,
    }
    assert told(20_000) == nothing
    add_look(sqlite_store, whole_look(), actor=Actor.program("overread drift"))

    assert told(20_000) == {
        **nothing,
        "alarm/pixels": 1.0,
        "p/pixels": 0.001,
        "window_cases": 110.0,
        "next_look_timestamp_seconds": after(1_000_000).timestamp(),
    }
    assert told(1_000_000 + 29 * 86400)["alarm/pixels"] == 1.0
    assert told(1_000_000 + 31 * 86400) == nothing


def test_the_latest_backup_that_is_whole_is_told(
    api: httpx.Client, sqlite_store: Store, tmp_path: Path
) -> None:
    triaged_case(sqlite_store, 1)
    folder = str(sqlite_store.settings.data_folder)
    name = "overread_last_backup_timestamp_seconds"
    assert values(api.get("/metrics").text)[name] == 0

    assert main(["db", "--data-folder", folder, "backup", str(tmp_path / "first")]) == 0
    first = values(api.get("/metrics").text)[name]
    for path in sqlite_store.settings.data_folder.glob("objects/*/*"):
        path.unlink()
    assert main(["db", "--data-folder", folder, "backup", str(tmp_path / "second")]) == 1

    made_at = datetime.fromisoformat(read_manifest(tmp_path / "first").made_at).timestamp()
    assert first >= made_at
    assert values(api.get("/metrics").text)[name] == first


def test_the_end_of_a_certificate_is_told_and_one_that_cannot_be_read_is_0(
    sqlite_store: Store, certificates: Certificates, tmp_path: Path
) -> None:
    certificate = certificates.files.certificate
    (tmp_path / "broken.crt").write_text("no certificate")
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-enddate", "-dateopt", "iso_8601"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ends = datetime.fromisoformat(said.strip().removeprefix("notAfter="))

    collector = InstallationCollector(
        sqlite_store, now=NOW, certificates={"dicom": certificate, "hl7": tmp_path / "broken.crt"}
    )

    found = {family.name: family.samples for family in collector.collect()}
    samples = found["overread_certificate_expires_timestamp_seconds"]
    assert {sample.labels["listener"]: sample.value for sample in samples} == {
        "dicom": ends.timestamp(),
        "hl7": 0,
    }


def test_the_certificates_are_those_that_the_settings_name(
    tmp_path: Path, certificates: Certificates
) -> None:
    environ = {
        "OVERREAD_FOLDER": str(tmp_path / "data"),
        "OVERREAD_HL7_TLS_CERTIFICATE": str(certificates.files.certificate),
        "OVERREAD_HL7_TLS_KEY": str(certificates.files.key),
    }
    opener = context_opener(environ, access=access_for("127.0.0.1", None), model=None)
    with opener() as context:
        assert context.certificates == {"hl7": certificates.files.certificate}
