"""The recipe of one network: settings and the loop, nothing hidden."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from monai.losses.dice import DiceLoss
from monai.utils.misc import set_determinism
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from overread.errors import ConfigurationError
from training.augmentation import Strength
from training.datasets import ANY, FINDINGS
from training.networks import HEADS, ChestNetwork, Reading, load_imagenet_weights
from training.targets import Blend
from training.views import UNCHANGED, Views

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Difference of one network of a fold from the next: networks that differ err less together."""

    frozen_blocks: int  # of 16, and the stem
    imitation_weight: float  # of the loss that imitates the other detector where it has read the image
    imitates: bool  # whether what is imitated counts in the answer, as much as what the labels taught


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides the result, together with the data and the versions of the libraries."""

    seed: int = 2026  # of the heads' first weights, the order of images and every change to them
    folds: int = 4  # of the patients; every network leaves out one
    networks: tuple[Kind, ...] = (  # of every fold
        Kind(frozen_blocks=2, imitation_weight=0.15, imitates=False),
        Kind(frozen_blocks=6, imitation_weight=0.5, imitates=True),
    )
    side: int = 224  # pixels; a multiple of 32
    views: int = 12  # of every radiograph, changed at random; each epoch shows one
    epochs: int = 14  # of every network
    batch_size: int = 32
    backbone_rate: float = 3e-4  # highest learning rate of the ImageNet layers
    head_rate: float = 1e-3  # highest learning rate of the new layers
    weight_decay: float = 0.02
    dropout: float = 0.2
    warm_up_share: float = 0.15  # of all steps
    averaging: float = 0.99  # decay per step of the averaged weights, which are the ones released
    mixup: float = 0.4  # both parameters of the beta distribution; 0 is none
    mixed_share: float = 0.75  # of the radiographs without places, which need an image of their own
    pooled_weight: float = 0.5  # of the loss of the strongest places
    place_weight: float = 0.5  # of the loss that draws the maps into the boxes
    blend: Blend = field(default_factory=Blend)
    augmentation: Strength = field(default_factory=Strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """State of a training after an epoch."""

    epoch: int  # counted from 1
    epochs: int
    loss: float  # mean over the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Material that one network learns from."""

    views: Views
    chosen: NDArray[np.intp]  # which radiographs of the views it may see
    targets: Tensor  # (radiographs of the views, findings) in [0, 1]
    reads: Tensor  # (radiographs of the views, findings), the other detector's log odds, standardised
    read: NDArray[np.bool_]  # (radiographs of the views), whether it has read them
    masks: Tensor  # (views, radiographs with places, findings, cells, cells)
    known: Tensor  # (radiographs with places, findings): 1 where the mask is to be believed
    placed: NDArray[np.intp]  # (radiographs of the views): its row in the masks; -1 where it has no places

    def on(self, device: torch.device) -> Self:
        """Return the same with what is small on a device; views stay on disk."""
        moved = {name: getattr(self, name).to(device) for name in ("targets", "reads", "masks", "known")}
        return replace(self, **moved)


class Run:
    """One training run: networks, optimiser and random generators; it can be resumed after any epoch."""

    def __init__(
        self,
        material: Material,
        settings: Settings,
        *,
        kind: Kind,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        set_determinism(seed)
        self.device = device
        self.material = material.on(device)
        self.settings, self.kind = settings, kind
        self.random = np.random.default_rng(seed)
        self.network = ChestNetwork(len(FINDINGS), dropout=settings.dropout, frozen_blocks=kind.frozen_blocks)
        load_imagenet_weights(self.network)
        self.network.to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        self.averaged = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]  # torch's
            use_buffers=True,
        )
        self.optimizer = self._optimizer()
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            [settings.backbone_rate, settings.head_rate],
            total_steps=settings.epochs * self._steps_per_epoch() + 1,
            pct_start=settings.warm_up_share,
        )
        self.epochs_done = 0

    def train_epoch(self) -> Progress:
        """Show the network one view of every radiograph."""
        self.network.learn()
        order = self.random.permutation(self.material.chosen)
        size = min(self.settings.batch_size, len(order))
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
            "random": self.random.bit_generator.state,
            "global_generator": torch.get_rng_state(),
            "device_generator": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        torch.save(state, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)

    def restore(self, path: Path) -> None:
        """Go on where the checkpoint was saved.

        Raises:
            ConfigurationError: the checkpoint was made with other settings.
        """
        state = torch.load(path, weights_only=True, map_location=CPU)
        if state["settings"] != asdict(self.settings):
            raise ConfigurationError(
                f"{path} was made with other settings; remove it or use the same settings"
            )
        self.epochs_done = state["epochs_done"]
        for part in ("network", "averaged", "optimizer", "schedule"):
            getattr(self, part).load_state_dict(state[part])
        self.random.bit_generator.state = state["random"]
        torch.set_rng_state(state["global_generator"])
        if self.device.type == "cuda" and state["device_generator"] is not None:
            torch.cuda.set_rng_state(state["device_generator"])

    def trained_network(self) -> ChestNetwork:
        """Return the averaged network, ready for use."""
        network = self.averaged.module
        assert isinstance(network, ChestNetwork)  # noqa: S101  # torch types it as any module
        network.eval().imitated_share.copy_(self._imitated_share(network))
        return network

    def _imitated_share(self, network: ChestNetwork) -> Tensor:
        """Return how much of what is imitated counts: as much as what was learnt from labels.

        Of any abnormality nothing: the other detector was not taught it.
        """
        network.imitated_share.zero_()
        if not (self.kind.imitates and self.material.read.any()):
            return network.imitated_share
        readings = predict(network, self.material.views, self.material.chosen)
        spread = torch.cat([reading.logits for reading in readings]).std(dim=0)
        share = spread / torch.cat([reading.imitated for reading in readings]).std(dim=0).clamp_min(1e-3)
        share[FINDINGS.index(ANY)] = 0
        return share

    def _steps_per_epoch(self) -> int:
        return max(1, len(self.material.chosen) // self.settings.batch_size)

    def _optimizer(self) -> torch.optim.Optimizer:
        self.network.learn()
        learning = [item for item in self.network.named_parameters() if item[1].requires_grad]
        backbone = [parameter for name, parameter in learning if not name.startswith(HEADS)]
        heads = [parameter for name, parameter in learning if name.startswith(HEADS)]
        return torch.optim.AdamW(
            [
                {"params": backbone, "lr": self.settings.backbone_rate},
                {"params": heads, "lr": self.settings.head_rate},
            ],
            weight_decay=self.settings.weight_decay,
        )

    def _step(self, chosen: NDArray[np.intp]) -> float:
        material = self.material
        views = self.random.integers(1, len(material.views.features), len(chosen))
        placed, read = material.placed[chosen], material.read[chosen]
        features = material.views.batch(views, chosen).to(self.device)
        mixed = mix(material, features, chosen, self.settings, self.random)
        reading = self.network.tail(mixed.features.contiguous(memory_format=torch.channels_last))
        loss = image_loss(reading, mixed.targets, self.settings)
        if read.any():
            away = (reading.imitated - mixed.reads)[torch.from_numpy(read)]
            loss = loss + self.kind.imitation_weight * away.square().mean() * float(read.mean())
        if (placed >= 0).any():
            drawn = torch.from_numpy(placed[placed >= 0])
            masks = material.masks[torch.from_numpy(views[placed >= 0]), drawn].float()
            lost = place_loss(reading.maps[torch.from_numpy(placed >= 0)], masks, material.known[drawn])
            loss = loss + self.settings.place_weight * lost / len(chosen)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # missing in the stubs
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return float(loss.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A batch of radiographs, each blended with another."""

    features: Tensor
    targets: Tensor
    reads: Tensor


def mix(
    material: Material,
    features: Tensor,
    chosen: NDArray[np.intp],
    settings: Settings,
    random: np.random.Generator,
) -> Mixed:
    """Return radiographs blended with others, and what is to be said of them likewise.

    This is mixup (Zhang et al., ICLR 2018), and manifold mixup (Verma et al., ICML 2019) at one layer. A
    radiograph that the other detector has read is blended with another that it has.
    """
    count, mixup = len(features), settings.mixup
    shares = random.beta(mixup, mixup, count) if mixup else np.ones(count)
    alone = (material.placed[chosen] >= 0) | (random.random(count) >= settings.mixed_share)
    kept = torch.from_numpy(np.where(alone, 1.0, np.maximum(shares, 1 - shares))).float().to(features.device)
    partner = np.arange(count)
    for group in (material.read[chosen], ~material.read[chosen]):
        partner[group] = random.permutation(partner[group])
    others, at = torch.from_numpy(partner), torch.from_numpy(chosen)

    def blend(values: Tensor) -> Tensor:
        share = kept.view(-1, *[1] * (values.ndim - 1))
        return share * values + (1 - share) * values[others]

    return Mixed(
        features=blend(features), targets=blend(material.targets[at]), reads=blend(material.reads[at])
    )


_DICE = DiceLoss(sigmoid=True, squared_pred=True, smooth_nr=1.0, smooth_dr=1.0, reduction="none")


def image_loss(reading: Reading, targets: Tensor, settings: Settings) -> Tensor:
    """Return how far both heads are from the targets."""
    entropy = functional.binary_cross_entropy_with_logits
    return entropy(reading.logits, targets) + settings.pooled_weight * entropy(reading.pooled, targets)


def place_loss(maps: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Return how far maps are from the masks, summed over radiographs and findings that are known.

    Cross-entropy of every cell, and, where something is drawn, one minus the overlap (Dice).
    """
    entropy = functional.binary_cross_entropy_with_logits(maps, masks, reduction="none").mean(dim=(2, 3))
    missed = _DICE(maps, masks).flatten(1)
    drawn = (masks.amax(dim=(2, 3)) > 0.3).float()  # a box may have left the view
    lost: Tensor = ((entropy + missed * drawn) * known).sum()
    return lost


def predict(
    network: ChestNetwork, views: Views, radiographs: NDArray[np.intp], *, view: int = UNCHANGED
) -> list[Reading]:
    """Return what the network says of one view of radiographs, in batches, on the CPU."""
    readings, device = [], next(network.parameters()).device
    with torch.inference_mode():
        for batch in np.array_split(radiographs, math.ceil(len(radiographs) / 32)):
            features = views.batch(np.full(len(batch), view, np.intp), batch).to(device)
            said = network.tail(features.contiguous(memory_format=torch.channels_last))
            readings.append(Reading(*(part.cpu() for part in said)))
    return readings


def train(run: Run, checkpoint: Path, report: Callable[[Progress], None]) -> ChestNetwork:
    """Return the trained network, having gone on from the checkpoint where there is one.

    It stays on the run's device.
    """
    if checkpoint.is_file():
        run.restore(checkpoint)
    while run.epochs_done < run.settings.epochs:
        report(run.train_epoch())
        run.save(checkpoint)
    return run.trained_network()
