"""Teachers that each leave out one part of the patients, and the network that learns from them too.

What a teacher says of patients that it was not trained on is honest: it corrects mined labels (distillation,
Hinton et al. 2015), and it calibrates the network that is released, which is made by the same recipe.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.allocator import keep_freed_memory
from training.datasets import FINDINGS, Radiograph
from training.networks import ChestNetwork, load_imagenet_weights
from training.recipe import Material, Progress, Run, Settings, predict, train
from training.split import assign_parts
from training.targets import box_masks, places_known, soft_targets
from training.views import MIRRORED, UNCHANGED, Plan, Views, make_views

MASK_CELLS = 64  # resolution at which boxes are moved with the image before the network's grid takes over

Report = Callable[[str, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where training keeps what it has done, and with how many threads it works."""

    folder: Path
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What teachers say of training patients that they were not trained on."""

    asked: NDArray[np.intp]  # the radiographs that a teacher left out, and read
    logits: NDArray[np.float32]  # (all radiographs, findings), of the unchanged view; NaN where not asked
    mirrored: NDArray[np.float32]  # the same of the mirrored view
    placed: NDArray[np.intp]  # the radiographs with boxes or experts, rows of `maps`
    maps: NDArray[np.float32]  # (placed, findings, cells, cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The trained network and what its teachers said."""

    network: ChestNetwork
    views: Views  # of the training radiographs
    unseen: Unseen


def teach(radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report) -> Taught:
    """Return the network, taught by teachers; goes on with whatever the folder holds already."""
    keep_freed_memory()
    torch.set_num_threads(place.threads)
    results = _results_folder(radiographs, settings, place.folder)
    views = open_views(radiographs, settings, place.folder)
    unseen = _ask_teachers(radiographs, settings, place, report)
    material = prepare(
        radiographs, settings, views, teachers=(unseen.logits + unseen.mirrored) / 2, left_out=None
    )
    run = Run(material, settings, epochs=settings.epochs, seed=settings.seed)
    network = train(run, results / "network.checkpoint", lambda done: report("network", done))
    return Taught(network=network, views=views, unseen=unseen)


def _results_folder(radiographs: Sequence[Radiograph], settings: Settings, folder: Path) -> Path:
    """Return the folder of what these settings made of these radiographs, so that no other run finds it."""
    key = hashlib.sha256(repr((settings, [found.name for found in radiographs])).encode()).hexdigest()
    results = folder / key[:16]
    results.mkdir(parents=True, exist_ok=True)
    return results


def open_views(radiographs: Sequence[Radiograph], settings: Settings, folder: Path) -> Views:
    """Return the views of the radiographs, made or found in the folder."""
    network = ChestNetwork(len(FINDINGS), dropout=0.0, frozen_blocks=settings.frozen_blocks)
    load_imagenet_weights(network)
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
    targets = np.zeros((len(radiographs), len(FINDINGS)), np.float32)
    targets[chosen] = soft_targets(
        [radiographs[int(at)] for at in chosen],
        settings.blend,
        None if teachers is None else teachers[chosen],
    )
    return Material(
        views=views,
        chosen=chosen,
        targets=torch.from_numpy(targets),
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
    """One teacher's work, sent to a process of its own."""

    radiographs: tuple[Radiograph, ...]
    settings: Settings
    folder: Path
    left_out: int

    @property
    def answers(self) -> Path:
        """Where it is written what this teacher says."""
        results = _results_folder(self.radiographs, self.settings, self.folder)
        return results / f"teacher-{self.left_out}.npz"


def _ask_teachers(
    radiographs: Sequence[Radiograph], settings: Settings, place: Workplace, report: Report
) -> Unseen:
    """Train the teachers side by side, each on one thread: two on two cores are faster than one on both."""
    lessons = [
        _Lesson(radiographs=tuple(radiographs), settings=settings, folder=place.folder, left_out=part)
        for part in range(settings.teachers)
    ]
    missing = [lesson for lesson in lessons if not lesson.answers.is_file()]
    with ProcessPoolExecutor(max_workers=place.threads, mp_context=get_context("spawn")) as pool:
        for lesson, done in zip(missing, pool.map(_teach_one, missing), strict=True):
            report(f"teacher {lesson.left_out + 1} of {settings.teachers}", done)
    return _gather(lessons, radiographs)


def _teach_one(lesson: _Lesson) -> Progress:
    """Train one teacher and write what it says of the patients that it was not trained on."""
    keep_freed_memory()
    torch.set_num_threads(1)
    settings = lesson.settings
    views = open_views(lesson.radiographs, settings, lesson.folder)
    material = prepare(lesson.radiographs, settings, views, teachers=None, left_out=lesson.left_out)
    run = Run(material, settings, epochs=settings.epochs, seed=settings.seed + 1 + lesson.left_out)
    done = Progress(epoch=run.epochs, epochs=run.epochs, loss=float("nan"))

    def note(progress: Progress) -> None:
        nonlocal done
        done = progress

    checkpoint = lesson.answers.with_suffix(".checkpoint")
    network = train(run, checkpoint, note)
    held = np.setdiff1d(np.arange(len(lesson.radiographs)), material.chosen)
    placed = np.flatnonzero(material.placed[held] >= 0)
    plain = predict(network, views, held, view=UNCHANGED)
    mirrored = predict(network, views, held, view=MIRRORED)
    partial = lesson.answers.with_suffix(".partial.npz")
    np.savez(
        partial,
        held=held,
        logits=torch.cat([reading.logits for reading in plain]).numpy(),
        mirrored=torch.cat([reading.logits for reading in mirrored]).numpy(),
        placed=held[placed],
        maps=torch.cat([reading.maps for reading in plain]).numpy()[placed],
    )
    partial.replace(lesson.answers)
    checkpoint.unlink()
    return done


def _gather(lessons: Sequence[_Lesson], radiographs: Sequence[Radiograph]) -> Unseen:
    """Return every teacher's answers on the patients that it left out, in the order of the radiographs."""
    logits = np.full((len(radiographs), len(FINDINGS)), np.nan, np.float32)
    mirrored = np.full_like(logits, np.nan)
    placed, maps = [], []
    for lesson in lessons:
        with np.load(lesson.answers) as answers:
            logits[answers["held"]] = answers["logits"]
            mirrored[answers["held"]] = answers["mirrored"]
            placed.append(answers["placed"])
            maps.append(answers["maps"])
    return Unseen(
        asked=np.flatnonzero(np.isfinite(logits).all(axis=1)),
        logits=logits,
        mirrored=mirrored,
        placed=np.concatenate(placed),
        maps=np.concatenate(maps),
    )
