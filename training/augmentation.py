"""Changes to a batch of images that change no finding, and where they move what people have marked."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """Strength of the changes to an image."""

    rotation_degrees: float = 10.0
    scale: float = 0.15  # zoom in [1 - scale, 1 + scale]
    shift: float = 0.06  # share of the side
    gamma: float = 0.35  # exponent in exp([-gamma, gamma]): vendors' grey curves
    contrast: float = 0.2
    brightness: float = 0.08
    noise: float = 0.02  # standard deviation of grain, in [0, 1]


def augment(images: Tensor, strength: Strength, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return images (batch, 1, side, side) in [0, 1], changed, and where to they were moved (batch, 2, 3).

    Half of the images are mirrored: no finding of the data set depends on the side of the heart.
    """
    transforms = _affine(len(images), strength, generator)
    moved = warp(images, transforms)
    grain = torch.randn(moved.shape, generator=generator) * strength.noise
    return (_regrade(moved, strength, generator) + grain).clamp(0, 1), transforms


def warp(images: Tensor, transforms: Tensor) -> Tensor:
    """Return images or masks (batch, any, side, side), moved as `augment` moved theirs."""
    grid = functional.affine_grid(transforms, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="zeros")


def _affine(count: int, strength: Strength, generator: torch.Generator) -> Tensor:
    angle = _uniform(count, math.radians(strength.rotation_degrees), generator)
    zoom = 1 + _uniform(count, strength.scale, generator)
    mirror = (torch.rand(count, generator=generator) < 0.5).float() * -2 + 1
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = 2 * _uniform(2 * count, strength.shift, generator).view(2, count)
    first = torch.stack([cosine * mirror, -sine, shift[0]], dim=1)
    second = torch.stack([sine * mirror, cosine, shift[1]], dim=1)
    return torch.stack([first, second], dim=1)


def _regrade(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    shape = (len(images), 1, 1, 1)
    gamma = _uniform(len(images), strength.gamma, generator).exp().view(shape)
    contrast = 1 + _uniform(len(images), strength.contrast, generator).view(shape)
    brightness = _uniform(len(images), strength.brightness, generator).view(shape)
    return (images.clamp(1e-4, 1).pow(gamma) - 0.5) * contrast + 0.5 + brightness


def _uniform(count: int, reach: float, generator: torch.Generator) -> Tensor:
    """Return numbers in [-reach, reach]."""
    return (torch.rand(count, generator=generator) * 2 - 1) * reach
