"""Networks as others make them: other channels, ranges and outputs than ours, and boxes instead of maps."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.models.tiny_release import write_tiny_release

SIDE, CELL = 64, 8
WEIGHTS = np.array(
    [[0.5, -1.0, 0.2, 0.9, 0.0], [0.1, 0.7, -0.3, 0.2, 0.4], [-0.2, 0.3, 0.6, -0.5, 0.8]], np.float32
)


def write_foreign_release(
    folder: Path, network: onnx.ModelProto, *, findings: tuple[str, ...], stated: dict[str, Any]
) -> Path:
    """Write a release with this network; `stated` replaces entries of the manifest's `network`."""
    content = network.SerializeToString()
    write_tiny_release(folder)
    (folder / "network.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["network"].pop("maps_output")
    manifest["network"] |= {"sha256": hashlib.sha256(content).hexdigest(), **stated}
    manifest |= {
        "findings": list(findings),
        "calibration": {finding: {"slope": 1.0, "intercept": 0.0} for finding in findings},
        "operating_points": [
            {
                "name": "balanced",
                "cohort": "nobody",
                "rule": "by hand",
                "thresholds": dict.fromkeys(findings, 0.5),
            }
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def colour_classifier(*, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """Batch of one, channels last, three of them; five logits: the mean colour times `WEIGHTS`."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", kind, [1, SIDE, SIDE, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 5])
    return _model(nodes, [pixels], [logits], axes=np.array([1, 2]), weights=WEIGHTS)


def two_headed_classifier() -> onnx.ModelProto:
    """One output per class, of the shapes (batch, 1) and (batch,): brightness and darkness."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels", "axes"], ["bright"], keepdims=0),
        helper.make_node("Squeeze", ["bright", "second"], ["flat"]),
        helper.make_node("Sub", ["one", "flat"], ["dark"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("bright", TensorProto.FLOAT, ["batch", 1]),
        helper.make_tensor_value_info("dark", TensorProto.FLOAT, ["batch"]),
    ]
    one = np.array(1, np.float32)
    return _model(nodes, [pixels], outputs, axes=np.array([2, 3]), second=np.array([1]), one=one)


def bright_cells(*, corners: str = "xyxy", unit: str = "pixels") -> onnx.ModelProto:
    """Boxes around the two brightest cells, (1, 2, 4), with scores (1, 2) and the class numbers 7 and 3."""
    size = CELL if unit == "pixels" else CELL / SIDE
    half = np.array(0.5, np.float32)
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["cells"], kernel_shape=[CELL] * 2, strides=[CELL] * 2),
        helper.make_node("Reshape", ["cells", "line"], ["values"]),
        helper.make_node("TopK", ["values", "two"], ["scores", "places"]),
        helper.make_node("Div", ["places", "across"], ["row"]),
        helper.make_node("Mod", ["places", "across"], ["column"]),
        helper.make_node("Unsqueeze", ["row", "last"], ["top_cell"]),
        helper.make_node("Unsqueeze", ["column", "last"], ["left_cell"]),
        helper.make_node("Concat", ["left_cell", "top_cell"], ["cell"], axis=2),
        helper.make_node("Cast", ["cell"], ["start_cell"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["start_cell", "size"], ["start"]),
        helper.make_node("Add", ["start", "size"], ["end"]),
        helper.make_node("Sub", ["end", "start"], ["extent"]),
        helper.make_node("Mul", ["extent", "half"], ["half_extent"]),
        helper.make_node("Add", ["start", "half_extent"], ["centre"]),
        helper.make_node("Concat", list(_CORNERS[corners]), ["boxes"], axis=2),
        helper.make_node("Identity", ["numbers"], ["labels"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 2]),
    ]
    return _model(
        nodes,
        [pixels],
        outputs,
        line=np.array([1, (SIDE // CELL) ** 2]),
        two=np.array([2]),
        across=np.array(SIDE // CELL),
        last=np.array([2]),
        size=np.array(size, np.float32),
        half=half,
        numbers=np.array([[7, 3]]),
    )


_CORNERS = {"xyxy": ("start", "end"), "xywh": ("start", "extent"), "cxcywh": ("centre", "extent")}


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    **constants: NDArray[Any],
) -> onnx.ModelProto:
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "foreign", inputs, outputs, initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
