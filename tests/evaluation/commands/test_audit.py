"""`overread audit`: from an ordered list to rates."""

import csv
from pathlib import Path

import numpy as np
import pytest

from overread.command import main

CASES = 4000


@pytest.fixture
def order(tmp_path: Path) -> Path:
    path = tmp_path / "order.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "probability", "priority"))
        writer.writerows(
            (f"2.25.{number}", f"{chance:.6g}", "1")
            for number, chance in enumerate(np.linspace(0.5, 0.001, CASES))
        )
    return path


def fill_in(sample: Path, discrepant, share: float = 1.0) -> int:
    """Fill in so much of the sample, and return how many reads that are."""
    with sample.open(newline="") as file:
        rows = list(csv.DictReader(file))
    filled = round(share * len(rows))
    for row in rows[:filled]:
        row["discrepancy"] = "yes" if discrepant(row["case"]) else "No"
    with sample.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return filled


def head_only(case: str) -> bool:
    """Of the first 200 cases every other one, of the rest one in fifty."""
    number = int(case.rpartition(".")[2])
    return number % 2 == 0 if number < 200 else number % 50 == 0


def test_a_sample_is_drawn_read_and_gives_rates_of_the_whole(order: Path, tmp_path: Path, capsys) -> None:
    sample, rates = tmp_path / "sample.csv", tmp_path / "rates.csv"

    assert main(["audit", "sample", str(order), "--reads", "800", "--out", str(sample)]) == 0
    drawn = capsys.readouterr().out
    assert "800 of 4000 cases" in drawn
    fill_in(sample, head_only)
    assert main(["audit", "rates", str(sample), "--out", str(rates)]) == 0

    said = capsys.readouterr().out
    assert "800 of 4000 cases read" in said
    with rates.open(newline="") as file:
        figures = {(row["part"], row["figure"]): row for row in csv.DictReader(file)}
    truth = sum(head_only(f"2.25.{number}") for number in range(CASES))
    rate = figures["archive", "discrepancy_rate"]
    assert float(rate["low"]) <= truth / CASES <= float(rate["high"])
    assert float(figures["archive", "naive_rate"]["value"]) > truth / CASES
    sensitivity = figures["first 5 %", "sensitivity"]
    assert float(sensitivity["low"]) <= 100 / truth <= float(sensitivity["high"])
    assert float(figures["first 5 %", "naive_sensitivity"]["value"]) > 100 / truth


def test_the_readers_file_tells_nothing_of_what_is_expected(order: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    main(["audit", "sample", str(order), "--reads", "100", "--out", str(sample)])

    with sample.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"case", "discrepancy", "kind", "finding", "radpeer", "remark"}
    assert not any(row[name] for row in rows for name in row if name != "case")
    assert (tmp_path / "sample.plan.csv").exists()


def test_a_part_of_the_reads_is_a_sample_too(order: Path, tmp_path: Path, capsys) -> None:
    sample = tmp_path / "sample.csv"
    main(["audit", "sample", str(order), "--reads", "600", "--out", str(sample)])
    read = fill_in(sample, head_only, share=0.5)

    assert main(["audit", "rates", str(sample)]) == 0
    said = capsys.readouterr().out
    assert f"{read} of 4000 cases read" in said
    assert "300 drawn cases are not read yet" in said


def test_finding_nothing_is_said_with_what_would_carry_a_figure(order: Path, tmp_path: Path, capsys) -> None:
    sample = tmp_path / "sample.csv"
    main(["audit", "sample", str(order), "--reads", "100", "--out", str(sample)])
    fill_in(sample, lambda case: False)

    assert main(["audit", "rates", str(sample)]) == 0
    said = capsys.readouterr().out
    assert "unknown: the reads found no discrepancy" in said
    assert "further reads there would find 5" in said
    assert "discrepancies in the archive  0.00% [0.00%," in said


def test_a_wanted_width_draws_as_many_as_it_needs(order: Path, tmp_path: Path, capsys) -> None:
    assert (
        main(["audit", "sample", str(order), "--half-width", "0.03", "--out", str(tmp_path / "s.csv")]) == 0
    )

    assert "plus or minus 3.00%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("case,probability\na,x\n", "line 2"),
        ("name\na\n", "line 2"),
        ("case,probability\na,0.1\na,0.2\n", "twice"),
        ("case,probability\n", "the list is empty"),
    ],
)
def test_what_is_no_ordered_list_is_refused_in_words(
    tmp_path: Path, capsys, content: str, words: str
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(content)

    assert main(["audit", "sample", str(path), "--reads", "20", "--out", str(tmp_path / "s.csv")]) == 1
    assert words in capsys.readouterr().err


def test_wrong_verdicts_are_refused_with_their_line(order: Path, tmp_path: Path, capsys) -> None:
    sample = tmp_path / "sample.csv"
    main(["audit", "sample", str(order), "--reads", "100", "--out", str(sample)])
    text = sample.read_text()

    assert main(["audit", "rates", str(sample)]) == 1
    assert "no case" in capsys.readouterr().err
    sample.write_text(text.replace(",,,,,", ",maybe,,,,", 1))
    assert main(["audit", "rates", str(sample)]) == 1
    assert "line 2: discrepancy is yes, no, or empty" in capsys.readouterr().err
    sample.write_text(text + "stranger,yes,,,,\n")
    assert main(["audit", "rates", str(sample)]) == 1
    assert "was read but not drawn" in capsys.readouterr().err


def test_a_sample_is_drawn_once(order: Path, tmp_path: Path, capsys) -> None:
    words = ["audit", "sample", str(order), "--reads", "100", "--out", str(tmp_path / "sample.csv")]
    assert main(words) == 0

    assert main(words) == 1
    assert "is there already" in capsys.readouterr().err
