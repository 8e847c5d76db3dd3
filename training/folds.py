"""Networks that each leave out one fold of the patients; together they are what is released.

Every patient is read by the networks that were not trained on them, which is what the card states, and what
calibrates; and every patient is learnt from, by all the others.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.onnx_export import round_weights
from overread.errors import ConfigurationError
from training.allocator import keep_freed_memory
from training.datasets import FINDINGS, Radiograph
from training.networks import ChestNetwork, load_imagenet_weights
from training.recipe import Kind, Material, Progress, Run, Settings, predict, train
from training.split import assign_folds
from training.targets import box_masks, places_known, soft_targets, standard_reads
from training.views import MIRRORED, UNCHANGED, Plan, Views, make_views

_LISTEN_SECONDS = 1.0
MASK_CELLS = 64  # resolution at which boxes are moved with the image before the network's grid takes over

Report = Callable[[str, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Folder, number of threads and device of a training."""

    folder: Path
    threads: int
    device: str = "cpu"  # as torch names it


def choose_device(asked: str | None) -> str:
    """Return what to train on: what is asked for, else a GPU where there is one.

    Raises:
        ConfigurationError: a GPU is asked for, and torch finds none.
    """
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise ConfigurationError("torch finds no CUDA device; leave --device out to train on the CPU")
    return asked or ("cuda" if found else "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Answers of networks on patients they were not trained on, each seeing the image both ways round."""

    asked: NDArray[np.intp]  # the radiographs whose fold has been read
    logits: NDArray[np.float32]  # (networks of a fold, all radiographs, findings); NaN where not asked
    placed: NDArray[np.intp]  # the radiographs with boxes or experts, rows of `maps`
    maps: NDArray[np.float32]  # (placed, findings, cells, cells), the mean over the networks

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean of the networks of each radiograph's fold, (all radiographs, findings)."""
        together: NDArray[np.float32] = self.logits.mean(axis=0)
        return together


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The networks and what they said of those they left out."""

    networks: tuple[ChestNetwork, ...]  # alike up to the end of the shallowest trunk
    views: Views  # of all radiographs, after the deepest trunk
    unseen: Unseen


def train_folds(
    radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report
) -> Trained:
    """Return the networks of all folds; goes on with whatever the folder holds already."""
    unseen = read_folds(radiographs, settings, place, report, folds=settings.folds)
    return Trained(
        networks=tuple(_load_network(lesson) for lesson in _lessons(radiographs, settings, place)),
        views=open_views(
            radiographs,
            settings,
            place.folder,
            frozen_blocks=max(kind.frozen_blocks for kind in settings.networks),
        ),
        unseen=unseen,
    )


def read_folds(
    radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report, *, folds: int
) -> Unseen:
    """Return what the networks of the first so many folds say of the patients that they left out."""
    keep_freed_memory()
    torch.set_num_threads(place.threads)
    place.folder.mkdir(parents=True, exist_ok=True)
    for depth in sorted(
        {kind.frozen_blocks for kind in settings.networks}
    ):  # once, with all threads, for everybody
        open_views(radiographs, settings, place.folder, frozen_blocks=depth, device=place.device)
    lessons = [lesson for lesson in _lessons(radiographs, settings, place) if lesson.fold < folds]
    _side_by_side(lessons, place.threads, report)
    return _gather(lessons, radiographs)


def open_views(
    radiographs: Sequence[Radiograph],
    settings: Settings,
    folder: Path,
    *,
    frozen_blocks: int,
    device: str = "cpu",
) -> Views:
    """Return the views of the radiographs after so many blocks, found in the folder or made on the device."""
    network = ChestNetwork(len(FINDINGS), dropout=0.0, frozen_blocks=frozen_blocks)
    load_imagenet_weights(network)
    network.to(torch.device(device))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    plan = Plan(side=settings.side, count=settings.views, strength=settings.augmentation, seed=settings.seed)
    return make_views(radiographs, network, plan, folder)


def prepare(
    radiographs: Sequence[Radiograph], settings: Settings, views: Views, *, left_out: int | None
) -> Material:
    """Return what a network learns from; one fold of the patients may be left out."""
    folds = assign_folds(radiographs, settings.folds)
    chosen = np.flatnonzero(folds != left_out) if left_out is not None else np.arange(len(radiographs))
    placed = placed_radiographs(radiographs)
    rows = np.full(len(radiographs), -1, np.intp)
    rows[placed] = np.arange(len(placed))
    marked = [radiographs[int(at)] for at in placed]
    seen = [radiographs[int(at)] for at in chosen]
    targets = np.zeros((len(radiographs), len(FINDINGS)), np.float32)
    targets[chosen] = soft_targets(seen, settings.blend)
    reads, read = np.zeros_like(targets), np.zeros(len(radiographs), bool)
    reads[chosen], read[chosen] = standard_reads(seen)
    return Material(
        views=views,
        chosen=chosen,
        targets=torch.from_numpy(targets),
        reads=torch.from_numpy(reads),
        read=read,
        masks=views.masks(box_masks(marked, cells=MASK_CELLS), placed, cells=settings.side // 16),
        known=places_known(marked),
        placed=rows,
    )


def placed_radiographs(radiographs: Sequence[Radiograph]) -> NDArray[np.intp]:
    """Return the indices of the radiographs on which people have marked places, or looked for them."""
    marked = [bool(found.boxes) or found.expert is not None for found in radiographs]
    return np.flatnonzero(marked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """Task of one network, sent to a process of its own."""

    radiographs: tuple[Radiograph, ...]
    settings: Settings
    folder: Path
    device: str
    fold: int  # that it leaves out
    number: int  # of the networks of its fold

    @property
    def kind(self) -> Kind:
        """Kind of the network within its fold."""
        return self.settings.networks[self.number]

    @property
    def name(self) -> str:
        """Name for a person to read."""
        networks = len(self.settings.networks)
        which = f", network {self.number + 1} of {networks}" if networks > 1 else ""
        return f"fold {self.fold + 1} of {self.settings.folds}{which}"

    @property
    def seed(self) -> int:
        """Of its first weights and of the order of what it sees."""
        return self.settings.seed + 1 + self.fold + self.number * self.settings.folds

    @property
    def alone(self) -> Settings:
        """The settings as far as they concern this network."""
        return replace(self.settings, networks=(self.kind,))

    @property
    def result(self) -> Path:
        """Path of its weights and its answers.

        The name tells the settings and the radiographs, so that no other run finds it, but not how many
        networks a fold has: another one is added to those that are there.
        """
        names = [found.name for found in self.radiographs]
        key = hashlib.sha256(repr((self.alone, names)).encode()).hexdigest()[:16]
        return self.folder / f"{key}-fold-{self.fold}-network-{self.number}.pt"


def _lessons(radiographs: Sequence[Radiograph], settings: Settings, place: Workplace) -> list[_Lesson]:
    """Return the lessons of the first network of every fold, then those of the second, and so on."""
    return [
        _Lesson(
            radiographs=tuple(radiographs),
            settings=settings,
            folder=place.folder,
            device=place.device,
            fold=fold,
            number=number,
        )
        for number in range(len(settings.networks))
        for fold in range(settings.folds)
    ]


def _side_by_side(lessons: Sequence[_Lesson], threads: int, report: Report) -> None:
    """Train those without a result, each in a process of one thread: two on two cores beat one on both."""
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(threads, mp_context=context) as pool:
        told = manager.Queue()
        running = {pool.submit(_learn, lesson, told) for lesson in lessons if not lesson.result.is_file()}
        while running or not told.empty():
            done, running = wait(running, timeout=_LISTEN_SECONDS)
            while not told.empty():
                report(*told.get())
            for lesson in done:
                lesson.result()  # raises what went wrong in it


def _learn(lesson: _Lesson, told: "Queue[tuple[str, Progress]]") -> None:
    """Train one network and write what is to be kept of it."""
    keep_freed_memory()
    torch.set_num_threads(1)
    kind = lesson.kind
    views = open_views(lesson.radiographs, lesson.settings, lesson.folder, frozen_blocks=kind.frozen_blocks)
    material = prepare(lesson.radiographs, lesson.settings, views, left_out=lesson.fold)
    device = torch.device(lesson.device)
    run = Run(material, lesson.alone, kind=kind, seed=lesson.seed, device=device)
    checkpoint = lesson.result.with_suffix(".checkpoint")
    network = train(run, checkpoint, lambda progress: told.put((lesson.name, progress)))
    round_weights(network)  # before it is asked: what is measured is what is released
    partial = lesson.result.with_suffix(".partial")
    torch.save({**_answers(network, material), "network": network.cpu().state_dict()}, partial)
    partial.replace(lesson.result)
    checkpoint.unlink()


def _answers(network: ChestNetwork, material: Material) -> dict[str, torch.Tensor]:
    """Return what a network says of the patients that it was not trained on."""
    held = np.setdiff1d(np.arange(len(material.placed)), material.chosen)
    placed = np.flatnonzero(material.placed[held] >= 0)
    plain, mirrored = (predict(network, material.views, held, view=view) for view in (UNCHANGED, MIRRORED))
    logits = [torch.cat([reading.logits for reading in readings]) for readings in (plain, mirrored)]
    maps = [torch.cat([reading.maps for reading in readings])[placed] for readings in (plain, mirrored)]
    return {
        "held": torch.from_numpy(held),
        "logits": (logits[0] + logits[1]) / 2,
        "placed": torch.from_numpy(held[placed]),
        "maps": (maps[0] + maps[1].flip(3)) / 2,
    }


def _load_network(lesson: _Lesson) -> ChestNetwork:
    network = ChestNetwork(
        len(FINDINGS), dropout=lesson.settings.dropout, frozen_blocks=lesson.kind.frozen_blocks
    )
    network.load_state_dict(_load(lesson)["network"])
    return network.eval()


def _load(lesson: _Lesson) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(lesson.result, weights_only=True)
    return found


def _gather(lessons: Sequence[_Lesson], radiographs: Sequence[Radiograph]) -> Unseen:
    """Return the answers of all networks on the patients that they left out, in the order of radiographs."""
    networks = 1 + max(lesson.number for lesson in lessons)
    logits = np.full((networks, len(radiographs), len(FINDINGS)), np.nan, np.float32)
    maps: dict[int, list[NDArray[np.float32]]] = {}
    for lesson in lessons:
        found = _load(lesson)
        logits[lesson.number, found["held"].numpy()] = found["logits"].numpy()
        for at, said in zip(found["placed"].tolist(), found["maps"].numpy(), strict=True):
            maps.setdefault(at, []).append(said)
    placed = sorted(maps)
    return Unseen(
        asked=np.flatnonzero(np.isfinite(logits).all(axis=(0, 2))),
        logits=logits,
        placed=np.array(placed, np.intp),
        maps=np.array([np.mean(maps[at], axis=0) for at in placed], np.float32),
    )
