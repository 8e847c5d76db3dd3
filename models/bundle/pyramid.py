"""Parts of torchvision that MONAI's feature pyramid needs, for machines without it.

MONAI needs torchvision to put a ResNet before a feature pyramid: one class that stops a network half-way, and
one function that picks the layers to train. torchvision's wheels on PyPI are built for CUDA and do not load
beside the CPU build of torch, so that a CPU-only machine would run no pyramid. Where torchvision is there,
nothing here is used. The modules keep their names, so that the same weights fit.
"""

from collections.abc import Mapping
from types import SimpleNamespace

from monai.apps.detection.networks import retinanet_network
from monai.networks.blocks import backbone_fpn_utils
from monai.utils.module import optional_import
from torch import Tensor, nn

_ALL_LAYERS = 5  # of a ResNet: its stem and four stages


class LayerGetter(nn.ModuleDict):
    """The children of a network up to the last one asked for; gives what those asked for put out."""

    def __init__(self, model: nn.Module, return_layers: Mapping[str, str]) -> None:
        waiting, kept = set(return_layers), {}
        for name, module in model.named_children():
            kept[name] = module
            waiting.discard(name)
            if not waiting:
                break
        super().__init__(kept)
        self._return_layers = dict(return_layers)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs under the names that they were asked for by."""
        found: dict[str, Tensor] = {}
        for name, module in self.items():
            images = module(images)
            if name in self._return_layers:
                found[self._return_layers[name]] = images
        return found


def enable_feature_pyramids() -> None:
    """Make MONAI's pyramids work on a machine without a torchvision that loads."""
    _, is_there = optional_import("torchvision.models")
    if is_there:
        return
    parts = SimpleNamespace(_utils=SimpleNamespace(IntermediateLayerGetter=LayerGetter))
    backbone_fpn_utils.torchvision_models = parts
    retinanet_network._validate_trainable_layers = _layers_to_train


def _layers_to_train(
    _is_pretrained: bool, trainable: int | None, max_value: int = _ALL_LAYERS, default_value: int = 3
) -> int:
    """Return how many layers may change in training; it makes no difference to inference."""
    return min(trainable if trainable is not None else default_value, max_value)
