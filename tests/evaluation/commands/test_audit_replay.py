"""`overread audit replay`: flags, workload and cost by hand from a cohort file."""

import csv
import json

import numpy as np
import pytest

from overread.command import main


def cohort(path, *, chance: float | None = 0.5, cases: int = 400, seed: int = 3):
    """One detector in force and one in shadow; what the former flags is read, others by chance.

    Every other case with a mass is reported, so that what a score is worth can be learned.
    """
    random = np.random.default_rng(seed)
    truth = random.random(cases) < 0.4
    stated = truth & (np.arange(cases) % 2 == 0)
    first = np.clip(0.15 * truth + 0.8 * random.random(cases), 0, 1)
    second = np.clip(0.25 * truth + 0.7 * random.random(cases), 0, 1)
    records = []
    for number in range(cases):
        presence = [{"finding": "mass", "presence": "PRESENT"}] if stated[number] else []
        records.append(
            {
                "case": f"c{number}",
                "patient": f"p{number}",
                "month": f"2026-0{1 + number % 3}",
                "observations": presence,
                "detections": [
                    {"detector": "old", "scores": {"mass": float(first[number])}},
                    {"detector": "new", "scores": {"mass": float(second[number])}},
                ],
            }
        )
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    flagged = head(path, "old", cases // 10)
    for number, record in enumerate(records):
        if record["case"] in flagged or chance is not None:
            record["selection_probability"] = 1.0 if record["case"] in flagged else chance
        if random.random() < record.get("selection_probability", 0.0):
            missed = bool(truth[number] and not stated[number])
            record["adjudications"] = [{"finding": "mass", "kind": "POSSIBLE_MISS", "confirmed": missed}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return records


def head(path, detector, count):
    """Names of the first cases as `overread rank` orders them."""
    order = path.with_name(f"{detector}.csv")
    assert main(["rank", str(path), "--detector", detector, "--cases", str(order), "--processes", "1"]) == 0
    with order.open(newline="") as file:
        return {row["case"] for row in list(csv.DictReader(file))[:count]}


def asked(tmp_path, *options):
    path, out = str(tmp_path / "c.jsonl"), str(tmp_path / "out")
    return [
        "audit",
        "replay",
        path,
        "--detector-before",
        "old",
        "--flagged-before",
        "0.1",
        "--out",
        out,
        *options,
    ]


def table(tmp_path, name):
    with (tmp_path / "out" / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_another_detector_is_weighed_against_the_one_in_force(tmp_path, capsys) -> None:
    records = cohort(tmp_path / "c.jsonl")

    assert main(asked(tmp_path, "--detector", "new", "--flagged", "0.1", "--minutes-per-read", "6")) == 0
    figures = {row["figure"]: row for row in table(tmp_path, "replay")}
    before, after = (head(tmp_path / "c.jsonl", name, 40) for name in ("old", "new"))
    changed = {row["case"]: row["flagged"] for row in table(tmp_path, "replay_cases")}
    assert changed == {
        **dict.fromkeys(before - after, "before only"),
        **dict.fromkeys(after - before, "after only"),
    }
    assert (figures["flagged"]["before"], figures["flagged"]["after"]) == ("40", "40")
    assert float(figures["hours"]["after"]) == pytest.approx(4)
    by_name = {record["case"]: record for record in records}

    def found(names):
        read = [
            by_name[name]["adjudications"][0]["confirmed"]
            for name in names
            if "adjudications" in by_name[name]
        ]
        return sum(read), len(read)

    hits, _ = found(before)
    gained, reads = found(after - before)
    expected = found(before & after)[0] + len(after - before) * gained / reads
    confirmed = figures["confirmed_discrepancies"]
    assert float(confirmed["before"]) == hits
    assert (confirmed["before_low"], confirmed["before_high"]) == (confirmed["before"], confirmed["before"])
    assert float(confirmed["after"]) == pytest.approx(expected, rel=1e-4)
    assert float(confirmed["difference"]) == pytest.approx(expected - hits, rel=1e-3)
    assert float(confirmed["low"]) < expected - hits < float(confirmed["high"])
    assert float(figures["reads_per_confirmed"]["before"]) == pytest.approx(40 / hits, rel=1e-4)
    assert float(figures["minutes_per_confirmed"]["after"]) == pytest.approx(6 * 40 / expected, rel=1e-4)
    assert [int(row["cases"]) for row in table(tmp_path, "replay_months")] == [134, 133, 133]
    assert "confirmed discrepancies" in capsys.readouterr().out


def test_what_nobody_read_is_told_and_not_guessed(tmp_path, capsys) -> None:
    cohort(tmp_path / "c.jsonl", chance=None)

    assert main(asked(tmp_path, "--detector", "new", "--flagged", "0.1")) == 0
    figures = {row["figure"]: row for row in table(tmp_path, "replay")}
    assert figures["confirmed_discrepancies"]["after"] == ""
    assert (
        "cases flagged after only was read: nothing is known of them"
        in figures["confirmed_discrepancies"]["remark"]
    )
    assert "reads_per_confirmed" not in figures
    assert "unknown" in capsys.readouterr().out


def test_a_shorter_list_of_one_period_takes_less_work(tmp_path) -> None:
    records = cohort(tmp_path / "c.jsonl")

    assert main(asked(tmp_path, "--flagged", "0.05", "--period", "2026-01", "2026-02")) == 0
    figures = {row["figure"]: row for row in table(tmp_path, "replay")}
    count = sum(record["month"] <= "2026-02" for record in records)
    assert float(figures["cases"]["before"]) == count
    assert (int(figures["flagged"]["before"]), int(figures["flagged"]["after"])) == (27, 14)
    assert float(figures["flagged_one_way_only"]["after"]) == 0
    assert float(figures["hours"]["difference"]) == pytest.approx(-13 * 3 / 60)


def test_a_period_without_a_case_and_a_share_of_nothing_are_refused(tmp_path, capsys) -> None:
    cohort(tmp_path / "c.jsonl")

    assert main(asked(tmp_path, "--period", "2030-01", "2030-02")) != 0
    assert "no case of the period" in capsys.readouterr().err
    assert main(asked(tmp_path, "--flagged", "0")) != 0
    assert "above 0 and at most 1" in capsys.readouterr().err
