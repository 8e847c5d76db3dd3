"""Every command that the documentation shows is run: here, or by what the tables below name.

A block of commands is marked `sh`. What is run elsewhere is held to the parser of its subcommand too.
"""

import argparse
import csv
import importlib.util
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import structlog
from pydicom.data import get_testdata_file

from overread.command import GROUP, Command, add_installation_options, main
from service.demo import demo_cases, run_demo
from service.settings import load_settings
from tests.evaluation.published import write_made_up

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom finds fault with what the real objects hold

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
}
PROGRAM = re.compile(r"(export |[A-Z_]+=\S* )*(\.venv/bin/)?(overread|make|pip|python|git|curl)\b")

CI = ".ci/run"
PACKAGE = "tests/deploy/test_package.py"
AUDIT_RUN = "tests/service/commands/test_audit_run.py"
BUDGET = "tests/evaluation/test_documentation.py"
CLIENT = "tests/service/web/test_documentation.py"
DEIDENTIFY = "tests/service/commands/test_deidentify.py"
FETCHING = "tests/service/pacs/test_fetching.py"
MODELS = "tests/models/commands/test_models.py"
NOTICES = "tests/service/commands/test_notices.py"
PATIENT = "tests/service/commands/test_patient.py"
PEER_LEARNING = "tests/service/peer_learning/test_meeting.py"
QUARANTINE = "tests/service/commands/test_quarantine.py"
READING = "tests/evaluation/test_reading.py"
SCORECARDS = "tests/evaluation/commands/test_audit_golden.py"
SERVING = "tests/service/runtime/test_serving.py"
SIMULATE = "tests/evaluation/commands/test_simulate.py"
# Pages whose commands another test takes from the page and runs, all of them.
RUN_AS_A_WHOLE = {
    "docs/http.md": "tests/service/web/test_documentation.py",
    "docs/tutorial.md": "tests/test_docs_site.py",
    "docs/results.md": "tests/service/results/test_walk.py",
    "docs/how-to/record-system.md": "tests/service/api/test_record_system_page.py",
}
# Commands that are not run here: what runs the same, and why it is not this test.
RUN_ELSEWHERE = {
    "make demo": (CI, "installs"),
    "make demo ARGS=--once --data-folder demo": (CI, "installs"),
    ".venv/bin/overread audit run --data-folder demo --out audit": (AUDIT_RUN, "needs that folder"),
    "make demo ARGS=--once": (CI, "installs"),
    ".venv/bin/pip install -c constraints.txt pytest hypothesis": (
        CI,
        "installs, with all else that tests need",
    ),
    ".venv/bin/python -m pytest tests/overread -q": (CI, "is among what runs this"),
    "make check": (CI, "is run beside this"),
    'make test ARGS=-m "not slow"': (CI, "is what runs this"),
    "make test": (CI, "is what runs this"),
    "git clone <this repository> overread": (CI, "runs in a clone"),
    "cd overread": (CI, "runs in a clone"),
    "pip install .[bundle]": (CI, "installs"),
    "pipx install --pip-args=--constraint constraints.txt dist/overread-0.1.0-py3-none-any.whl": (
        PACKAGE,
        "installs",
    ),
    "uv tool install --constraints constraints.txt dist/overread-0.1.0-py3-none-any.whl": (
        PACKAGE,
        "installs",
    ),
    "pip install .[train]": (CI, "installs"),
    "pip install medspacy negspacy": ("benchmarks/reading.py", "by hand, for one comparison"),
    "python -m benchmarks.reading --data PATH": ("benchmarks/reading.py", "needs data of others"),
    "python -m evaluation.reading all --data PATH --held-back": (READING, "needs data of others"),
    "python -m evaluation.reading styles --held-back": (READING, "reads for a minute"),
    "overread models import-bundle /models/lung_nodule_ct_detection --findings nodule --threshold 0.5": (
        "tests/models/bundle/test_adopt.py",
        "needs a bundle of 70 MB",
    ),
    "overread models activate /models/lung_nodule_ct_detection --shadow": (MODELS, "needs that bundle"),
    "overread models adopt torchxrayvision /models/xrv-all": (
        "tests/models/torchxrayvision/test_fetching.py",
        "needs the net",
    ),
    "overread models activate /models/new --gate gate.json": (MODELS, "needs a candidate"),
    "overread models activate /models/ct --beside --modalities CT --without-gate another modality": (
        MODELS,
        "needs a model for CT",
    ),
    "overread models activate /models/candidate --shadow": (MODELS, "needs a candidate"),
    "overread models quantise chest-radiograph /models/chest-int8 --images archive/chest": (
        "tests/models/test_quantisation.py",
        "needs an archive of radiographs",
    ),
    "overread train --data FOLDER --out releases/chest-radiograph": (
        "tests/training/commands/test_train.py",
        "trains for an hour and a half",
    ),
    "overread models activate /var/lib/overread/acme --without-gate the site's own product "
    "--who A. Lovelace": (
        MODELS,
        "needs a vendor's product",
    ),
    ".venv/bin/overread serve --data-folder /var/lib/overread": (SERVING, "serves until it is stopped"),
    "OVERREAD_WATCH_FOLDER=/srv/export overread serve": (SERVING, "serves until it is stopped"),
    "overread receive folder /srv/export": (
        "tests/service/watch/test_process.py",
        "watches until it is stopped",
    ),
    "overread worker": (SERVING, "works until it is stopped"),
    "python client.py image.dcm report.txt A-1001": (CLIENT, "needs the service, which that test starts"),
    "overread fetch study --accession A-1001": (FETCHING, "needs a PACS"),
    "overread fetch waiting": (FETCHING, "needs a PACS"),
    "overread fetch priors 1.2.840.1": (FETCHING, "needs a PACS"),
    "overread patient show 4711": (PATIENT, "needs that patient"),
    "overread patient export 4711 --out copy-for-4711": (PATIENT, "needs that patient"),
    "overread patient remove 4711 --because request of 2026-11-30": (PATIENT, "needs that patient"),
    "overread deidentify 12 13 --out demonstration": (DEIDENTIFY, "needs those cases"),
    "overread peer-learning export november.csv --title November --key learning.key --out november": (
        PEER_LEARNING,
        "needs a table that a person went through",
    ),
    "overread notices test pager": (NOTICES, "needs a receiver"),
    "overread quarantine show 12": (QUARANTINE, "needs that entry"),
    "overread quarantine show 12 --identify --text": (QUARANTINE, "needs that entry"),
    "overread quarantine save 12 image.dcm": (QUARANTINE, "needs that entry"),
    "overread quarantine correct 12 --accession A-1001": (QUARANTINE, "needs that entry"),
    "overread quarantine correct 13 --accept": (QUARANTINE, "needs that entry"),
    "overread quarantine discard 14 --because test image of the vendor": (QUARANTINE, "needs that entry"),
    "python -m tests.evaluation.published made-up/": (BUDGET, "held there to what the page prints"),
    "overread cohort from-nih --scores made-up/detector_scores.csv.gz --reads made-up/expert_reads.csv "
    "--out reads.jsonl": (BUDGET, "held there to what the page prints"),
    "overread rank reads.jsonl --fit reads.jsonl --out rows.csv": (BUDGET, "held there to what it prints"),
    "overread budget rows.csv --per-day 8 --days 10 --adjudicated reads.jsonl": (
        BUDGET,
        "held there to what the page prints",
    ),
    "overread audit scorecard ratings.csv --out scorecard": (
        "tests/evaluation/audit/test_scorecard.py",
        "needs ratings",
    ),
    "overread audit scorecard ratings.csv --marks marks.csv --out scorecard": (
        "tests/evaluation/audit/test_scorecard.py",
        "needs ratings and marks",
    ),
    "overread audit scorecard golden.jsonl --out scorecard": (SCORECARDS, "needs a golden set"),
    "overread audit golden-rate golden.jsonl --out release-1.csv": (SCORECARDS, "needs a golden set"),
    "overread audit golden-rate golden.jsonl --policy site.toml --out release-2.csv": (
        SCORECARDS,
        "needs a golden set",
    ),
    "overread audit golden-gate release-1.csv release-2.csv --margin 0.02": (
        SCORECARDS,
        "is to fail where a release is worse",
    ),
    "overread audit drift past.jsonl --reference 2026-01 2026-06 --window 2026-07 2026-07 --out drift": (
        "tests/evaluation/commands/test_audit_drift.py",
        "needs cases of those months",
    ),
    "overread audit replay past.jsonl --period 2026-01 2026-06 --policy site.toml --flagged 0.05 "
    "--out replay": ("tests/evaluation/commands/test_audit_replay.py", "needs cases of those months"),
    "overread audit replay past.jsonl --detector candidate --out replay": (
        "tests/evaluation/commands/test_audit_replay.py",
        "needs a detector in shadow",
    ),
    "pip install -c constraints.txt overread[ray]": (CI, "installs as here, another extra"),
    "overread audit run /shared/past.parquet --out audit --ray auto": (
        "tests/evaluation/audit/test_ray_shards.py",
        "needs a Ray cluster",
    ),
    "overread simulate": (SIMULATE, "40 runs"),
    "overread simulate mine.toml --runs 100 --plot waits.svg": (SIMULATE, "100 runs"),
    "overread simulate mine.toml --arrivals last_month.csv": (SIMULATE, "40 runs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command of a page."""

    page: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the command as one line, without quotation marks."""
        return " ".join(self.words)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows `overread`, without redirections; empty where it is another program."""
        words = [word for word in self.words if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if Path(words[0]).name != "overread":
            return ()
        redirection = next((place for place, word in enumerate(words) if word in {"<", ">"}), len(words))
        return tuple(words[1:redirection])

    def redirected(self, sign: str) -> str | None:
        """Return the file that standard input (<) or output (>) is."""
        return self.words[self.words.index(sign) + 1] if sign in self.words else None


def blocks(page: str, *, language: str) -> Iterator[str]:
    """Yield the fenced blocks of a language."""
    inside: list[str] | None = None
    for line in PAGES[page].read_text(encoding="utf-8").splitlines():
        if not line.startswith("```"):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside, named = [], line.removeprefix("```")
        else:
            if named == language:
                yield "\n".join(inside)
            inside = None


def commands(page: str) -> Iterator[Shown]:
    """Yield the commands of a page in their order."""
    for block in blocks(page, language="sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                if words := shlex.split(part, comments=True):
                    yield Shown(page=page, words=tuple(words))


SHOWN = [shown for page in sorted(PAGES) if page not in RUN_AS_A_WHOLE for shown in commands(page)]
TO_RUN = [shown for shown in SHOWN if shown.text not in RUN_ELSEWHERE and shown.words[0] != "export"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of an installation with the cases of the demonstration, to be copied."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    run_demo(load_settings({}, data_folder=folder))
    return folder


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the files that the pages name, to be copied."""
    folder = tmp_path_factory.mktemp("material")
    write_made_up(folder)
    scores, reads = folder / "detector_scores.csv.gz", folder / "expert_reads.csv"
    cohort = folder / "past.jsonl"
    assert (
        main(["cohort", "from-nih", "--scores", str(scores), "--reads", str(reads), "--out", str(cohort)])
        == 0
    )
    with cohort.open(encoding="utf-8") as lines:
        names = [json.loads(line)["case"] for line in lines]
    with (folder / "dates.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                ("case", "date"),
                *((name, f"2026-11-{1 + number % 28:02}") for number, name in enumerate(names)),
            ]
        )
    report = demo_cases()[0].report
    (folder / "report.txt").write_text(report, encoding="utf-8")
    lines = [json.dumps({"id": number, "text": report}) for number in range(3)]
    (folder / "reports.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "password.txt").write_text("correct horse battery staple\n", encoding="utf-8")
    (folder / "reports.csv").write_text("accession,text,status\nA-1,No mass is seen.,FINAL\n")
    (folder / "r.csv").write_text("case,patient,text\n1,a,There is a mass.\n2,b,No mass is seen.\n")
    (folder / "s.csv").write_text("case,mass,present\n1,0.8,mass\n2,0.7,mass\n")
    (folder / "ris.csv").write_text(
        "AccNo;Findings;Impression;status\nA-2;Größe normal.;No mass.;Approved\n", encoding="cp1252"
    )
    (folder / "archive" / "dicom").mkdir(parents=True)
    shutil.copy(str(get_testdata_file("693_UNCI.dcm", download=False)), folder / "archive" / "dicom")
    return folder


@pytest.fixture
def folder(
    material: Path, installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Working folder of the commands of a page, which are meant for an installation of its own."""
    shutil.copytree(material, tmp_path / "work")
    shutil.copytree(installation, tmp_path / "data")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OVERREAD_FOLDER", str(tmp_path / "data"))
    yield tmp_path / "work"
    structlog.reset_defaults()  # they log to a stream that ends with the test


@pytest.mark.parametrize("page", sorted({shown.page for shown in TO_RUN}))
def test_the_commands_of_a_page_succeed(
    page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for shown in (shown for shown in TO_RUN if shown.page == page):
        assert shown.arguments, f"{shown.text}: say in RUN_ELSEWHERE what runs it"
        arguments = [f"{folder}{word}" if word.startswith("/") else word for word in shown.arguments]
        if arguments[:2] == ["policy", "activate"]:
            give_a_version_of_its_own(folder / arguments[2])
        if (source := shown.redirected("<")) is not None:
            monkeypatch.setattr("sys.stdin", (folder / source).open(encoding="utf-8"))

        status = main(arguments)

        said = capsys.readouterr()
        assert status == 0, (shown.text, said.err)
        if (target := shown.redirected(">")) is not None:
            (folder / target).write_text(said.out, encoding="utf-8")


def give_a_version_of_its_own(policy: Path) -> None:
    """Do what the page asks to be done by hand."""
    text, changed = re.subn(r'(?m)^version = ".*"$', 'version = "site-1"', policy.read_text(encoding="utf-8"))
    assert changed == 1
    policy.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("shown", [shown for shown in SHOWN if shown.arguments], ids=lambda shown: shown.text)
def test_a_subcommand_takes_the_options_that_a_page_gives_it(shown: Shown) -> None:
    subcommand, *arguments = shown.arguments
    (entry,) = entry_points(group=GROUP, name=subcommand)
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    command: Command = entry.load()
    command.configure(parser)
    if command.uses_installation:
        add_installation_options(parser, default=None)

    parser.parse_args(arguments)


@pytest.mark.parametrize("text", RUN_ELSEWHERE)
def test_what_is_run_elsewhere_is_shown_and_can_be_run(text: str) -> None:
    where, _ = RUN_ELSEWHERE[text]
    (words, *_) = (shown.words for shown in SHOWN if shown.text == text)

    assert (ROOT / where).exists()
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    elif words[:2] == ("python", "-m"):
        assert importlib.util.find_spec(words[2]) is not None
    elif words[0] == "pip" and (extra := re.fullmatch(r"\.\[(.*)\]", words[2])):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert extra[1] in project["optional-dependencies"]


def test_a_page_that_is_run_as_a_whole_is_run_by_that_test() -> None:
    for page, where in RUN_AS_A_WHOLE.items():
        assert page in PAGES
        assert Path(page).name in (ROOT / where).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_block_of_commands_is_marked_as_such(page: str) -> None:
    unmarked = [line for block in blocks(page, language="") for line in block.splitlines()]

    assert [line for line in unmarked if PROGRAM.match(line)] == []
