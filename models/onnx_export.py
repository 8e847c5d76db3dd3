"""From a torch network to an ONNX file that says nothing of the machine on which it was made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

OPSET = 18
_LARGE = 1024  # values; smaller weights stay as they are: halving them saves nothing
_MOST_IN_HALF = 65504.0  # largest finite number of IEEE 754 binary16


def write_onnx(
    network: nn.Module,
    path: Path,
    *,
    side: int,
    input_name: str,
    output_names: Sequence[str],
    half_size: bool = False,
) -> None:
    """Write a network of grey images (batch, 1, side, side), with its weights in one file.

    Any batch size goes in. The exporter notes with every node which lines of which files it came from; that
    is left out.

    Args:
        network: in evaluation mode.
        path: of the file.
        side: in pixels.
        input_name: what to call the input.
        output_names: what to call the outputs.
        half_size: store weights in 16 bits. They are widened to 32 when the file is loaded, so that the
            speed is the same; their first three digits stay.
    """
    torch.onnx.export(
        network,
        (torch.zeros(2, 1, side, side),),
        path,
        input_names=[input_name],
        output_names=list(output_names),
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
        external_data=False,
        verbose=False,
    )
    model = onnx.load(path)
    _forget_origin(model)
    if half_size:
        _halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _forget_origin(model: ModelProto) -> None:
    graph = model.graph
    noted = (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for item in (model, graph, *noted):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")


def _halve(model: ModelProto) -> None:
    """Store large weights in 16 bits, each under another name, and widen them to what the nodes take."""
    widened = []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if (
            values.dtype == np.float32
            and values.size >= _LARGE
            and np.abs(values).max(initial=0) <= _MOST_IN_HALF
        ):
            stored = f"{weights.name}.half"
            widened.append(helper.make_node("Cast", [stored], [weights.name], to=TensorProto.FLOAT))
            weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*widened, *model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
