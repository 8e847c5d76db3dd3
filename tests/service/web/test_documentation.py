"""The examples of the documents do what they say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.material import dicom_bytes
from tests.service.running import serving

pytestmark = pytest.mark.slow

DOCUMENTS = Path(__file__).parents[3] / "docs"
DOCUMENT = DOCUMENTS / "http.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian package curl)")
def test_every_example_succeeds(tmp_path: Path) -> None:
    examples = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    (tmp_path / "image.dcm").write_bytes(dicom_bytes(study="2.25.1001", AccessionNumber="A-1001"))
    (tmp_path / "report.txt").write_text("IMPRESSION: No mass is seen.")
    with serving(tmp_path, "--workers", "0") as running:
        for example in examples:
            script = example.replace("http://127.0.0.1:8400", running.api).replace(
                "http://127.0.0.1:8401", running.stow
            )
            done = subprocess.run(
                ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (example, done.stdout, done.stderr, (tmp_path / "log").read_text())
    assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")
    assert '"/studies"' in (tmp_path / "openapi.json").read_text()


def test_the_client_in_python_sends_a_study_and_reads_its_case(tmp_path: Path) -> None:
    (program,) = re.findall(
        r"^```python\n(.*?)^```", (DOCUMENTS / "client.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    (tmp_path / "client.py").write_text(program)
    (tmp_path / "image.dcm").write_bytes(dicom_bytes(study="2.25.1001", AccessionNumber="A-1001"))
    (tmp_path / "report.txt").write_text("FINDINGS: No pneumothorax.\nIMPRESSION: Right pneumothorax.")
    token = "a token that is long enough"
    with serving(tmp_path, OVERREAD_API_TOKEN=token) as running:
        given = {"OVERREAD_API": running.api, "OVERREAD_DICOMWEB": running.stow, "OVERREAD_API_TOKEN": token}
        done = subprocess.run(
            [sys.executable, "client.py", "image.dcm", "report.txt", "A-1001"],
            cwd=tmp_path,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        refused = subprocess.run(
            [sys.executable, "client.py", "image.dcm", "report.txt", "A-1001"],
            cwd=tmp_path,
            env={**os.environ, **given, "OVERREAD_API_TOKEN": "another token"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, (done.stdout, done.stderr, (tmp_path / "log").read_text())
    assert "case 1 is LISTED" in done.stdout
    assert "pneumothorax" in done.stdout
    assert (refused.returncode, "401" in refused.stderr) == (1, True)
