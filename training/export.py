"""From trained networks to the ONNX file of a release."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.onnx_export import write_onnx
from training.networks import ChestNetwork, Reading
from training.unusual import Unusualness

INPUT, SCORES, MAPS, UNUSUAL = "image", "scores", "maps", "unusual"


class Served(nn.Module):
    """The networks as they are served: one trunk, the mean of what they say, and how unusual the image is.

    Every second network sees the image mirrored, so that the mean is over both ways round.
    """

    def __init__(self, networks: Sequence[ChestNetwork], unusualness: Unusualness) -> None:
        super().__init__()
        self.registered = nn.ModuleList(networks)  # so that the export finds their weights
        self.networks = tuple(networks)
        self.unusualness = unusualness

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores, maps and unusualness of images (batch, 1, side, side)."""
        first, *others = self.networks
        features = first.trunk(image)  # none of them has changed it
        readings = [first.tail(features)]
        if others:
            mirrored = first.trunk(image.flip(3))
            for at, network in enumerate(others, 1):
                readings.append(_mirror(network.tail(mirrored)) if at % 2 else network.tail(features))
        logits = torch.stack([reading.logits for reading in readings]).mean(dim=0)
        maps = torch.stack([reading.maps for reading in readings]).mean(dim=0)
        return torch.sigmoid(logits), maps, self.unusualness(features)


def _mirror(reading: Reading) -> Reading:
    """Return what was said of a mirrored image as said of the image."""
    return reading._replace(maps=reading.maps.flip(3))


def export_onnx(networks: Sequence[ChestNetwork], unusualness: Unusualness, path: Path, *, side: int) -> None:
    """Write the networks as one, with its weights in one file; any batch size goes in."""
    served = Served(networks, unusualness).eval()
    write_onnx(
        served, path, side=side, input_name=INPUT, output_names=(SCORES, MAPS, UNUSUAL), half_size=True
    )
