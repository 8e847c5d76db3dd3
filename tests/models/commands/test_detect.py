"""`overread detect` writes a row for every file, whatever the file is."""

import csv

import numpy as np
import pytest
from PIL import Image

from models.commands.detect import find_images, score
from models.onnx_detector import OnnxDetector
from models.recording import draw_chest
from overread.command import main
from overread.errors import NotFoundError
from tests.models.radiographs import chest_with_shadow, ramp, write_radiograph
from tests.models.tiny_release import write_tiny_release


def test_every_image_has_a_row_and_a_bad_one_does_not_stop_the_run(tmp_path, capsys) -> None:
    images = tmp_path / "images" / "deeper"
    images.mkdir(parents=True)
    write_radiograph(images / "chest.dcm", draw_chest(300, 300), SOPInstanceUID="1.2.3")
    write_radiograph(images / "hand.dcm", ramp(), BodyPartExamined="HAND")
    write_radiograph(images / "cut.dcm", ramp(), Rows=400)
    chest = draw_chest(300, 300)
    Image.fromarray(chest).save(images / "chest.png")
    Image.fromarray(255 - chest).save(images / "negative.png")
    noise = np.random.default_rng(1).integers(0, 255, (300, 300), np.uint8)
    Image.fromarray(noise).save(images / "noise.png")
    (images / "notes.txt").write_text("nothing to see")
    (images / ".hidden").write_text("nothing to see")
    assert main(["detect", str(tmp_path / "images"), "--out", str(tmp_path / "scores.csv")]) == 1
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = {row["path"].rsplit("/", 1)[1]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "chest.dcm": "scored",
        "chest.png": "scored",
        "cut.dcm": "unreadable",
        "hand.dcm": "not applicable",
        "negative.png": "scored",
        "noise.png": "not applicable",
        "notes.txt": "unreadable",
    }
    assert rows["chest.dcm"]["sop_instance_uid"] == "1.2.3"
    assert 0 < float(rows["chest.dcm"]["mass"]) < 1
    assert rows["chest.png"]["reason"] == ""
    assert "noise.png does not look like a frontal chest" in rows["noise.png"]["reason"]
    assert "negative.png was inverted" in rows["negative.png"]["reason"]
    assert float(rows["negative.png"]["mass"]) == pytest.approx(float(rows["chest.png"]["mass"]), abs=0.02)
    assert rows["hand.dcm"]["mass"] == ""
    assert "shows HAND" in rows["hand.dcm"]["reason"]
    assert "truncated" in rows["cut.dcm"]["reason"]
    said = capsys.readouterr()
    assert "3 scored, 2 not applicable, 2 unreadable" in said.out
    assert f"{images / 'notes.txt'}: " in said.err


def test_the_status_is_0_where_every_file_could_be_read(tmp_path, capsys) -> None:
    path = write_radiograph(tmp_path / "hand.dcm", ramp(), BodyPartExamined="HAND")
    assert main(["detect", str(path), "--out", str(tmp_path / "scores.csv")]) == 0
    assert capsys.readouterr().err == ""


def test_a_row_has_the_calibrated_probabilities(tmp_path) -> None:
    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny"))
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    expected = [f"{observation.probability:.5f}" for observation in detector.detect([path]).observations]
    assert score(path, detector)[4:] == expected


def test_a_hidden_folder_above_the_one_that_was_named_does_not_matter(tmp_path) -> None:
    folder = tmp_path / ".cache" / "images"
    folder.mkdir(parents=True)
    (folder / "a.dcm").write_bytes(b"")
    assert list(find_images([folder])) == [folder / "a.dcm"]


def test_a_path_that_does_not_exist_is_named(tmp_path) -> None:
    with pytest.raises(NotFoundError, match="no file or folder"):
        list(find_images([tmp_path / "absent"]))


def test_a_table_that_cannot_be_written_is_named(tmp_path, capsys) -> None:
    path = write_radiograph(tmp_path / "hand.dcm", ramp(), BodyPartExamined="HAND")
    assert main(["detect", str(path), "--out", str(tmp_path / "absent" / "scores.csv")]) == 1
    assert "scores.csv: No such file or directory\n" in capsys.readouterr().err
