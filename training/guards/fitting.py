"""Fits the two perceptrons of the guard.

Which way up an image is: one number is computed for each of the eight versions of a thumbnail, and the
softmax over them and a constant zero (no frontal chest radiograph) is fitted. So what is learnt of one way up
holds for all, exactly. Whether it is mirrored: one number for the thumbnail, one for its mirror image, and
the logistic of their difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.guards import GRID, OTHER, THUMBNAIL, Guard, Scorer
from training.guards.pictures import Picture

CHUNK = 256  # pictures that are changed at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides the result, together with the pictures and the version of torch."""

    seed: int = 7
    units: int = 64  # of each hidden layer
    copies: int = 6  # of each picture, each changed otherwise
    steps: int = 4000
    batch: int = 128  # half of it chest radiographs
    rate: float = 3e-3  # highest learning rate
    weight_decay: float = 0.01
    dropout: float = 0.1
    rotation_degrees: float = 12.0  # within which a chest is upright
    zoom: float = 0.25
    shift: float = 0.10  # share of the side
    gamma: float = 0.5  # exponent in exp([-gamma, gamma])
    noise: float = 0.05
    shutter_share: float = 0.25  # of the images, that get a uniform border on some sides
    shutter: float = 0.15  # widest, share of the side
    sure_of_other: float = 0.8  # four in a thousand chests that were learnt from lie above, some rightly
    sure_of_turn: float = 0.95
    sure_of_mirror: float = 0.998  # two in a thousand


class _Perceptron(nn.Module):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.hidden = nn.Linear(THUMBNAIL * THUMBNAIL, settings.units)
        self.output = nn.Linear(settings.units, 1)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, thumbnails: Tensor) -> Tensor:
        """Return one number per thumbnail, over any leading shape."""
        hidden: Tensor = self.output(self.dropout(functional.relu(self.hidden(thumbnails.flatten(-2)))))
        return hidden.squeeze(-1)


def fit(chests: Sequence[Picture], others: Sequence[Picture], settings: Settings) -> Guard:
    """Return the guard that these pictures teach."""
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    good = _thumbnails(chests, settings, generator)
    bad = _thumbnails(others, settings, generator)
    upright, situs = _Perceptron(settings), _Perceptron(settings)
    parameters = [*upright.parameters(), *situs.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=settings.steps)
    half = settings.batch // 2
    labels = torch.cat([torch.zeros(half, dtype=torch.long), torch.full((half,), OTHER)])
    for _ in range(settings.steps):
        drawn = torch.cat([_draw(good, half, generator), _draw(bad, half, generator)])
        flipped = torch.rand(len(drawn), generator=generator) < 0.5
        seen = torch.where(flipped[:, None, None], drawn.flip(-1), drawn)
        loss = functional.cross_entropy(_logits(upright, seen), labels)
        ordinary = drawn[:half]
        margin = situs(ordinary) - situs(ordinary.flip(-1))
        loss = loss + functional.softplus(-margin).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it on some tensors only
        optimiser.step()
        schedule.step()
    return Guard(
        upright=_scorer(upright),
        situs=_scorer(situs),
        sure_of_other=settings.sure_of_other,
        sure_of_turn=settings.sure_of_turn,
        sure_of_mirror=settings.sure_of_mirror,
    )


def _thumbnails(pictures: Sequence[Picture], settings: Settings, generator: torch.Generator) -> Tensor:
    """Return (copies of all pictures, THUMBNAIL, THUMBNAIL).

    Half of the copies are of the picture as it is seen after an inversion was undone.
    """
    both = [torch.from_numpy(np.stack([each.cells, each.inverted]).astype(np.float32)) for each in pictures]
    parts = []
    for copy in range(settings.copies):
        for start in range(0, len(both), CHUNK):
            images = torch.stack([pair[copy % 2] for pair in both[start : start + CHUNK]])[:, None]
            parts.append(_standardised(_changed(images, settings, generator)))
    return torch.cat(parts)


def _draw(thumbnails: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return thumbnails[torch.randint(len(thumbnails), (count,), generator=generator)]


def _changed(images: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    """Return the images turned a little, zoomed, shifted, regraded, grained, some within a border."""
    count = len(images)
    angle = _uniform(count, math.radians(settings.rotation_degrees), generator)
    stretch = torch.exp(_uniform(2 * count, settings.zoom, generator)).view(2, count)
    shift = 2 * _uniform(2 * count, settings.shift, generator).view(2, count)
    first = torch.stack([torch.cos(angle) * stretch[0], -torch.sin(angle) * stretch[0], shift[0]], dim=1)
    second = torch.stack([torch.sin(angle) * stretch[1], torch.cos(angle) * stretch[1], shift[1]], dim=1)
    grid = functional.affine_grid(
        torch.stack([first, second], dim=1), list(images.shape), align_corners=False
    )
    ground = torch.rand(count, 1, 1, 1, generator=generator)  # what appears at the edges
    moved = functional.grid_sample(images - ground, grid, align_corners=False, padding_mode="zeros") + ground
    exponent = torch.exp(_uniform(count, settings.gamma, generator)).view(count, 1, 1, 1)
    graded = moved.clamp(0, 1) ** exponent
    grained = graded + torch.randn(moved.shape, generator=generator) * settings.noise
    return _shuttered(grained, settings, generator)


def _shuttered(images: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    count = len(images)
    places = torch.arange(GRID).view(1, GRID) / GRID
    chosen = (torch.rand(count, 1, generator=generator) < settings.shutter_share).float() * settings.shutter
    low, high, left, right = (torch.rand(count, 1, generator=generator) * chosen for _ in range(4))
    rows = (places >= low) & (places < 1 - high)
    columns = (places >= left) & (places < 1 - right)
    inside = (rows[:, None, :, None] & columns[:, None, None, :]).float()
    value = (torch.rand(count, 1, 1, 1, generator=generator) < 0.3).float()
    return images * inside + value * (1 - inside)


def _standardised(images: Tensor) -> Tensor:
    small = functional.avg_pool2d(images, GRID // THUMBNAIL)[:, 0]
    centred = small - small.mean(dim=(1, 2), keepdim=True)
    return centred / centred.std(dim=(1, 2), keepdim=True).clamp(min=1e-6)


def _logits(upright: _Perceptron, small: Tensor) -> Tensor:
    """Return (count, 9): each version as `models.guards.versions` orders them, then the constant."""
    turned = torch.stack([torch.rot90(small, turns, dims=(1, 2)) for turns in range(4)], dim=1)
    scores = upright(torch.cat([turned, -turned], dim=1))
    return torch.cat([scores, torch.zeros(len(small), 1)], dim=1)


def _uniform(count: int, reach: float, generator: torch.Generator) -> Tensor:
    """Return numbers in [-reach, reach]."""
    return (torch.rand(count, generator=generator) * 2 - 1) * reach


def _scorer(perceptron: _Perceptron) -> Scorer:
    """Return the weights as they are stored, in 16 bits, so that what is measured is what is used."""
    hidden, output = perceptron.hidden, perceptron.output
    return Scorer(
        hidden=_rounded(hidden.weight.T),
        hidden_bias=_rounded(hidden.bias),
        output=_rounded(output.weight[0]),
        output_bias=float(_rounded(output.bias)[0]),
    )


def _rounded(values: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return values.detach().numpy().astype(np.float16).astype(np.float32)
