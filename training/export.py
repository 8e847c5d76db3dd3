"""From a trained network to the ONNX file of a release."""

from pathlib import Path

import torch
from torch import Tensor, nn

from training.networks import ClassMapNetwork

OPSET = 18
INPUT, SCORES, MAPS = "image", "scores", "maps"


class _Served(nn.Module):
    """The network as it is served: scores instead of logits."""

    def __init__(self, network: ClassMapNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, maps = self.network(image)
        return torch.sigmoid(logits), maps


def export_onnx(network: ClassMapNetwork, path: Path, *, side: int) -> None:
    """Write the network with its weights in one file; any batch size goes in."""
    served = _Served(network).eval()
    torch.onnx.export(
        served,
        (torch.zeros(2, 1, side, side),),
        path,
        input_names=[INPUT],
        output_names=[SCORES, MAPS],
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=4096)}},
        external_data=False,
        verbose=False,
    )
