from pathlib import Path

import pytest

from evaluation.simulation.scenario_file import example_text
from overread.command import main


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(
        example_text().replace("days = 28", "days = 1").replace("warm_up_days = 7", "warm_up_days = 0")
    )
    return path


def test_it_prints_waiting_turnaround_and_the_caps_of_every_order(scenario: Path, capsys) -> None:
    assert main(["simulate", str(scenario), "--runs", "5"]) == 0

    text = capsys.readouterr().out
    for part in (
        "waiting:",
        "turnaround:",
        "wait cap",
        "critical, ",
        "all, ",
        "first in, first out",
        "priority",
    ):
        assert part in text
    assert "in 5 runs" in text
    assert main(["simulate", str(scenario), "--runs", "5"]) == 0
    assert capsys.readouterr().out == text  # the same seed, the same words


def test_the_example_can_be_printed_and_read_again(tmp_path: Path, capsys) -> None:
    assert main(["simulate", "--print-example"]) == 0

    assert capsys.readouterr().out == example_text()


def test_real_arrivals_can_be_given(scenario: Path, tmp_path: Path, capsys) -> None:
    arrivals = tmp_path / "arrivals.csv"
    arrivals.write_text("arrived\n2026-11-23T08:00:00\n2026-11-23T08:01:00\n")

    assert main(["simulate", str(scenario), "--runs", "5", "--arrivals", str(arrivals)]) == 0

    assert "10 cases in 5 runs" in capsys.readouterr().out


def test_a_picture_is_written_in_the_format_of_its_name(scenario: Path, tmp_path: Path) -> None:
    picture = tmp_path / "waits.svg"

    assert main(["simulate", str(scenario), "--runs", "5", "--plot", str(picture)]) == 0

    assert "<svg" in picture.read_text(encoding="utf-8")


def test_what_cannot_be_used_ends_with_a_message(scenario: Path, tmp_path: Path, capsys) -> None:
    assert main(["simulate", str(tmp_path / "absent.toml")]) == 1
    assert "cannot read the scenario" in capsys.readouterr().err
    assert main(["simulate", str(scenario), "--runs", "5", "--plot", str(tmp_path / "waits.docx")]) == 1
    assert "cannot write the picture" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "--runs", "4"])
    assert stop.value.code == 2
