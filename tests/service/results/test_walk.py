"""A receiving site's walk, as docs/results.md shows it: with Orthanc, from nothing to results."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.service.orthanc import DICOMWEB, ORTHANC, free_port
from tests.service.results.material import dumped, faults_of

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


def commands() -> str:
    """The walk, and after it what the page shows before."""
    before, _, walk = PAGE.read_text(encoding="utf-8").partition("## From Orthanc")
    shown = [re.findall(r"```sh\n(.*?)```", part, flags=re.DOTALL) for part in (walk, before)]
    return "\n".join([*shown[0], 'export OVERREAD_FOLDER="$PWD/data"', *shown[1]])


def test_the_walk_leads_to_results_in_orthanc(tmp_path: Path) -> None:
    if not ORTHANC.exists() or not DICOMWEB.exists():
        pytest.skip("Orthanc is not installed (Debian packages orthanc and orthanc-dicomweb)")
    text = commands()
    for port in ("4242", "8042", "11112", "8400"):
        text = re.sub(rf"(?<![0-9]){port}(?![0-9])", str(free_port()), text)
    ports = {name: str(free_port()) for name in ("--stow-port", "--hl7-port")}
    more = " ".join(f"{name} {port}" for name, port in ports.items())
    api = re.search(r"http://127.0.0.1:([0-9]+)/health", text)
    dicom = re.search(r'"OVERREAD", "127.0.0.1", ([0-9]+)', text)
    assert api is not None
    assert dicom is not None
    text = text.replace("overread serve", f"overread serve --port {api[1]} --dicom-port {dicom[1]} {more}")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, command in (
        ("overread", f"exec {sys.executable} -m overread"),
        ("python", f"exec {sys.executable}"),
        ("Orthanc", f"exec {ORTHANC}"),
    ):
        (bin_folder / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (bin_folder / name).chmod(0o755)
    folder = tmp_path / "walk"
    folder.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    environ |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "no_proxy": "127.0.0.1"}
    with (tmp_path / "said").open(
        "w"
    ) as output:  # no pipe: what goes on in the background would hold it open
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):  # told below, with what the programs said
            process.wait(timeout=300)
        os.killpg(process.pid, signal.SIGTERM)
    said = "\n".join(
        f"{name}:\n{path.read_text(encoding='utf-8')}"
        for name, path in (("said", tmp_path / "said"), *((path.name, path) for path in folder.glob("*.log")))
    )

    assert process.returncode == 0, said
    assert '"Modality" : "SR"' in said
    assert '"SeriesDescription" : "overread: not for diagnosis"' in said
    assert len(re.findall(r"\tSENT\t", said)) == 4  # listed twice
    assert "0 deliveries are due again" in said
    held = [path for path in (folder / "orthanc").rglob("*") if path.is_file()]
    objects = {}
    for path in held:
        if path.stat().st_size > 200 and path.read_bytes()[128:132] == b"DICM":
            objects[str(dcmread(path, stop_before_pixels=True).Modality)] = path
    assert set(objects) == {"CR", "SR", "OT"}
    assert faults_of(objects["SR"]) == []
    assert faults_of(objects["OT"]) == []
    assert "Imaging Measurement Report" in dumped(objects["SR"])
