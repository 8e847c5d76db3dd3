"""`overread serve`, whole: its processes, its end, and what it refuses."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from overread.__main__ import main
from service.security.roles import Role, Scope
from service.security.tokens import make_token
from service.settings import load_settings
from service.store.database import open_store
from tests.service.material import dicom_bytes
from tests.service.orthanc import free_port
from tests.service.running import START_SECONDS, serving
from tests.service.runtime.test_supervisor import eventually, is_alive
from tests.service.security.people import BY, add, sign_in, token_on

pytestmark = pytest.mark.slow

BOUNDARY = "edge"
HEAD = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
MEGABYTE = 1 << 20


def test_a_study_and_its_report_become_a_case_and_a_stop_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"  # which the processes must be told of
    file.write_text("[store]\nquiet_seconds = 0\n")
    chosen = {
        "OVERREAD_KEEP_DAYS_CONCORDANT": "365",
        "OVERREAD_PROBE_PORT": "0",
        "OVERREAD_DRIFT_REFERENCE": "2026-01-01/2026-02-01",
    }
    with serving(tmp_path, "--config", str(file), **chosen) as running:
        stored = httpx.post(f"{running.stow}/studies", content=HEAD + dicom_bytes() + TAIL, headers=MULTIPART)
        assert stored.status_code == 200
        report = {"text": "No mass is seen.", "accession_number": "A1"}
        case_id = httpx.post(f"{running.api}/api/v1/reports", json=report).json()["case_id"]
        eventually(lambda: triaged(running.api, case_id))
        assert httpx.get(f"{running.probes}/api/v1/worklist").status_code == 404
        assert httpx.get(f"{running.probes}/health/ready").status_code == 200
        counted = httpx.get(f"{running.probes}/metrics").text
        assert 'overread_intake_accepted_total{protocol="stow"} 1.0' in counted  # by another process
        assert 'overread_triages_total{end="concluded"} 1.0' in counted
        names = {"api", "stow", "dicom", "hl7", "worker", "retain", "drift"}
        eventually(lambda: set(running.children()) == names)  # each is called so once it has started
        children = running.children()
        stands_back = {
            name: os.getpriority(os.PRIO_PROCESS, number) - os.getpriority(os.PRIO_PROCESS, 0)
            for name, number in children.items()
        }
        assert stands_back["api"] < stands_back["dicom"] == stands_back["hl7"] == stands_back["stow"]
        assert stands_back["dicom"] < stands_back["worker"]
        kept = (tmp_path / "data", *(tmp_path / "data").rglob("*"))
        assert [path for path in kept if path.stat().st_mode & 0o077] == []
        running.process.terminate()
        assert running.process.wait(60) == 0
        assert not any(map(is_alive, children.values()))


def triaged(api: str, case_id: int) -> bool:
    return httpx.get(f"{api}/api/v1/cases/{case_id}").json()["triage"] is not None


def test_each_process_comes_back_and_the_killed_supervisor_leaves_none(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        before = running.children()
        for name in ("api", "stow", "dicom", "hl7", "worker"):
            os.kill(before[name], signal.SIGKILL)
        # Connections made meanwhile wait in the socket's queue and are answered by the successors.
        for url in (running.api, running.stow):
            assert httpx.get(f"{url}/health/live", timeout=START_SECONDS).status_code == 200
        eventually(lambda: set(running.children()) == {"api", "stow", "dicom", "hl7", "worker"})
        after = running.children()
        assert set(after.values()).isdisjoint(before.values())
        running.process.kill()
        eventually(lambda: not any(map(is_alive, after.values())))


def test_of_two_api_processes_one_answers_while_the_other_is_gone(tmp_path: Path) -> None:
    with serving(tmp_path, "--api-processes", "2") as running:
        eventually(lambda: len(running.processes("api")) == 2)
        os.kill(running.process.pid, signal.SIGSTOP)  # so that nothing starts again
        try:
            os.kill(running.processes("api")[0], signal.SIGKILL)
            assert httpx.get(f"{running.api}/", timeout=START_SECONDS).status_code == 200
        finally:
            os.kill(running.process.pid, signal.SIGCONT)
        eventually(lambda: len(running.processes("api")) == 2)


@pytest.mark.parametrize("options", [("--workers", "-1"), ("--api-processes", "0")])
def test_an_impossible_number_of_processes_is_refused(
    tmp_path: Path, options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data-folder", str(tmp_path), *options]) == 1
    assert f"{options[0]} must be" in capsys.readouterr().err


def test_an_upload_of_any_size_takes_no_more_memory(tmp_path: Path) -> None:
    """256 MB in one part, which is no DICOM object; what is measured is the way to the disk."""

    def upload(megabytes: int) -> Iterator[bytes]:
        yield HEAD
        for _ in range(megabytes):
            yield bytes(MEGABYTE)
        yield TAIL

    with serving(tmp_path, "--workers", "0") as running:
        pid = running.children()["stow"]
        peaks = []
        for megabytes in (8, 256):
            answer = httpx.post(
                f"{running.stow}/studies", content=upload(megabytes), headers=MULTIPART, timeout=120
            )
            assert answer.status_code == 409
            peaks.append(peak_megabytes(pid))
        assert peaks[1] - peaks[0] < 24


def peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run_serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "overread", "serve", *options]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={**os.environ, **environment},
    )


def test_an_address_for_others_without_an_account_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused = run_serve("--host", "0.0.0.0", "--data-folder", str(tmp_path))
    assert refused.returncode == 1
    assert "overread users add" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run_serve("--port", port, "--data-folder", str(tmp_path))
    assert refused.returncode == 1
    assert f"127.0.0.1:{port}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_killed_bentoml_serve_leaves_no_orphan(tmp_path: Path) -> None:
    """BentoML's own supervisor, for those who scale the service with it."""
    port = free_port()
    bentoml = Path(sys.executable).with_name("bentoml")
    command = [str(bentoml), "serve", "service.bento:Overread", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "OVERREAD_FOLDER": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port))
        workers = descendants(process.pid)
        assert workers
        process.kill()
        eventually(lambda: not answers(port))
        eventually(lambda: not any(map(is_alive, workers)))
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    except httpx.HTTPError:
        return False


def descendants(pid: int) -> list[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, front = [], {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found += sorted(front)
    return found


def test_once_somebody_has_an_account_no_process_answers_strangers(tmp_path: Path) -> None:
    opened = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "data"))
    add(opened, "ada", Role.SECOND_READER)
    by = replace(BY, at=datetime.now(UTC))
    token = make_token(opened, "detector", frozenset({Scope.TRIAGE}), days=1, by=by)
    opened.close()
    with serving(tmp_path, "--workers", "0") as running:
        strangers = {
            address: httpx.get(f"{running.api}{address}").status_code
            for address in ("/", "/api/v1/worklist", "/schema.json", "/docs.json", "/metrics", "/readyz")
        }
        assert strangers.pop("/readyz") == 200
        assert set(strangers.values()) == {401}
        assert httpx.get(f"{running.stow}/studies").status_code == 401
        scores = f"{running.api}/api/v1/detector/scores"
        assert httpx.post(scores, json={"inputs": ["x"]}).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(scores, json={"inputs": ["x"]}, headers=headers).status_code == 400
        with httpx.Client(base_url=running.api, headers={"Accept": "text/html"}) as browser:
            assert sign_in(browser, "ada").status_code == 303
            page = browser.get("/")
            assert "Ada (second reader)" in page.text
            assert browser.post(scores, json={"inputs": ["x"]}).status_code == 403
            given = {"X-CSRF-Token": token_on(page)}
            assert browser.post(scores, json={"inputs": ["x"]}, headers=given).status_code == 400
            cookies = dict(browser.cookies)
        assert httpx.get(f"{running.stow}/studies", cookies=cookies).status_code == 204
