"""From a trained network to the ONNX file of a release."""

from pathlib import Path

import torch
from torch import Tensor, nn

from training.networks import ChestNetwork
from training.unusual import Unusualness

OPSET = 18
INPUT, SCORES, MAPS, UNUSUAL = "image", "scores", "maps", "unusual"


class _Served(nn.Module):
    """The network as it is served: scores instead of logits, and how unusual the image is."""

    def __init__(self, network: ChestNetwork, unusualness: Unusualness) -> None:
        super().__init__()
        self.network = network
        self.unusualness = unusualness

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.network.trunk(image)
        reading = self.network.tail(features)
        return torch.sigmoid(reading.logits), reading.maps, self.unusualness(features)


def export_onnx(network: ChestNetwork, unusualness: Unusualness, path: Path, *, side: int) -> None:
    """Write the network with its weights in one file; any batch size goes in."""
    served = _Served(network, unusualness).eval()
    torch.onnx.export(
        served,
        (torch.zeros(2, 1, side, side),),
        path,
        input_names=[INPUT],
        output_names=[SCORES, MAPS, UNUSUAL],
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=4096)}},
        external_data=False,
        verbose=False,
    )
