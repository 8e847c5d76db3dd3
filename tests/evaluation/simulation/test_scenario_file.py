import math
from pathlib import Path

import numpy as np
import pytest

from evaluation.simulation.cases import UNKNOWN
from evaluation.simulation.scenario_file import example_text, load_arrivals, load_scenario, parse_scenario
from overread.errors import InvalidFileError

EXAMPLE = load_scenario(None)


def test_the_example_is_a_scenario() -> None:
    assert [kind.name for kind in EXAMPLE.classes] == ["critical", "urgent", "routine"]
    assert [kind.cap_minutes for kind in EXAMPLE.classes] == [480, 480, 480]
    assert EXAMPLE.timetable.steps[:3] == ((0, 1), (7 * 60, 2), (17 * 60, 1))


@pytest.mark.parametrize(
    ("is_there", "put", "message"),
    [
        ("layout = 1", "layout = 2", "layout: Input should be 1"),
        ("per_day = 400", "per_day = 0", "arrivals per_day: Input should be greater than 0"),
        ("per_day = 400", "per_day = nan", "arrivals per_day: Input should be a finite number"),
        ("per_day = 400", 'per_day = "400"', "arrivals per_day: Input should be a valid number"),
        ("weekend = 0.45", "weekends = 0.45", "arrivals weekends: Extra inputs are not permitted"),
        ("preempt = false ", "", "order preempt: Field required"),
        ("    7, 6, 5, 4, 3, 3,\n", "", "arrivals hourly: List should have at least 24 items"),
        ('from = "07:00"', 'from = "7"', "shift 1 from: String should match pattern"),
        ("share = 0.70", "share = 0.60", "the shares of the classes must add up to 1, not 0.9"),
        ('name = "urgent"', 'name = "critical"', "a class is named twice"),
        ("sensitivity = 0.80\n", "", "every class but the last needs a sensitivity"),
        ("share = 0.70\n", "share = 0.70\nsensitivity = 0.9\n", "the last class holds what the triage does"),
        (", sd_minutes = 4.0", "", "sd_minutes belongs to the lognormal distribution"),
        ("readers = 1", "readers = 0", "the shifts must have a reader at some time"),
        ("layout = 1", "layout =", "the scenario is not TOML"),
    ],
)
def test_a_mistake_is_refused_and_the_message_says_where(is_there: str, put: str, message: str) -> None:
    assert is_there in example_text()

    with pytest.raises(InvalidFileError, match=message.replace("[", r"\[")):
        parse_scenario(example_text().replace(is_there, put))


def test_a_class_without_cap_never_goes_to_the_front() -> None:
    uncapped = parse_scenario(example_text().replace("cap_minutes = 480", ""))

    assert all(math.isinf(kind.cap_minutes) for kind in uncapped.classes)


def test_a_scenario_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"cannot read the scenario .*absent\.toml"):
        load_scenario(tmp_path / "absent.toml")


def write(folder: Path, text: str) -> Path:
    path = folder / "arrivals.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_recorded_arrivals_count_from_their_monday_and_keep_what_is_known(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "arrived,class,reading_minutes\n"
        "2026-11-25T00:30:00,urgent,4.5\n"  # a Wednesday
        "2026-11-24T08:00:30,,\n",
    )

    recorded = load_arrivals(path, EXAMPLE)

    assert recorded.arrived.tolist() == [1440 + 8 * 60 + 0.5, 2 * 1440 + 30]
    assert recorded.truth.tolist() == [UNKNOWN, 1]
    assert np.isnan(recorded.reading[0])
    assert recorded.reading[1] == 4.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arrived\n", "hold no row"),
        ("time\n2026-11-25T00:30:00\n", "column `arrived`"),
        ("arrived\n2026-11-25T00:30:00\nyesterday\n", "line 3 .* must be as in"),
        ("arrived\n2026-11-25T00:30:00+01:00\n", "line 2 .* without offset"),
        ("arrived,class\n2026-11-25T00:30:00,emergency\n", "line 2 .* class 'emergency'"),
        ("arrived,reading_minutes\n2026-11-25T00:30:00,0\n", "line 2 .* positive number"),
        ("arrived,reading_minutes\n2026-11-25T00:30:00,fast\n", "line 2 .* positive number"),
    ],
)
def test_a_mistake_in_recorded_arrivals_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InvalidFileError, match=message):
        load_arrivals(write(tmp_path, text), EXAMPLE)
