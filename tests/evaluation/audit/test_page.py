"""The page against independent counts, and in a browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from evaluation.audit.page import page_of, write_page
from evaluation.audit.page_form import percent
from evaluation.audit.result_folder import read_result, read_table
from evaluation.audit.run import Audit, run_audit
from overread.audit.stratified import Stratum, rate
from overread.errors import InvalidFileError
from overread.priority import default_policy
from tests.evaluation.audit.simulated import FINDINGS, write_simulated

CHROMIUM = shutil.which("chromium")
BASE = 0.1


def with_reads(record, number) -> None:
    """One patient each; a tenth is read; who the report leaves out is a miss now and then."""
    random = np.random.default_rng(number)
    record["patient"] = f"p{number}"
    record["site"] = "<b>north</b>" if number % 2 else "south"
    record["selection_probability"] = BASE
    if random.random() < BASE:
        record["adjudications"] = [
            {"finding": "mass", "kind": "POSSIBLE_MISS", "confirmed": bool(random.random() < 0.3)}
        ]


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    records = write_simulated(folder / "c.jsonl", cases=1_500, change=with_reads)
    audit = Audit(
        cohort=folder / "c.jsonl",
        detector=None,
        policy=default_policy(),
        flagged_share=0.1,
        seed=1,
        command="overread audit run c.jsonl --out out",
    )
    run_audit(audit, folder / "out", lambda what, count: None)
    return write_page(folder / "out"), records


class Tables(HTMLParser):
    """Cells of every table of a page, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self._rows: list[list[str]] | None = None
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action", "data")]
        if tag == "table":
            self._rows = self.tables.setdefault(given.get("id", ""), [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data) -> None:
        if self._cell:
            self._rows[-1][-1] += data


def test_every_rate_on_the_page_is_what_statsmodels_gives(audited) -> None:
    """Of patients with one case each Wilson's interval has as many cases as there are patients."""
    path, records = audited
    frame = pd.DataFrame(records)
    says = {
        f: np.array([{"finding": f, "presence": "PRESENT"} in o for o in frame["observations"]])
        for f in FINDINGS
    }
    sees = {f: np.array([f in d[0]["present"] for d in frame["detections"]]) for f in FINDINGS}
    read = frame["adjudications"].notna().to_numpy()
    missed = np.array([read[n] and records[n]["adjudications"][0]["confirmed"] for n in range(len(frame))])
    expected = {
        **{(f, "detected"): (sees[f], None) for f in FINDINGS},
        **{(f, "stated"): (says[f], None) for f in FINDINGS},
        **{(f, "seen not reported"): (sees[f] & ~says[f], None) for f in FINDINGS},
        **{(f, "reported not seen"): (says[f] & ~sees[f], None) for f in FINDINGS},
        ("mass", "confirmed miss"): (missed, read),
        ("any", "detected"): (np.any(list(sees.values()), axis=0), None),
        ("any", "stated"): (np.any(list(says.values()), axis=0), None),
        ("any", "disagreement"): (np.any([sees[f] != says[f] for f in FINDINGS], axis=0), None),
        ("any", "confirmed"): (missed, read),
    }
    rows = Tables(path.read_text()).tables["table-rates"][1:]
    shown = {(row[0], row[1]): row[2:] for row in rows}

    assert set(shown) - set(expected) == {("any", "flagged")}
    for key, (hits, of) in expected.items():
        total = len(frame) if of is None else int(of.sum())
        cases, count, patients, *shares = shown[key]
        assert (int(cases), int(count), int(patients)) == (total, int(hits.sum()), total), key
        low, high = proportion_confint(int(hits.sum()), total, method="wilson")
        got = [float(share.rstrip(" %")) / 100 for share in shares]
        assert got == pytest.approx([hits.sum() / total, low, high], abs=6e-4, rel=0.02), key


def test_the_archive_on_the_page_is_weighed_by_hand(audited) -> None:
    path, records = audited
    read = [record for record in records if "adjudications" in record]
    found = sum(record["adjudications"][0]["confirmed"] for record in read)
    rows = {(row[0], row[1]): row[2:] for row in Tables(path.read_text()).tables["table-archive"][1:]}

    assert rows["discrepancy rate", "naive"][0] == percent(str(found / len(read)))
    assert rows["discrepancy rate", "Horvitz-Thompson"][0] == percent(str(found / BASE / len(records)))
    assert rows["discrepancy rate", "Hajek"][0] == percent(str(found / len(read)))
    flagged = [
        row["case"] for row in pd.read_csv(path.parent / "cases.csv").to_dict("records")[: len(records) // 10]
    ]
    strata = []
    for inside in (True, False):
        part = [record for record in records if (record["case"] in set(flagged)) == inside]
        judged = [record["adjudications"][0]["confirmed"] for record in part if "adjudications" in record]
        strata.append(Stratum(name=str(inside), size=len(part), read=len(judged), found=sum(judged)))
    assert rows["discrepancy rate", "strata, exact"][0] == percent(f"{rate(strata).value:.6g}")


def test_the_page_asks_nothing_of_anybody_and_holds_no_script(audited) -> None:
    path, _ = audited
    page = path.read_text()
    parsed = Tables(page)

    assert not parsed.tags & {"script", "img", "iframe", "link", "object", "form"}
    assert all(re.fullmatch(r"tables/\w+\.(csv|parquet)", address) for address in parsed.addresses)
    assert all((path.parent / address).is_file() for address in parsed.addresses)
    assert "default-src 'none'" in page
    assert " style=" not in page
    assert "<b>north" not in page
    assert "&lt;b&gt;north" in page


def test_the_page_names_hashes_versions_and_the_command_that_repeats_it(audited) -> None:
    path, _ = audited
    page, record = path.read_text(), read_result(path.parent)

    assert "overread audit run c.jsonl --out out" in page
    assert record["cohort"]["sha256_of_shards"] in page
    assert all(table["sha256"] in page for table in record["tables"].values())


def test_a_page_is_made_again_from_the_folder_alone(audited) -> None:
    path, _ = audited
    before = path.read_text()
    record = read_result(path.parent)
    tables = {name: read_table(path.parent, name) for name in record["tables"]}

    assert page_of(record, tables) == before


def test_a_folder_without_a_finished_audit_has_no_page(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match="no finished audit"):
        write_page(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_chromium_shows_it_without_a_refusal_and_prints_it(audited, tmp_path) -> None:
    path, _ = audited

    assert shown_by_chromium(path, tmp_path) > 5


def shown_by_chromium(path: Path, folder: Path) -> int:
    """Print a page, show it, and return how many plots it shows; nothing of it may be refused."""
    base = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}/profile",
    ]
    printed = folder / "page.pdf"

    done = subprocess.run(
        [*base, "--enable-logging=stderr", f"--print-to-pdf={printed}", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    shown = subprocess.run(
        [*base, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )

    assert "Content Security Policy" not in done.stderr  # it would say so of what it refused
    assert printed.read_bytes().startswith(b"%PDF")
    plots = path.read_text().count("<svg")
    assert shown.stdout.count("<svg") == plots
    return plots
