"""Teachers that each leave out one part of the patients, and the networks that learn from them too.

What a teacher says of patients that it was not trained on is honest: it corrects mined labels (distillation,
Hinton et al. 2015), and it calibrates the networks that are released, which are made by the same recipe.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Queue

import numpy as np
import torch
from numpy.typing import NDArray

from overread.errors import ConfigurationError
from training.allocator import keep_freed_memory
from training.datasets import FINDINGS, Radiograph
from training.networks import ChestNetwork, load_imagenet_weights
from training.recipe import Material, Progress, Run, Settings, predict, train
from training.split import assign_parts
from training.targets import box_masks, places_known, soft_targets, standard_reads
from training.views import MIRRORED, UNCHANGED, Plan, Views, make_views

_LISTEN_SECONDS = 1.0
MASK_CELLS = 64  # resolution at which boxes are moved with the image before the network's grid takes over

Report = Callable[[str, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where training keeps what it has done, with how many threads it works, and on what."""

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
    """What teachers say of training patients that they were not trained on."""

    asked: NDArray[np.intp]  # the radiographs that a teacher left out, and read
    logits: NDArray[np.float32]  # (all radiographs, findings), seen both ways round; NaN where not asked
    placed: NDArray[np.intp]  # the radiographs with boxes or experts, rows of `maps`
    maps: NDArray[np.float32]  # (placed, findings, cells, cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The trained networks and what their teachers said."""

    networks: tuple[ChestNetwork, ...]  # alike up to the end of the trunk
    views: Views  # of the training radiographs
    unseen: Unseen


def teach(radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report) -> Taught:
    """Return the networks, taught by teachers; goes on with whatever the folder holds already."""
    unseen = ask_teachers(radiographs, settings, place, report)
    pupils = _lessons(radiographs, settings, place)[settings.teachers :]
    _side_by_side(pupils, place.threads, report)
    networks = tuple(_load_network(lesson) for lesson in pupils)
    return Taught(networks=networks, views=open_views(radiographs, settings, place.folder), unseen=unseen)


def ask_teachers(
    radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report
) -> Unseen:
    """Return what the teachers say; goes on with whatever the folder holds already."""
    keep_freed_memory()
    torch.set_num_threads(place.threads)
    place.folder.mkdir(parents=True, exist_ok=True)
    open_views(radiographs, settings, place.folder, place.device)  # once, with all threads, for everybody
    teachers = _lessons(radiographs, settings, place)[: settings.teachers]
    _side_by_side(teachers, place.threads, report)
    return _gather(teachers, radiographs)


def _lessons(radiographs: Sequence[Radiograph], settings: Settings, place: Workplace) -> "list[_Lesson]":
    """Return the lessons of the teachers and, after them, those of the networks that are released."""
    return [
        _Lesson(
            radiographs=tuple(radiographs),
            settings=settings,
            folder=place.folder,
            device=place.device,
            number=number,
        )
        for number in range(settings.teachers + settings.networks)
    ]


def _results_folder(radiographs: Sequence[Radiograph], settings: Settings, folder: Path) -> Path:
    """Return the folder of what these settings made of these radiographs, so that no other run finds it."""
    key = hashlib.sha256(repr((settings, [found.name for found in radiographs])).encode()).hexdigest()
    results = folder / key[:16]
    results.mkdir(parents=True, exist_ok=True)
    return results


def open_views(
    radiographs: Sequence[Radiograph], settings: Settings, folder: Path, device: str = "cpu"
) -> Views:
    """Return the views of the radiographs, found in the folder or made on the device."""
    network = ChestNetwork(len(FINDINGS), dropout=0.0, frozen_blocks=settings.frozen_blocks)
    load_imagenet_weights(network)
    network.to(torch.device(device))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    plan = Plan(side=settings.side, count=settings.views, strength=settings.augmentation, seed=settings.seed)
    return make_views(radiographs, network, plan, folder)


def prepare(
    radiographs: Sequence[Radiograph],
    settings: Settings,
    views: Views,
    *,
    teachers: NDArray[np.floating] | None,
    left_out: int | None,
) -> Material:
    """Return what a network learns from; one part of the patients may be left out."""
    parts = assign_parts(radiographs, settings.parts)
    chosen = np.flatnonzero(parts != left_out) if left_out is not None else np.arange(len(radiographs))
    placed = placed_radiographs(radiographs)
    rows = np.full(len(radiographs), -1, np.intp)
    rows[placed] = np.arange(len(placed))
    marked = [radiographs[int(at)] for at in placed]
    seen = [radiographs[int(at)] for at in chosen]
    targets = np.zeros((len(radiographs), len(FINDINGS)), np.float32)
    targets[chosen] = soft_targets(seen, settings.blend, None if teachers is None else teachers[chosen])
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
    """What one network has to learn, sent to a process of its own."""

    radiographs: tuple[Radiograph, ...]
    settings: Settings
    folder: Path
    device: str
    number: int  # teachers come first

    @property
    def is_teacher(self) -> bool:
        """Whether it leaves out the part of the patients that has its number."""
        return self.number < self.settings.teachers

    @property
    def name(self) -> str:
        """What to call it before a person."""
        teachers, networks = self.settings.teachers, self.settings.networks
        if self.is_teacher:
            return f"teacher {self.number + 1} of {teachers}"
        return f"network {self.number - teachers + 1} of {networks}"

    @property
    def seed(self) -> int:
        """Of its first weights and of the order of what it sees."""
        return self.settings.seed + (1 + self.number if self.is_teacher else -self.number)

    @property
    def answers(self) -> Path:
        """Where a teacher's answers go, or a pupil's weights."""
        results = _results_folder(self.radiographs, self.settings, self.folder)
        return results / f"{self.name.replace(' ', '-')}.{'npz' if self.is_teacher else 'pt'}"


def _side_by_side(lessons: Sequence[_Lesson], threads: int, report: Report) -> None:
    """Train those without answers, each in a process of one thread: two on two cores beat one on both."""
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(threads, mp_context=context) as pool:
        told = manager.Queue()
        running = {pool.submit(_learn, lesson, told) for lesson in lessons if not lesson.answers.is_file()}
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
    views = open_views(lesson.radiographs, lesson.settings, lesson.folder)
    material = prepare(
        lesson.radiographs,
        lesson.settings,
        views,
        teachers=None if lesson.is_teacher else _heard(lesson),
        left_out=lesson.number if lesson.is_teacher else None,
    )
    device = torch.device(lesson.device)
    run = Run(material, lesson.settings, epochs=lesson.settings.epochs, seed=lesson.seed, device=device)
    checkpoint = lesson.answers.with_suffix(".checkpoint")
    network = train(run, checkpoint, lambda progress: told.put((lesson.name, progress)))
    partial = lesson.answers.with_name(f"partial-{lesson.answers.name}")
    if lesson.is_teacher:
        _write_answers(network, material, partial)
    else:
        torch.save(network.cpu().state_dict(), partial)
    partial.replace(lesson.answers)
    checkpoint.unlink()


def _heard(lesson: _Lesson) -> NDArray[np.float32]:
    """Return what teachers say of the patients that they left out."""
    teachers = [replace(lesson, number=number) for number in range(lesson.settings.teachers)]
    return _gather(teachers, lesson.radiographs).logits


def _write_answers(network: ChestNetwork, material: Material, path: Path) -> None:
    """Write what a teacher says of the patients that it was not trained on."""
    held = np.setdiff1d(np.arange(len(material.placed)), material.chosen)
    placed = np.flatnonzero(material.placed[held] >= 0)
    plain, mirrored = (predict(network, material.views, held, view=view) for view in (UNCHANGED, MIRRORED))
    logits = [torch.cat([reading.logits for reading in readings]) for readings in (plain, mirrored)]
    maps = [torch.cat([reading.maps for reading in readings])[placed] for readings in (plain, mirrored)]
    np.savez(
        path,
        held=held,
        logits=((logits[0] + logits[1]) / 2).numpy(),
        placed=held[placed],
        maps=((maps[0] + maps[1].flip(3)) / 2).numpy(),
    )


def _load_network(lesson: _Lesson) -> ChestNetwork:
    settings = lesson.settings
    network = ChestNetwork(len(FINDINGS), dropout=settings.dropout, frozen_blocks=settings.frozen_blocks)
    network.load_state_dict(torch.load(lesson.answers, weights_only=True))
    return network.eval()


def _gather(lessons: Sequence[_Lesson], radiographs: Sequence[Radiograph]) -> Unseen:
    """Return every teacher's answers on the patients that it left out, in the order of the radiographs."""
    logits = np.full((len(radiographs), len(FINDINGS)), np.nan, np.float32)
    placed, maps = [], []
    for lesson in lessons:
        with np.load(lesson.answers) as answers:
            logits[answers["held"]] = answers["logits"]
            placed.append(answers["placed"])
            maps.append(answers["maps"])
    return Unseen(
        asked=np.flatnonzero(np.isfinite(logits).all(axis=1)),
        logits=logits,
        placed=np.concatenate(placed),
        maps=np.concatenate(maps),
    )
