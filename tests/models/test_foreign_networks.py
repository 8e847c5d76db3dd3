"""Networks from elsewhere run by their manifest alone."""

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from models.onnx_detector import OnnxDetector
from models.releases import load_detector
from overread.errors import ModelError
from overread.observation import Laterality, Presence
from tests.models.foreign_networks import (
    WEIGHTS,
    bright_cells,
    colour_classifier,
    two_headed_classifier,
    write_foreign_release,
)
from tests.models.radiographs import chest_with_shadow, write_radiograph

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
COLOUR = {
    "input_name": "pixels",
    "scores_output": "logits",
    "input_form": {"channels": 3, "layout": "NHWC", "grey": "displayed", "mean": MEAN, "std": STD},
    "output_form": {"activation": "sigmoid", "columns": [3, 1]},
}
BOXES = {
    "input_name": "pixels",
    "scores_output": "scores",
    "output_form": {"columns": [3, 7], "boxes": {"output": "boxes", "labels_output": "labels"}},
}


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def dark(rows, columns):
    return np.random.default_rng(5).integers(0, 200, size=(rows, columns), dtype=np.uint16)


def test_a_classifier_without_maps_sees_the_displayed_image_in_its_own_colours(tmp_path) -> None:
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated=COLOUR
    )
    detector = OnnxDetector(folder)
    grey = np.random.default_rng(4).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    mean = (grey / 255).mean()
    colour = (mean - np.array(MEAN)) / np.array(STD)
    expected = sigmoid(colour @ WEIGHTS)[[3, 1]]
    assert detector.probabilities(tmp_path / "a.png") == pytest.approx(expected, abs=1e-5)


def test_without_a_map_an_observation_has_neither_heat_map_nor_side(tmp_path) -> None:
    write_foreign_release(
        tmp_path / "colour",
        colour_classifier(),
        findings=("mass", "hernia"),
        stated={**COLOUR, "output_form": {"activation": "sigmoid", "columns": [4, 0]}},
    )
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    detection = load_detector("colour", tmp_path).detect([path])
    for found in detection.observations:
        assert (found.heat_map, found.regions, found.laterality) == (None, (), Laterality.UNSPECIFIED)
        assert found.prevalence is None
    assert 0 < detection.observations[0].score < 1


def test_softmax_makes_shares_of_all_classes_before_some_are_picked(tmp_path) -> None:
    stated = {**COLOUR, "output_form": {"activation": "softmax", "columns": [0, 2]}}
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated=stated
    )
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(tmp_path / "a.png")
    logits = ((1 - np.array(MEAN)) / np.array(STD)) @ WEIGHTS
    shares = np.exp(logits) / np.exp(logits).sum()
    assert OnnxDetector(folder).probabilities(tmp_path / "a.png") == pytest.approx(shares[[0, 2]], abs=1e-5)


def test_whole_numbers_of_0_to_255_go_in_where_the_network_takes_bytes(tmp_path) -> None:
    stated = {
        **COLOUR,
        "range_max": 255.0,
        "input_form": {"channels": 3, "layout": "NHWC", "grey": "displayed"},
    }
    network = colour_classifier(kind=TensorProto.UINT8)
    folder = write_foreign_release(tmp_path / "colour", network, findings=("mass", "hernia"), stated=stated)
    Image.fromarray(np.full((64, 64), 3, np.uint8)).save(tmp_path / "a.png")
    expected = sigmoid(np.full(3, 3) @ WEIGHTS)[[3, 1]]
    assert OnnxDetector(folder).probabilities(tmp_path / "a.png") == pytest.approx(expected, abs=1e-5)


def test_a_batch_is_run_one_by_one_where_the_network_takes_one_image(tmp_path) -> None:
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated=COLOUR
    )
    images = np.random.default_rng(4).random((3, 64, 64), dtype=np.float32)
    detector = OnnxDetector(folder)
    together = detector.scores(images)
    assert together.shape == (3, 2)
    assert together[1] == pytest.approx(detector.scores(images[1:2])[0])


def test_classes_of_several_outputs_are_joined(tmp_path) -> None:
    stated = {
        "input_name": "pixels",
        "scores_output": "bright",
        "input_form": {"grey": "displayed"},
        "output_form": {"further_scores": ["dark"]},
    }
    folder = write_foreign_release(
        tmp_path / "heads", two_headed_classifier(), findings=("mass", "hernia"), stated=stated
    )
    Image.fromarray(np.full((64, 64), 51, np.uint8)).save(tmp_path / "a.png")
    detector = OnnxDetector(folder)
    assert detector.probabilities(tmp_path / "a.png") == pytest.approx((0.2, 0.8), abs=1e-5)
    assert detector.scores(np.zeros((5, 64, 64), np.float32)).shape == (5, 2)


@pytest.mark.parametrize("unit", ["pixels", "shares"])
@pytest.mark.parametrize("corners", ["xyxy", "xywh", "cxcywh"])
def test_boxes_of_a_detection_network_lie_on_the_shadow(tmp_path, corners, unit) -> None:
    boxes = {"output": "boxes", "labels_output": "labels", "corners": corners, "unit": unit}
    stated = {**BOXES, "output_form": {"columns": [3, 7], "boxes": boxes}}
    folder = write_foreign_release(
        tmp_path / "boxes",
        bright_cells(corners=corners, unit=unit),
        findings=("mass", "nodule"),
        stated=stated,
    )
    pixels = dark(300, 300)
    pixels[75:150, 37:114] += 3000  # four cells of 37.5 pixels
    path = write_radiograph(tmp_path / "a.dcm", pixels, SOPInstanceUID="1.2.3")
    mass, nodule = OnnxDetector(folder).detect([path]).observations
    for found in (mass, nodule):  # class 7 is the brightest cell, class 3 the next
        (region,) = found.regions
        assert region.sop_instance_uid == "1.2.3"
        assert region.column_max - region.column_min == pytest.approx(300 / 8)
        assert 37 <= region.column_min < region.column_max <= 114
        assert 75 <= region.row_min < region.row_max <= 150
        assert (found.presence, found.laterality) == (Presence.PRESENT, Laterality.RIGHT)
        assert found.heat_map is None
    assert nodule.score >= mass.score


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_boxes_find_their_way_back_from_a_cut_or_padded_image(tmp_path, fit) -> None:
    stated = {**BOXES, "input_form": {"fit": fit}}
    folder = write_foreign_release(
        tmp_path / "boxes", bright_cells(), findings=("mass", "nodule"), stated=stated
    )
    pixels = dark(300, 420)
    pixels[90:211, 250:371] += 3000
    path = write_radiograph(tmp_path / "a.dcm", pixels)
    for found in OnnxDetector(folder).detect([path]).observations:
        (region,) = found.regions
        assert 250 <= region.column_min < region.column_max <= 371
        assert 90 <= region.row_min < region.row_max <= 211
        width, height = {"stretch": (420, 300), "crop": (300, 300), "pad": (420, 420)}[fit]
        assert region.column_max - region.column_min == pytest.approx(width / 8)
        assert region.row_max - region.row_min == pytest.approx(height / 8, abs=2)  # padding is whole pixels
        assert found.laterality is Laterality.LEFT


def test_a_class_without_boxes_is_absent(tmp_path) -> None:
    stated = {**BOXES, "output_form": {**BOXES["output_form"], "columns": [3, 9]}}
    folder = write_foreign_release(
        tmp_path / "boxes", bright_cells(), findings=("mass", "nodule"), stated=stated
    )
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    _, nodule = OnnxDetector(folder).detect([path]).observations
    assert (nodule.presence, nodule.score, nodule.regions) == (Presence.ABSENT, 0.0, ())


def test_logits_without_an_activation_are_no_scores(tmp_path) -> None:
    stated = {**COLOUR, "output_form": {"columns": [0, 1]}}
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated=stated
    )
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ModelError, match="lack an activation"):
        OnnxDetector(folder).probabilities(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"output_form": {"columns": [0, 5]}, "input_form": COLOUR["input_form"]},
            "not those of the manifest",
        ),
        ({"output_form": {"activation": "sigmoid"}}, "not those of the manifest"),
        ({"input_form": {"channels": 1, "layout": "NHWC"}}, "refuses its input"),
    ],
)
def test_what_the_network_does_not_give_or_take_is_an_error_of_the_model(tmp_path, change, message) -> None:
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated={**COLOUR, **change}
    )
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ModelError, match=message):
        OnnxDetector(folder).probabilities(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"input_form": {"channels": 2}}, "1 or 3 channels"),
        ({"input_form": {"channels": 3, "mean": [0.5, 0.5]}}, "one for each"),
        ({"input_form": {"std": [0]}}, "std must be above 0"),
        ({"input_form": {"layout": "CHW"}}, "one of NCHW, NHWC"),
        ({"input_form": {"fit": "squeeze"}}, "one of stretch, crop, pad"),
        ({"output_form": {"activation": "tanh"}}, "one of none, sigmoid, softmax"),
        ({"output_form": {"columns": [1.5, 2]}}, "whole numbers"),
        ({"output_form": {"columns": [1]}}, "one column per finding"),
        ({"output_form": {"boxes": {"output": "boxes", "corners": "yxyx"}}}, "one of xyxy"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_by_name(tmp_path, form, message) -> None:
    stated = {"input_name": "pixels", "scores_output": "logits", **form}
    folder = write_foreign_release(
        tmp_path / "colour", colour_classifier(), findings=("mass", "hernia"), stated=stated
    )
    with pytest.raises(ModelError, match=message):
        OnnxDetector(folder)
