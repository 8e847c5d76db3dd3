"""The published layout is read as it is, and no patient is in two groups."""

import os
from pathlib import Path

import pytest

from overread.errors import InvalidFileError, NotFoundError
from overread.finding import load_vocabulary
from tests.training.material import write_nih
from training.datasets import EXPERT_FINDINGS, FINDINGS, read_kermany, read_nih
from training.split import assign_folds


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    return {found.name: found for found in read_nih(write_nih(tmp_path_factory.mktemp("data")))}


def test_every_label_is_a_finding_of_the_vocabulary() -> None:
    assert len(FINDINGS) == len(set(FINDINGS)) == 15
    assert set(FINDINGS) <= set(load_vocabulary())


def test_labels_become_findings_and_any_abnormality(radiographs) -> None:
    assert radiographs["00000001_000"].findings == set(FINDINGS)
    assert radiographs["00000002_000"].findings == frozenset()
    assert radiographs["00000001_001"].patient == "1"


def test_boxes_come_from_both_files_in_shares_of_the_side(radiographs) -> None:
    (box,) = radiographs["00000002_000"].boxes
    assert (box.finding, box.column_min, box.row_min) == ("opacity", 0.5, 0.25)
    assert (box.column_max, box.row_max) == (0.625, 0.3125)
    (box,) = radiographs["00000001_000"].boxes  # the fracture is no finding of this data set
    assert box.finding == "mass"


def test_another_detectors_reads_are_joined_where_there_are_any(radiographs) -> None:
    reads = radiographs["00000001_000"].reads
    assert reads is not None
    assert reads["pleural_thickening"] == 0.2
    assert radiographs["00000001_001"].reads is None


def test_a_folder_that_is_not_the_data_set_is_refused(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"no Data_Entry_2017\.csv"):
        read_nih(tmp_path)
    nih = write_nih(tmp_path / "data", patients=2)
    for image in (nih / "images").iterdir():
        image.unlink()
    with pytest.raises(NotFoundError, match="none of the images"):
        read_nih(nih)


def test_a_label_file_without_its_columns_is_refused(tmp_path) -> None:
    nih = write_nih(tmp_path / "data", patients=2)
    (nih / "Data_Entry_2017.csv").write_text("Image Index,Labels\n00000001_000.png,Mass\n")
    with pytest.raises(InvalidFileError, match="not the published label file"):
        read_nih(nih)


def test_what_radiologists_saw_is_known_apart_from_what_reports_say(radiographs) -> None:
    assert radiographs["00000001_000"].expert == {"mass"}
    assert radiographs["00000002_000"].expert is None  # a box of the first publication is no second read
    assert set(FINDINGS) >= EXPERT_FINDINGS


def test_a_patient_is_in_one_fold_and_every_fold_has_patients(radiographs) -> None:
    everyone = list(radiographs.values())
    folds = assign_folds(everyone, 4)
    by_patient = {found.patient: set() for found in everyone}
    for found, fold in zip(everyone, folds, strict=True):
        by_patient[found.patient].add(int(fold))
    assert all(len(where) == 1 for where in by_patient.values())
    assert set(folds.tolist()) == {0, 1, 2, 3}


def test_more_data_moves_no_patient(radiographs) -> None:
    everyone = list(radiographs.values())

    assert assign_folds(everyone[:20], 4).tolist() == assign_folds(everyone, 4)[:20].tolist()


def test_images_of_children_carry_what_their_folder_says(tmp_path) -> None:
    for name in ("NORMAL", "PNEUMONIA"):
        (tmp_path / name).mkdir()
    (tmp_path / "NORMAL" / "b.jpeg").touch()
    with pytest.raises(NotFoundError, match="PNEUMONIA"):
        read_kermany(tmp_path)
    (tmp_path / "PNEUMONIA" / "a.jpeg").touch()
    sick, healthy = read_kermany(tmp_path)
    assert sick.findings == {"pneumonia", "any_abnormality"}
    assert (healthy.name, healthy.findings) == ("b", frozenset())


@pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with NIH ChestX-ray14"
)
def test_the_published_data_set_is_read() -> None:
    folder = Path(os.environ["OVERREAD_DATA"])
    radiographs = read_nih(folder / "nih" if (folder / "nih").is_dir() else folder)
    assert {finding for found in radiographs for finding in found.findings} == set(FINDINGS)
    assert {found.view for found in radiographs} == {"PA", "AP"}
