"""A release folder whose network is three operators: where the image is bright there is a mass."""

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

SIDE, CELL = 64, 8


def write_tiny_release(folder: Path, **changes: Any) -> Path:
    """Write the release; changes replace entries of its manifest."""
    folder.mkdir(parents=True)
    content = _network().SerializeToString()
    (folder / "network.onnx").write_bytes(content)
    manifest = {**_manifest(hashlib.sha256(content).hexdigest()), **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _network() -> onnx.ModelProto:
    """Maps: brightness per cell for mass, its negative for hernia. Score: the highest cell, in [0, 1].

    How unusual an image is: its mean brightness, which a manifest may name.
    """
    nodes = [
        helper.make_node(
            "AveragePool", ["image"], ["bright"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Neg", ["bright"], ["dark"]),
        helper.make_node("Concat", ["bright", "dark"], ["maps"], axis=1),
        helper.make_node("ReduceMax", ["maps", "axes"], ["peaks"], keepdims=0),
        helper.make_node("Clip", ["peaks", "zero", "one"], ["scores"]),
        helper.make_node("ReduceMean", ["image", "all"], ["unusual"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2]),
            helper.make_tensor_value_info(
                "maps", TensorProto.FLOAT, ["batch", 2, SIDE // CELL, SIDE // CELL]
            ),
            helper.make_tensor_value_info("unusual", TensorProto.FLOAT, ["batch"]),
        ],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("all", TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _manifest(sha256: str) -> dict[str, Any]:
    return {
        "format": 1,
        "name": "tiny",
        "version": "1",
        "licence": "Apache-2.0",
        "pixel_pipeline": "1",
        "findings": ["mass", "hernia"],
        "network": {
            "file": "network.onnx",
            "sha256": sha256,
            "input_name": "image",
            "rows": SIDE,
            "columns": SIDE,
            "range_min": 0.0,
            "range_max": 1.0,
            "scores_output": "scores",
            "maps_output": "maps",
        },
        "calibration": {
            "mass": {"slope": 1.0, "intercept": 0.0, "prevalence": 0.1},
            "hernia": {"slope": 2.0, "intercept": -1.0, "prevalence": 0.02},
        },
        "calibration_cohort": "nobody",
        "default_operating_point": "balanced",
        "operating_points": [
            {
                "name": "balanced",
                "cohort": "nobody",
                "rule": "by hand",
                "thresholds": {"mass": 0.5, "hernia": 0.5},
            },
            {
                "name": "never",
                "cohort": "nobody",
                "rule": "by hand",
                "thresholds": {"mass": 1.0, "hernia": 1.0},
            },
        ],
        "intended_use": {
            "statement": "tests",
            "modalities": ["CR", "DX"],
            "body_parts": ["chest"],
            "views": ["PA", "AP"],
            "minimum_age_years": 16.0,
        },
        "training_data": ["none"],
        "training": {"command": "none"},
    }
