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
    """The networks as they are served: frozen layers once, the mean of what they say, how unusual it looks.

    Every second network sees the image mirrored, so that the mean is over both ways round.
    """

    def __init__(self, networks: Sequence[ChestNetwork], unusualness: Unusualness) -> None:
        super().__init__()
        self.registered = nn.ModuleList(networks)  # so that the export finds their weights
        self.networks = tuple(networks)
        self.unusualness = unusualness

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores, maps and unusualness of images (batch, 1, side, side)."""
        plain = self._frozen(image)
        turned = self._frozen(image.flip(3)) if len(self.networks) > 1 else plain
        readings = [
            _mirror(network.tail(turned[network.frozen_blocks]))
            if at % 2
            else network.tail(plain[network.frozen_blocks])
            for at, network in enumerate(self.networks)
        ]
        logits = torch.stack([reading.logits for reading in readings]).mean(dim=0)
        maps = torch.stack([reading.maps for reading in readings]).mean(dim=0)
        return torch.sigmoid(logits), maps, self.unusualness(plain[max(plain)])

    def _frozen(self, image: Tensor) -> dict[int, Tensor]:
        """Return the features after the frozen blocks, by how many those are; no network has changed them."""
        by_depth = {network.frozen_blocks: network for network in self.networks}
        first, *deeper = sorted(by_depth)
        found, done = {first: by_depth[first].trunk(image)}, first
        for depth in deeper:
            found[depth] = by_depth[depth].deepen(found[done], done=done)
            done = depth
        return found


def _mirror(reading: Reading) -> Reading:
    """Return what was said of a mirrored image as said of the image."""
    return reading._replace(maps=reading.maps.flip(3))


def export_onnx(networks: Sequence[ChestNetwork], unusualness: Unusualness, path: Path, *, side: int) -> None:
    """Write the networks as one, with its weights in one file; any batch size goes in.

    The unusualness is that of the features after the deepest of the frozen layers.
    """
    write_onnx(
        Served(networks, unusualness).eval(),
        path,
        side=side,
        input_name=INPUT,
        output_names=(SCORES, MAPS, UNUSUAL),
        compact=True,
    )
