"""Public sets as ratings, from small folders in their published layouts."""

import csv

from evaluation.audit.ratings import read_ratings
from evaluation.readers.scorecards import main
from evaluation.readers.sets import NIH

COLUMNS = ("Abnormal", *NIH, "Other")


def write(path, columns, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="NO")
        writer.writeheader()
        writer.writerows(rows)


def nih(folder, images=24):
    folder.mkdir()
    names = [f"{number:08d}_000.png" for number in range(images)]
    there = [number % 3 == 0 for number in range(images)]
    truth = [
        {"Image ID": name, "Patient ID": name[:8], "Effusion": "YES" if it_is else "NO"}
        for name, it_is in zip(names, there, strict=True)
    ]
    write(folder / "adjudicated.csv", ("Image ID", "Patient ID", *COLUMNS), truth)
    reads = [
        {**row, "Reader ID": reader, "Effusion": "YES" if it_is != (number % wrong == 0) else "NO"}
        for reader, wrong in (("77", 5), ("11", 7))
        for number, (row, it_is) in enumerate(zip(truth, there, strict=True))
    ]
    write(folder / "readers.csv", ("Image ID", "Patient ID", "Reader ID", *COLUMNS), reads)
    reports = [
        {
            "Image Index": name,
            "Finding Labels": "Effusion|Mass" if number % 6 == 0 else "No Finding",
            "Patient ID": name[:8],
            "Patient Age": "50",
            "Patient Gender": "F",
            "View Position": "PA",
        }
        for number, name in enumerate(names)
    ]
    write(folder / "original_reports.csv", tuple(reports[0]), reports)
    return there


def test_radiologists_and_the_report_are_rated_by_the_adjudication(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    there = nih(tmp_path / "data" / "nih_readers")
    out = tmp_path / "out"

    assert main(["--data", str(tmp_path / "data"), "--out", str(out), "--resamples", "20"]) == 0
    effusion = {
        item.observer.name: item
        for item in read_ratings(out / "ratings.csv")
        if item.observer.finding == "NIH effusion"
    }
    assert set(effusion) == {"radiologist, reader 1", "radiologist, reader 2", "original report"}
    first = effusion["radiologist, reader 1"]  # the lower number: wrong of every seventh
    assert first.positive.tolist() == there
    assert (first.scores == 1).tolist() == [it_is != (place % 7 == 0) for place, it_is in enumerate(there)]
    assert effusion["original report"].scores.tolist() == [float(place % 6 == 0) for place in range(24)]
    assert "NIH effusion,mean_AUC,radiologist,2,24" in (out / "tables" / "multireader.csv").read_text()
    assert (out / "scorecard.html").is_file()
