"""`overread fetch` as a person gives it, and under `overread serve`."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from overread.errors import ConfigurationError
from service.pacs.client import run_automatically
from service.store.database import Store
from service.store.fetches import note_missed, stored_instances
from tests.service.material import NOW, after, send_image, send_report
from tests.service.pacs.conftest import Pacs, earlier
from tests.service.running import serving
from tests.service.runtime.test_supervisor import eventually


def fetch(pacs: Pacs, store: Store, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """The command with the settings of the store and of the PACS."""
    environment = {
        "OVERREAD_FOLDER": str(store.settings.data_folder),
        "OVERREAD_FREE_BYTES_MIN": "0",
        "OVERREAD_PACS": str(pacs.client.base_url.join("/dicom-web")),
        "OVERREAD_FETCH_STUDIES_PER_MINUTE": "1000000",
    }
    return subprocess.run(
        [sys.executable, "-m", "overread", "fetch", *words],
        env={**os.environ, **environment, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_study_that_is_named_comes_but_not_in_a_dry_run(pacs: Pacs, sqlite_store: Store) -> None:
    dry = fetch(pacs, sqlite_store, "study", "--patient", "P7", "--to", "20241231", "--dry-run")
    done = fetch(pacs, sqlite_store, "study", "--accession", "A7")

    assert sorted(dry.stdout.split()) == ["2.25.72", "2.25.73", "2.25.74"]
    assert stored_instances(sqlite_store, "2.25.72", "2.25.72.1") == frozenset()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 of 1: study 2.25.70: 1 images came\n"
    assert stored_instances(sqlite_store, "2.25.70", "2.25.70.1") == {"2.25.70.1.1"}


def test_priors_of_a_study_come(pacs: Pacs, sqlite_store: Store) -> None:
    send_image(sqlite_store, earlier(0, "20260301"))

    done = fetch(pacs, sqlite_store, "priors", "2.25.70", "--at-most", "1")

    assert done.stdout == "1 of 1: study 2.25.71: 1 images came\n"


def test_what_waits_comes_and_what_the_pacs_does_not_hold_is_named(pacs: Pacs, sqlite_store: Store) -> None:
    send_report(sqlite_store, accession="A7", patient="P7")
    send_report(sqlite_store, accession="A404", patient="P404")

    done = fetch(pacs, sqlite_store, "waiting")

    assert done.returncode == 1
    assert done.stdout == "1 of 1: study 2.25.70: 1 images came\n"
    assert done.stderr == "case 2: the PACS does not hold its study\n"


def test_what_is_to_be_fetched_by_itself_is_listed(pacs: Pacs, sqlite_store: Store) -> None:
    send_report(sqlite_store)
    note_missed(sqlite_store, before=after(60), now=NOW)

    listed = fetch(pacs, sqlite_store, "list")

    assert listed.stdout == "MISSED\tcase 1\tDUE\t0 attempts\tdue 2026-03-01 12:00 UTC\n"


def test_a_pacs_that_is_not_there_is_told_in_a_line(pacs: Pacs, sqlite_store: Store) -> None:
    refused = fetch(pacs, sqlite_store, "study", "--accession", "A", OVERREAD_PACS="http://127.0.0.1:1")

    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "check that it runs" in line


@pytest.mark.parametrize(
    ("environ", "named"),
    [({}, "set OVERREAD_PACS"), ({"OVERREAD_PACS": "http://127.0.0.1:1"}, "OVERREAD_FETCH_MISSED_MINUTES")],
)
def test_a_process_with_nothing_to_do_does_not_start(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        run_automatically({"OVERREAD_FOLDER": str(tmp_path), **environ})


def test_a_report_alone_becomes_a_triaged_case_by_what_serve_fetches(pacs: Pacs, tmp_path: Path) -> None:
    environment = {
        "OVERREAD_PACS": "ORTHANC",
        "OVERREAD_DICOM_PEERS": f"ORTHANC=127.0.0.1:{pacs.dicom_port}",
        "OVERREAD_DICOM_AE_TITLE": "OVERREAD",
        "OVERREAD_FETCH_MISSED_MINUTES": "0",
        "OVERREAD_QUIET_SECONDS": "0",
    }
    with serving(tmp_path, **environment) as running:
        assert "fetch" in running.children()
        pacs.send_to(running.ports["dicom"])
        report = {"text": "No mass is seen.", "accession_number": "A7"}
        case_id = httpx.post(f"{running.api}/api/v1/reports", json=report).json()["case_id"]

        def is_triaged() -> bool:
            return httpx.get(f"{running.api}/api/v1/cases/{case_id}").json()["triage"] is not None

        eventually(is_triaged)
