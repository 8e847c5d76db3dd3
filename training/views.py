"""Features of the frozen layers for several views of every radiograph, computed once and kept on disk.

The frozen layers always say the same of the same view, so a dozen views per radiograph, drawn once, stand for
the endless ones. At 224 pixels a view of a radiograph takes 150 kB after two blocks, 31 kB after six.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.pixels import network_input
from training.augmentation import Strength, augment, warp
from training.datasets import Radiograph
from training.networks import ChestNetwork

UNCHANGED, MIRRORED = 0, 1  # the first two views; those after them are changed at random
BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Features after the frozen layers, and where to each view was moved."""

    features: NDArray[np.float16]  # (views, radiographs, channels, cells, cells), memory-mapped
    transforms: NDArray[np.float32]  # (views, radiographs, 2, 3)

    def batch(self, views: NDArray[np.intp], radiographs: NDArray[np.intp]) -> Tensor:
        """Return the features of one view per radiograph."""
        chosen = np.stack([self.features[view, at] for view, at in zip(views, radiographs, strict=True)])
        return torch.from_numpy(chosen).float()

    def masks(self, masks: Tensor, radiographs: NDArray[np.intp], *, cells: int) -> Tensor:
        """Return masks (radiographs, findings, n, n) as each view moved them: (views, radiographs, ...)."""
        moved = [
            torch.nn.functional.adaptive_avg_pool2d(
                warp(masks, torch.from_numpy(transforms[radiographs])), cells
            ).half()
            for transforms in self.transforms
        ]
        return torch.stack(moved)


def load_images(radiographs: Sequence[Radiograph], *, side: int) -> Tensor:
    """Return the network's input of every radiograph in 8 bits, shape (radiographs, 1, side, side)."""
    images = torch.zeros(len(radiographs), 1, side, side, dtype=torch.uint8)
    for image, radiograph in zip(images, radiographs, strict=True):
        grey = network_input(radiograph.path, rows=side, columns=side)
        image[0] = torch.from_numpy(np.rint(grey * 255).astype(np.uint8))
    return images


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Views to make."""

    side: int
    count: int  # changed at random, besides the unchanged and the mirrored one
    strength: Strength
    seed: int


def make_views(radiographs: Sequence[Radiograph], network: ChestNetwork, plan: Plan, folder: Path) -> Views:
    """Return the views of every radiograph, from the folder where they have been made before.

    They are made on the network's device.
    """
    key = hashlib.sha256(
        repr((plan, network.frozen_blocks, [radiograph.name for radiograph in radiographs])).encode()
    ).hexdigest()[:16]
    paths = [folder / f"views-{key}-{name}.npy" for name in ("features", "transforms")]
    if not all(path.is_file() for path in paths):
        partial = [path.with_suffix(".partial") for path in paths]
        _compute(load_images(radiographs, side=plan.side), network.eval(), plan, partial)
        for unfinished, path in zip(partial, paths, strict=True):
            unfinished.replace(path)
    features, transforms = (np.load(path, mmap_mode="r") for path in paths)
    return Views(features=features, transforms=np.array(transforms))


def _compute(images: Tensor, network: ChestNetwork, plan: Plan, paths: Sequence[Path]) -> None:
    generator = torch.Generator().manual_seed(plan.seed)
    count, device = plan.count + 2, next(network.parameters()).device
    with torch.inference_mode():
        shape = network.trunk((images[:1].float() / 255).to(device)).shape[1:]
    features = np.lib.format.open_memmap(paths[0], "w+", np.float16, (count, len(images), *shape))
    transforms = np.lib.format.open_memmap(paths[1], "w+", np.float32, (count, len(images), 2, 3))
    for view in range(count):
        for start in range(0, len(images), BATCH):
            batch = slice(start, start + BATCH)
            seen, moved = _view(images[batch].float() / 255, view, plan.strength, generator)
            with torch.inference_mode():
                found = network.trunk(seen.contiguous(memory_format=torch.channels_last).to(device))
            features[view, batch] = found.half().contiguous().cpu().numpy()
            transforms[view, batch] = moved.numpy()
    features.flush()
    transforms.flush()


def _view(images: Tensor, view: int, strength: Strength, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    unmoved = torch.eye(2, 3).repeat(len(images), 1, 1)
    if view == UNCHANGED:
        return images, unmoved
    if view == MIRRORED:
        return images.flip(3), unmoved * torch.tensor([-1.0, 1.0]).view(1, 2, 1)
    return augment(images, strength, generator)
