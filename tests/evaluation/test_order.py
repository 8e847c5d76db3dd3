import re

import pytest

from evaluation.order import READS_FILE, SCORES_FILE, main
from overread.command import EXIT_OK
from overread.errors import InvalidFileError
from tests.evaluation.published import simulated_rows, write_reads, write_scores


@pytest.fixture
def published(tmp_path):
    """Return a folder where the panel sees masses in 40 patients that the reports seldom state."""
    data = tmp_path / "chexnet_reads"
    data.mkdir()
    rows = simulated_rows(400)
    write_scores(data / SCORES_FILE, rows)
    seen = {
        image: ({"Nodule or mass"} if scores["Mass"] > 0.7 else set())
        | ({"Airspace opacity"} if scores["Infiltration"] > 0.6 else set())
        | ({"Pneumothorax"} if image.startswith("00000001_") else set())
        for image, _, scores in rows[:80]
    }
    write_reads(data / READS_FILE, seen)
    return tmp_path


def test_orders_are_measured_in_pairs_on_what_the_panel_read(published, capsys, monkeypatch) -> None:
    monkeypatch.setattr("evaluation.order.RESAMPLES", 20)

    assert main(["--data", str(published)]) == EXIT_OK

    said = capsys.readouterr().out
    assert "80 panel-read studies of 40 patients" in said
    assert "fitted on 720 studies of 360 others" in said
    section = said.split("average precision\n")[1].split("PPV")[0]
    figures = {
        line[:30].strip(): float(re.search(r" (\d\.\d{3}) \[", line).group(1))
        for line in section.splitlines()
    }
    assert figures["fitted, nothing from panel"] > figures["fixed thresholds"]
    assert section.count("difference") == len(figures) - 1


def test_a_folder_of_another_layout_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidFileError):
        main(["--data", str(tmp_path)])
