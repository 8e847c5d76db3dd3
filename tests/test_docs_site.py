"""The documentation as a site, and the tutorial as somebody who follows it."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import yaml

from tests.service.running import serving
from tests.service.waiting import eventually

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial.md"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
EXTERNAL = re.compile(r"(?i)^(https?:)?//")

pytestmark = pytest.mark.slow
needs_mkdocs = pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("material") is None,
    reason="the docs extra is not installed (pip install -c constraints.txt '.[docs]')",
)


class Fetched(HTMLParser):
    """What a page makes a browser fetch: scripts, styles, images, fonts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        fetches = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
        is_fetched = tag in fetches and not (
            tag == "link" and values.get("rel") in {"canonical", "next", "prev"}
        )
        if is_fetched and (address := values.get(fetches[tag])):
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in strict mode: a link or an anchor that leads nowhere ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr  # not --quiet, which hides warnings from --strict
    return folder


@needs_mkdocs
def test_the_site_is_built_with_every_link_and_anchor_right(site: Path) -> None:
    assert (site / "index.html").exists()
    assert (site / "decisions" / "0001-queue-in-the-database.html").exists()


@needs_mkdocs
def test_nothing_is_fetched_from_elsewhere_when_a_page_is_looked_at(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.addresses
        assert [address for address in parser.addresses if EXTERNAL.match(address)] == [], page
    for sheet in site.rglob("*.css"):
        found = re.findall(r"url\(['\"]?([^)'\"]+)", sheet.read_text(encoding="utf-8"))
        assert [address for address in found if EXTERNAL.match(address)] == [], sheet


@needs_mkdocs
def test_the_reference_has_every_command_operation_and_finding(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for name in ("serve", "audit-trail", "train", "gate"):
        assert f"usage: overread {name} " in commands
    assert "usage: overread db backup " in commands
    api = (site / "reference" / "api.html").read_text(encoding="utf-8")
    document = json.loads((site / "reference" / "openapi.json").read_text(encoding="utf-8"))
    assert len(document["paths"]) > 40
    for path in document["paths"]:
        assert f"<code>{path}</code>" in api
    assert "<code>pneumothorax</code>" in (site / "reference" / "findings.html").read_text(encoding="utf-8")


def pages_of(entries: list[object]) -> list[str]:
    found = []
    for entry in entries:
        parts = entry.values() if isinstance(entry, dict) else [entry]
        for part in parts:
            found += pages_of(part) if isinstance(part, list) else [str(part)]
    return found


def test_every_page_of_the_documentation_is_in_the_navigation_once() -> None:
    named = pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert len(named) == len(set(named))
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert written <= set(named)


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_to_files_lead_somewhere_in_the_repository_too(page: Path) -> None:
    made = {"reference/commands.md", "reference/api.md", "reference/findings.md"}
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        target = link.partition("#")[0]
        if target and not EXTERNAL.match(target):
            path = (page.parent / target).resolve()
            assert path.exists() or path.relative_to(DOCS).as_posix() in made, link


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian package curl)")
def test_the_commands_of_the_tutorial_do_what_it_says(tmp_path: Path) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    install, demo, serve, correct, look, store, remove = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    assert "make demo" in install  # which `.ci/run` runs in a clone
    assert serve.strip() == ".venv/bin/overread serve --data-folder tutorial"

    run(demo, tmp_path)
    first = json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))["cases"][0]
    assert "masses" in json.dumps(first)
    (tmp_path / "tutorial").rename(tmp_path / "data")  # where `serving` looks for it
    (tmp_path / "tutorial").symlink_to(tmp_path / "data")
    with serving(tmp_path) as running:
        answer = json.loads(run(correct, tmp_path, running.api))
        assert (answer["case_id"], answer["version"]) == (1, 2)
        eventually(lambda: triaged_version(running.api) == 2)
        after = json.loads(run(look, tmp_path, running.api))["summary"]
        assert after["priority"] < first["priority"]
        denied = "the detector sees lung mass, bilateral; the report denies it"
        assert any(denied in reason for reason in first["reasons"])
        assert not any(denied in reason for reason in after["reasons"])
        assert "nothing is wrong" in run(store, tmp_path)
    assert (tmp_path / "backup" / "backup.json").exists()
    (tmp_path / "tutorial").unlink()
    (tmp_path / "data").rename(tmp_path / "tutorial")
    run(remove, tmp_path)
    assert not (tmp_path / "tutorial").exists()


def triaged_version(api: str) -> int:
    return int(httpx.get(f"{api}/api/v1/cases/1").json()["triage"]["report_version"])


def run(commands: str, folder: Path, api: str = "") -> str:
    """Run a block of the tutorial with the program of this environment, and return what it says."""
    program = f"{sys.executable} -m overread"
    script = commands.replace(".venv/bin/overread", program).replace("http://127.0.0.1:8400", api)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "OVERREAD_FREE_BYTES_MIN": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout
