from pathlib import Path

import pytest

from overread.command import main
from overread.discrepancy import DiscrepancyKind
from overread.thresholds import parse_thresholds
from tests.evaluation.budget.past_cases import write


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {name: str(path) for name, path in write(tmp_path).items()}


def test_it_previews_the_budget_and_writes_thresholds_for_the_policy(files, tmp_path: Path, capsys) -> None:
    out, picture = tmp_path / "thresholds.toml", tmp_path / "budget.svg"

    status = main(
        [
            *("budget", files["rows"], "--per-day", "0.75", "--dates", files["dates"]),
            *("--adjudicated", files["adjudicated"], "--out", str(out), "--plot", str(picture)),
        ]
    )

    text = capsys.readouterr().out
    assert status == 0
    assert "looked at: 3 cases, 0.8 a day; worst day 3, more than 0.75 on 25% of the days" in text
    assert "of the best that any thresholds can do" in text
    assert "1 of 2" in text
    assert "confirmed, from 4 adjudicated cases" in text
    thresholds = parse_thresholds(out.read_text(encoding="utf-8"))
    assert thresholds.chosen_on == "5 past cases on 4 days, 0.75 looks a day"
    assert thresholds.least_probability("opacity", DiscrepancyKind.POSSIBLE_MISS) <= 0.5
    assert thresholds.least_probability("opacity", DiscrepancyKind.POSSIBLE_OVERCALL) > 0.9
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_without_dates_the_worst_day_is_not_claimed(files, tmp_path: Path, capsys) -> None:
    picture = tmp_path / "budget.svg"

    status = main(["budget", files["rows"], "--per-day", "1", "--days", "4", "--plot", str(picture)])

    assert status == 0
    assert "the worst day is not known without --dates" in capsys.readouterr().out
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_adjudications_that_say_nothing_are_said_to_say_nothing(files, capsys) -> None:
    arguments = ["budget", files["rows"], "--per-day", "0.1", "--days", "4"]

    assert main([*arguments, "--adjudicated", files["adjudicated"]]) == 0

    assert "confirmed: nothing can be said" in capsys.readouterr().out


def test_what_cannot_be_used_ends_with_a_message(files, tmp_path: Path, capsys) -> None:
    base = ["budget", files["rows"]]

    assert main([*base, "--per-day", "1", "--days", "4", "--share-of-days", "0.9"]) == 1
    assert "--share-of-days needs --dates" in capsys.readouterr().err
    assert main([*base, "--per-day", "1", "--days", "4", "--out", str(tmp_path / "no" / "t.toml")]) == 1
    assert "cannot write" in capsys.readouterr().err
    for wrong in (["--per-day", "0", "--days", "4"], ["--per-day", "1", "--days", "0"], ["--per-day", "1"]):
        with pytest.raises(SystemExit) as stop:
            main([*base, *wrong])
        assert stop.value.code == 2
