"""Boxes as a detection network writes them."""

import numpy as np
import pytest

from models.boxes import boxes_of
from models.io_format import BoxForm, OutputForm
from models.manifest import NetworkFile
from overread.errors import ModelError


def network(**form) -> NetworkFile:
    return NetworkFile(
        file="network.onnx",
        sha256="",
        input_name="image",
        rows=100,
        columns=200,
        range_min=0.0,
        range_max=1.0,
        scores_output="scores",
        output_form=OutputForm(boxes=BoxForm(output="boxes", **form)),
    )


def found(boxes, scores, labels=None, **form):
    outputs = {"boxes": np.array(boxes, np.float32), "scores": np.array(scores, np.float32)}
    if labels is not None:
        outputs["labels"] = np.array(labels)
        form["labels_output"] = "labels"
    return boxes_of(outputs, network(**form), scored=lambda raw: raw)


def test_boxes_are_sorted_by_class_and_score() -> None:
    boxes = found([[0, 0, 20, 10], [20, 10, 40, 30], [100, 0, 250, 50]], [0.2, 0.9, 0.5], [1, 1, 0])
    assert [item.score for item in boxes[1]] == pytest.approx([0.9, 0.2])
    first = boxes[1][0].box
    assert (first.left, first.top, first.right, first.bottom) == pytest.approx((0.1, 0.1, 0.2, 0.3))
    assert boxes[0][0].box.right == 1.0  # cut at the edge of the input


def test_without_labels_the_scores_have_a_column_per_class() -> None:
    boxes = found([[[0, 0, 20, 10], [20, 10, 40, 30]]], [[[0.2, 0.7], [0.9, 0.1]]])
    assert [item.score for item in boxes[0]] == pytest.approx([0.9, 0.2])
    assert [item.score for item in boxes[1]] == pytest.approx([0.7, 0.1])


def test_no_box_is_no_finding() -> None:
    assert found(np.zeros((1, 0, 4)), np.zeros((1, 0)), np.zeros((1, 0), int)) == {}


def test_what_does_not_belong_together_is_an_error_of_the_model() -> None:
    with pytest.raises(ModelError, match="four numbers a box"):
        found([[0, 0, 1]], [0.5], [1])
    with pytest.raises(ModelError, match="four numbers a box"):
        found([[0, 0, 1, np.nan]], [0.5], [1])
    with pytest.raises(ModelError, match="3 labels do not belong"):
        found([[0, 0, 1, 1], [0, 0, 1, 1]], [0.5, 0.5], [1, 2, 3])
