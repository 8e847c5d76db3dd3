"""From a torch network to an ONNX file that says nothing of the machine on which it was made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

OPSET = 18
_LARGE = 1024  # values; smaller weights stay as they are: packing them saves nothing
_MOST_IN_8_BITS = 127


def write_onnx(
    network: nn.Module,
    path: Path,
    *,
    side: int,
    input_name: str,
    output_names: Sequence[str],
    compact: bool = False,
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
        compact: store large weights of layers in 8 bits with a scale for each of their outputs. They are
            widened to 32 when the file is loaded, so that the speed is the same; values between layers stay
            in 32. `round_weights` does the same to the network.
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
    if compact:
        _compact(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _forget_origin(model: ModelProto) -> None:
    graph = model.graph
    noted = (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for item in (model, graph, *noted):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")


def round_weights(network: nn.Module) -> None:
    """Give a network the weights that it will have in a compact file, so that both say the same."""
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d | nn.Linear) and part.weight.numel() >= _LARGE:
                small, scale = _in_8_bits(part.weight.detach().cpu().numpy())
                part.weight.copy_(torch.from_numpy(small * scale))


def _compact(model: ModelProto) -> None:
    """Store large weights in 8 bits, each under another name, and widen them to what the nodes take.

    Cast and product are of constants, which ONNX Runtime folds when it loads the file.
    """
    outputs_first = {name for node in model.graph.node for name in _weights_by_output(node)}
    added, widened = [], []
    for weights in model.graph.initializer:
        values, name = numpy_helper.to_array(weights), weights.name
        if name not in outputs_first or values.size < _LARGE:
            continue
        small, scale = _in_8_bits(values)
        names = [f"{name}.{part}" for part in ("8bit", "wide", "scale")]
        weights.CopyFrom(numpy_helper.from_array(small, names[0]))
        added.append(numpy_helper.from_array(scale, names[2]))
        widened.append(helper.make_node("Cast", [names[0]], [names[1]], to=TensorProto.FLOAT))
        widened.append(helper.make_node("Mul", names[1:], [name]))
    nodes = [*widened, *model.graph.node]
    model.graph.initializer.extend(added)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)


def _weights_by_output(node: NodeProto) -> list[str]:
    """Return the names of a node's weights whose first axis is that of its outputs."""
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return [node.input[1]] if node.op_type == "Conv" or (node.op_type == "Gemm" and turned) else []


def _in_8_bits(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers and the scale of each output (the first axis), whose product are the values.

    So a weak filter keeps its digits beside a strong one.
    """
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = (np.maximum(largest, np.finfo(np.float32).tiny) / _MOST_IN_8_BITS).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale
