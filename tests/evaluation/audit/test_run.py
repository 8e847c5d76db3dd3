"""An audit against what pandas counts in the same file, and killed and resumed."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from evaluation.audit import cohort_shards
from evaluation.audit.result_folder import read_result, read_table
from evaluation.audit.run import Audit, run_audit
from evaluation.audit.shard_folder import SHARDS
from overread.command import main
from overread.errors import ConfigurationError, InvalidFileError
from overread.priority import default_policy
from tests.evaluation.audit.simulated import FINDINGS, write_simulated
from tests.evaluation.published import simulated_rows, write_scores
from tests.service.waiting import eventually


def quiet(what: str, count: int) -> None:
    pass


def audit_of(cohort: Path, **changes) -> Audit:
    given = {"detector": None, "policy": default_policy(), "flagged_share": 0.1, "seed": 5} | changes
    return Audit(cohort=cohort, **given)


def test_every_rate_is_what_pandas_counts(tmp_path) -> None:
    records = write_simulated(tmp_path / "c.jsonl")
    frame = pd.DataFrame(records)
    stated = {
        f: [any(o == {"finding": f, "presence": "PRESENT"} for o in obs) for obs in frame["observations"]]
        for f in FINDINGS
    }
    seen = {f: [f in found[0]["present"] for found in frame["detections"]] for f in FINDINGS}
    frame["disagreement"] = np.any([np.not_equal(stated[f], seen[f]) for f in FINDINGS], axis=0)
    frame["mass_missed"] = np.array(seen["mass"]) & ~np.array(stated["mass"])

    run_audit(audit_of(tmp_path / "c.jsonl", reader_names=True), tmp_path / "out", quiet)

    rows = {
        (row["dimension"], row["level"], row["finding"], row["figure"]): row
        for row in read_table(tmp_path / "out", "rates")
    }
    for dimension in ("site", "month", "first_reader", "sex"):
        for level, part in frame.groupby(dimension):
            if level == "tiny":
                continue
            for finding, figure, column in (
                ("any", "disagreement", "disagreement"),
                ("mass", "seen_not_reported", "mass_missed"),
            ):
                row = rows[dimension, level, finding, figure]
                assert int(row["cases"]) == len(part)
                assert int(row["hits"]) == part[column].sum()
                assert int(row["patients"]) == part["patient"].nunique()
    assert rows["all", "all", "any", "flagged"]["hits"] == "60"


def test_small_groups_are_named_and_not_told_of_and_readers_are_numbers(tmp_path) -> None:
    write_simulated(tmp_path / "c.jsonl")
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)

    rates = read_table(tmp_path / "out", "rates")
    tiny = [row for row in rates if row["level"] == "tiny"]
    assert tiny
    assert all(row[name] == "" for row in tiny for name in ("cases", "hits", "value", "low", "high"))
    readers = {row["level"] for row in rates if row["dimension"] == "first_reader"}
    assert readers == {f"reader {number}" for number in range(1, 9)}
    assert "Dr " not in (tmp_path / "out" / "result.json").read_text()
    assert "tiny" not in {row["level"] for row in read_table(tmp_path / "out", "comparisons")}


def test_shards_processes_and_parquet_change_no_number(tmp_path, monkeypatch) -> None:
    parquet = tmp_path / "c.parquet"
    write_simulated(tmp_path / "c.jsonl")
    assert main(["cohort", "convert", str(tmp_path / "c.jsonl"), "--out", str(parquet)]) == 0
    one = run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "one", quiet)
    monkeypatch.setattr(cohort_shards.shards_of, "__defaults__", (20_000,))
    many = run_audit(audit_of(tmp_path / "c.jsonl", processes=2), tmp_path / "many", quiet)
    other = run_audit(audit_of(parquet), tmp_path / "parquet", quiet)

    assert many["cohort"]["shards"] > 10
    assert one["tables"] == many["tables"] == other["tables"]
    assert (tmp_path / "one" / "cases.csv").read_bytes() == (tmp_path / "many" / "cases.csv").read_bytes()


RUN = """
import sys
from evaluation.audit import cohort_shards
cohort_shards.shards_of.__defaults__ = (20_000,)
from overread.command import main
sys.exit(main(sys.argv[1:]))
"""


def started(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "audit", "run", *arguments], stdout=subprocess.DEVNULL, env=os.environ
    )


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_gives_identical_numbers(tmp_path) -> None:
    write_simulated(tmp_path / "c.jsonl", cases=6_000)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert started(str(tmp_path / "c.jsonl"), "--out", str(whole)).wait() == 0

    first = started(str(tmp_path / "c.jsonl"), "--out", str(killed), "--processes", "2")
    eventually(lambda: len(list((killed / SHARDS).glob("*.npz"))) >= 3)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in (killed / SHARDS).glob("*.npz")}
    assert not (killed / "result.json").exists()
    assert started(str(tmp_path / "c.jsonl"), "--out", str(killed)).wait() == 0

    assert kept
    assert read_result(whole)["tables"] == read_result(killed)["tables"]
    assert (whole / "cases.csv").read_bytes() == (killed / "cases.csv").read_bytes()


def test_a_finished_shard_is_taken_only_while_its_bytes_are_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cohort_shards.shards_of, "__defaults__", (20_000,))
    records = write_simulated(tmp_path / "c.jsonl")
    broken = (tmp_path / "c.jsonl").read_bytes()
    (tmp_path / "c.jsonl").write_bytes(broken[:-3] + b"  \n")  # its last line is cut
    with pytest.raises(InvalidFileError, match="line 600"):
        run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)
    done = sorted((tmp_path / "out" / SHARDS).glob("*.npz"))
    assert len(done) > 5

    changed = broken.replace(b'"sex": "M"', b'"sex": "O"', 1)
    (tmp_path / "c.jsonl").write_bytes(changed)
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)

    sexes = Counter(record["sex"] for record in records)
    rows = {row["level"]: row for row in read_table(tmp_path / "out", "rates") if row["dimension"] == "sex"}
    assert int(rows["M"]["cases"]) == sexes["M"] - 1


def test_a_folder_of_another_audit_or_of_something_else_is_refused(tmp_path) -> None:
    write_simulated(tmp_path / "c.jsonl")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigurationError, match="not empty"):
        run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "other", quiet)
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)
    with pytest.raises(ConfigurationError, match="finished"):
        run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)


def test_a_table_that_was_altered_is_noticed(tmp_path) -> None:
    write_simulated(tmp_path / "c.jsonl")
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)
    table = tmp_path / "out" / "tables" / "rates.csv"
    table.write_text(table.read_text().replace("0.1", "0.2", 1))

    with pytest.raises(InvalidFileError, match="not as the audit wrote it"):
        read_result(tmp_path / "out")


def test_what_the_data_cannot_say_is_said(tmp_path) -> None:
    def without_point(record, number):
        del record["detections"][0]["present"]
        del record["month"]

    write_simulated(tmp_path / "c.jsonl", change=without_point)
    record = run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)

    said = " ".join(record["unknown"])
    assert "operating point" in said
    assert "no case was read" in said
    assert "A trend" in said
    assert "month" in said
    figures = {row["figure"] for row in read_table(tmp_path / "out", "rates")}
    assert "disagreement" not in figures


def test_tables_are_parquet_too_with_the_same_rows(tmp_path) -> None:
    write_simulated(tmp_path / "c.jsonl")
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)
    folder = tmp_path / "out" / "tables"
    for path in folder.glob("*.csv"):
        as_csv, as_parquet = pd.read_csv(path), pd.read_parquet(path.with_suffix(".parquet"))
        assert list(as_csv.columns) == list(as_parquet.columns)
        assert len(as_csv) == len(as_parquet)
    assert json.loads((tmp_path / "out" / "result.json").read_text())["parquet"] is True


def test_radpeer_shares_are_of_the_cases_that_were_scored(tmp_path) -> None:
    def scored(record, number):
        record["patient"] = f"p{number}"
        if number % 5 == 0:
            record["second_read"] = {"radpeer": "2b" if number % 15 == 0 else "1"}

    write_simulated(tmp_path / "c.jsonl", change=scored)
    run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)

    rows = {row["score"]: row for row in read_table(tmp_path / "out", "radpeer")}
    assert {score: (row["hits"], row["cases"]) for score, row in rows.items()} == {
        "1": ("80", "120"),
        "2b": ("40", "120"),
    }
    low, high = proportion_confint(40, 120, method="wilson")
    assert [float(rows["2b"][name]) for name in ("low", "high")] == pytest.approx([low, high], abs=2e-3)


def test_a_detector_that_the_policy_knows_is_ordered_by_its_own_outputs(tmp_path) -> None:
    scores = write_scores(tmp_path / "scores.csv.gz", simulated_rows(60))
    assert main(["cohort", "from-nih", "--scores", str(scores), "--out", str(tmp_path / "c.jsonl")]) == 0
    lines = (tmp_path / "c.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    del first["detections"][0]["probabilities"], first["detections"][0]["scores"]["mass"]
    (tmp_path / "c.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]))

    record = run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "out", quiet)

    assert "that the policy knows" in record["order"]
    assert record["cohort"]["cases"] == 120
