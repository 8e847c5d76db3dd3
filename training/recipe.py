"""The recipe of the default chest radiograph model: settings and the loop, nothing hidden."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from monai.utils.misc import set_determinism
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.pixels import network_input
from overread.errors import ConfigurationError
from training.augmentation import Strength, augment
from training.datasets import FINDINGS, Radiograph
from training.networks import ClassMapNetwork, load_imagenet_weights
from training.targets import box_masks, label_matrix, soft_targets

MASK_CELLS = 32  # resolution at which boxes are moved with the image before the network's grid takes over


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides the result, together with the data and the versions of the libraries."""

    seed: int = 2026  # of the classifier's first weights, the order of images and every change to them
    salt: str = "overread-nih-1"  # of the patients' hash; another salt is another split
    validation_share: float = 0.15  # of the patients
    test_share: float = 0.20  # of the patients
    side: int = 256  # pixels; a multiple of 64
    epochs: int = 24
    batch_size: int = 32
    frozen_blocks: int = 3  # of 16, and the stem: half the work and none of the accuracy
    backbone_rate: float = 6e-4  # highest learning rate of the ImageNet layers
    classifier_rate: float = 3e-3  # highest learning rate of the new layer
    weight_decay: float = 0.02
    dropout: float = 0.25
    warm_up_share: float = 0.1  # of all steps, before the cosine
    averaging: float = 0.99  # decay per step of the averaged weights, which are the ones released
    label_smoothing: float = 0.05
    reads_weight: float = 0.5  # share of the other detector's reads in the target, where there are any
    mixup: float = 0.3  # both parameters of the beta distribution; 0 is none
    box_weight: float = 0.1  # of the loss that draws the class map into the boxes
    augmentation: Strength = field(default_factory=Strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where training stands after an epoch."""

    epoch: int  # counted from 1
    epochs: int
    loss: float  # mean over the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What an epoch is made of, in memory: 64 kB a radiograph."""

    images: Tensor  # (radiographs, 1, side, side), 8 bit
    targets: Tensor  # (radiographs, findings) in [0, 1]
    masks: Tensor  # (radiographs, findings, MASK_CELLS, MASK_CELLS); all zero where there is no box
    positive_weights: Tensor  # (findings,)


def load_images(radiographs: Sequence[Radiograph], *, side: int) -> Tensor:
    """Return the network's input of every radiograph in 8 bits, shape (radiographs, 1, side, side)."""
    images = torch.zeros(len(radiographs), 1, side, side, dtype=torch.uint8)
    for image, radiograph in zip(images, radiographs, strict=True):
        grey = network_input(radiograph.path, rows=side, columns=side)
        image[0] = torch.from_numpy(np.rint(grey * 255).astype(np.uint8))
    return images


def prepare(radiographs: Sequence[Radiograph], settings: Settings) -> Material:
    """Return the radiographs as tensors."""
    targets = soft_targets(
        radiographs, smoothing=settings.label_smoothing, reads_weight=settings.reads_weight
    )
    prevalence = np.clip(label_matrix(radiographs).mean(axis=0), 0.01, 0.99)
    return Material(
        images=load_images(radiographs, side=settings.side),
        targets=torch.from_numpy(targets),
        masks=box_masks(radiographs, cells=MASK_CELLS),
        # The root keeps rare findings from being ignored without making every image look like one.
        positive_weights=torch.from_numpy(np.sqrt((1 - prevalence) / prevalence).clip(1, 6)).float(),
    )


class Run:
    """One training run: networks, optimiser and random generators; it can be resumed after any epoch."""

    def __init__(self, material: Material, settings: Settings) -> None:
        set_determinism(settings.seed)
        self.material = material
        self.settings = settings
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.network = ClassMapNetwork(len(FINDINGS), dropout=settings.dropout)
        load_imagenet_weights(self.network)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        self.averaged = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]  # torch's
            use_buffers=True,
        )
        self.optimizer = self._optimizer()
        steps = settings.epochs * self._steps_per_epoch()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _rate(step / steps, settings.warm_up_share)
        )
        self.epochs_done = 0

    def train_epoch(self) -> Progress:
        """Show the network every radiograph once."""
        self.network.train()
        self.network.freeze(self.settings.frozen_blocks)
        order = torch.randperm(len(self.material.images), generator=self.generator)
        size = self.settings.batch_size
        losses = [self._step(order[at * size : (at + 1) * size]) for at in range(self._steps_per_epoch())]
        self.epochs_done += 1
        return Progress(epoch=self.epochs_done, epochs=self.settings.epochs, loss=sum(losses) / len(losses))

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs; a file half written never takes the name."""
        state = {
            "settings": asdict(self.settings),
            "epochs_done": self.epochs_done,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "global_generator": torch.get_rng_state(),
        }
        torch.save(state, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)

    def restore(self, path: Path) -> None:
        """Go on where the checkpoint was saved.

        Raises:
            ConfigurationError: the checkpoint was made with other settings.
        """
        state = torch.load(path, weights_only=True)
        if state["settings"] != asdict(self.settings):
            raise ConfigurationError(
                f"{path} was made with other settings; remove it or use the same settings"
            )
        self.epochs_done = state["epochs_done"]
        for part in ("network", "averaged", "optimizer", "schedule"):
            getattr(self, part).load_state_dict(state[part])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["global_generator"])

    def trained_network(self) -> ClassMapNetwork:
        """Return the averaged network, ready for use."""
        network = self.averaged.module
        assert isinstance(network, ClassMapNetwork)  # noqa: S101  # torch types it as any module
        return network.eval()

    def _steps_per_epoch(self) -> int:
        return math.ceil(len(self.material.images) / self.settings.batch_size)

    def _optimizer(self) -> torch.optim.Optimizer:
        self.network.freeze(self.settings.frozen_blocks)
        backbone = [
            parameter
            for name, parameter in self.network.named_parameters()
            if parameter.requires_grad and not name.startswith("classifier")
        ]
        groups = [
            {"params": backbone, "lr": self.settings.backbone_rate},
            {"params": list(self.network.classifier.parameters()), "lr": self.settings.classifier_rate},
        ]
        return torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay)

    def _step(self, chosen: Tensor) -> float:
        images, masks = augment(
            self.material.images[chosen].float() / 255,
            self.material.masks[chosen],
            self.settings.augmentation,
            self.generator,
        )
        targets = self.material.targets[chosen]
        # Half of the batches are mixed: boxes need images of their own.
        mixed = self.settings.mixup > 0 and torch.rand((), generator=self.generator) < 0.5
        if mixed:
            images, targets = self._mix(images, targets)
        logits, maps = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=self.material.positive_weights
        )
        if not mixed:
            loss = loss + self.settings.box_weight * pointing_loss(maps, masks)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # missing in the stubs
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return float(loss.detach())

    def _mix(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each image blended with another one, and the targets likewise (Zhang et al., ICLR 2018)."""
        seed = int(torch.randint(2**31, (), generator=self.generator))
        share = float(np.random.default_rng(seed).beta(self.settings.mixup, self.settings.mixup))
        partner = torch.randperm(len(images), generator=self.generator)
        return (
            share * images + (1 - share) * images[partner],
            share * targets + (1 - share) * targets[partner],
        )


def pointing_loss(maps: Tensor, masks: Tensor) -> Tensor:
    """Return how little of a class map's softmax lies in the boxes: 0 when all of it does.

    Maps (batch, findings, cells, cells) are compared within themselves, so that a box says where a finding is
    and not how likely; masks are (batch, findings, n, n), zero where nobody drew a box.
    """
    inside = functional.adaptive_avg_pool2d(masks, maps.shape[-1])
    boxed = inside.amax(dim=(2, 3)) > 0.25
    if not bool(boxed.any()):
        return maps.new_zeros(())
    shares = functional.softmax(maps[boxed].flatten(1), dim=1)
    covered = (shares * inside[boxed].flatten(1).clamp(max=1)).sum(dim=1)
    return -torch.log(covered.clamp(min=1e-4)).mean()


def predict(network: ClassMapNetwork, images: Tensor, *, batch_size: int = 64) -> NDArray[np.float32]:
    """Return the logits of 8-bit images, shape (images, findings)."""
    with torch.inference_mode():
        parts = [network(batch.float() / 255)[0] for batch in torch.split(images, batch_size)]
    logits: NDArray[np.float32] = torch.cat(parts).numpy()
    return logits


def train(run: Run, checkpoint: Path, report: Callable[[Progress], None]) -> ClassMapNetwork:
    """Return the trained network, having gone on from the checkpoint where there is one."""
    if checkpoint.is_file():
        run.restore(checkpoint)
    while run.epochs_done < run.settings.epochs:
        report(run.train_epoch())
        run.save(checkpoint)
    return run.trained_network()


def _rate(done: float, warm_up: float) -> float:
    """Return the share of the highest learning rate after this share of the steps: up, then a cosine down."""
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up))))
