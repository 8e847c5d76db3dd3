"""The secondary capture and the key objects: valid, legible, and on the right place of the image."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from service.results.making import result_of_case
from service.store.results import Form
from tests.service.results.material import dumped, faults_of, image_bytes, seen, told_case
from tests.service.results.real_images import OF_EVERY_SYNTAX, real

BOX = (100, 80, 220, 200)


def written(store, case_id: int, form: Form, folder: Path) -> Path:
    path = folder / f"{form}.dcm"
    result_of_case(store, case_id, form).save_as(path, enforce_file_format=True)
    return path


def test_a_capture_is_valid_and_says_that_it_is_not_for_diagnosis(sqlite_store, tmp_path) -> None:
    path = written(sqlite_store, told_case(sqlite_store, seen("nodule", BOX)), Form.SC, tmp_path)

    assert faults_of(path) == []
    made = dcmread(path)
    assert (made.BurnedInAnnotation, made.ImageComments) == ("YES", "NOT FOR DIAGNOSIS")
    assert (made.PatientID, made.StudyInstanceUID, made.Manufacturer) == ("P1", "2.25.1", "overread")
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "2.25.1.1.1"


def test_the_box_is_burnt_in_where_it_is_and_words_stand_beside_the_image(sqlite_store, tmp_path) -> None:
    case_id = told_case(sqlite_store, seen("nodule", BOX))

    pixels = dcmread(written(sqlite_store, case_id, Form.SC, tmp_path)).pixel_array

    scale = pixels.shape[1] / 512
    image_rows = np.flatnonzero(pixels[:, -1] > 200)  # the ramp of the image is bright at its right edge
    top, bottom = image_rows[0], image_rows[-1]
    assert bottom - top + 1 == round(400 * scale)
    left, upper, right, lower = (round(side * scale) for side in BOX)
    middle = top + (upper + lower) // 2
    assert (pixels[middle, left], pixels[middle, right]) == (255, 255)
    assert (pixels[top + upper, (left + right) // 2], pixels[top + lower, (left + right) // 2]) == (255, 255)
    assert pixels[middle, left - 2] == 0  # black around white
    assert pixels[middle, left - 8] not in {0, 255}
    assert (pixels[:top] == 255).any()
    assert (pixels[bottom + 1 :] > 200).any()


def test_a_small_image_is_enlarged_until_the_words_can_be_read(sqlite_store, tmp_path) -> None:
    small = image_bytes(Rows=64, Columns=64, PixelData=bytes(64 * 64))
    case_id = told_case(sqlite_store, seen("nodule", (1, 1, 9, 9)), images=[small])

    assert dcmread(written(sqlite_store, case_id, Form.SC, tmp_path)).Columns >= 640


@pytest.mark.parametrize("name", OF_EVERY_SYNTAX)
def test_images_of_every_transfer_syntax_are_drawn(name, sqlite_store, tmp_path) -> None:
    case_id = told_case(sqlite_store, seen("nodule", (8, 8, 40, 40), image="2.25.1.1.1"), images=real(name))

    made = dcmread(written(sqlite_store, case_id, Form.SC, tmp_path))

    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "2.25.1.1.1"
    middle = made.pixel_array[made.Rows // 3 : made.Rows // 3 * 2]  # of the image, between the bands of words
    assert np.unique(middle).size > 50


def test_the_frame_with_the_finding_is_drawn(sqlite_store, tmp_path) -> None:
    frames = np.zeros((3, 400, 512), np.uint8)
    frames[2] = np.linspace(0, 255, 512, dtype=np.uint8)
    content = image_bytes(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=3, PixelData=frames.tobytes()
    )
    case_id = told_case(sqlite_store, seen("nodule", BOX, frame=2), images=[content])

    pixels = dcmread(written(sqlite_store, case_id, Form.SC, tmp_path)).pixel_array

    assert pixels[pixels.shape[0] // 2, -1] > 100


@pytest.mark.parametrize("form", [Form.SC, Form.KO])
def test_made_twice_it_is_the_same_to_the_byte(form, sqlite_store, tmp_path) -> None:
    case_id = told_case(sqlite_store, seen("nodule", BOX))

    first = written(sqlite_store, case_id, form, tmp_path).read_bytes()

    assert first == written(sqlite_store, case_id, form, tmp_path).read_bytes()


def test_key_objects_are_the_images_on_which_something_shows(sqlite_store, tmp_path) -> None:
    images = [image_bytes(number=number) for number in (1, 2, 3)]
    case_id = told_case(sqlite_store, seen("nodule", BOX, image="2.25.1.1.2"), images=images)

    path = written(sqlite_store, case_id, Form.KO, tmp_path)

    assert faults_of(path) == []
    assert "Of Interest" in dumped(path)
    made = dcmread(path)
    (series,) = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == ["2.25.1.1.2"]
