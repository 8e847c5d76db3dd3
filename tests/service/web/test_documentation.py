"""The examples of docs/http.md do what they say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.service.material import dicom_bytes
from tests.service.running import serving

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / "docs" / "http.md"


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
