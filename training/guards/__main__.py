"""Trains the input guard of chest radiograph models, measures it and writes weights and card.

    python -m training.guards --data PATH [--others FOLDER] [--out models/data] [--folds 5]

PATH holds `nih/` (NIH ChestX-ray14) and, for another population, `kermany/`. Up to five guards are trained,
each without a fifth of the patients and objects, and measured on what it did not see. The first is the one
that is written; the figures of the others are pooled. A minute of CPU time each, and two to read radiographs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.guards import Guard
from overread.errors import ConfigurationError
from training.guards.card import Result, write_card
from training.guards.fitting import Settings, fit
from training.guards.measuring import Figure, border_effect, measure, pooled
from training.guards.pictures import (
    Picture,
    chests,
    is_of_fold,
    kermany_paths,
    nih_paths,
    objects,
    strangers,
)
from training.guards.synthetic import draw_pictures, from_chests
from training.guards.weights import save_guard

FOLDS = 5
SEED = 1  # of what is drawn; what is measured on is drawn with the next ones
CHILDREN = 1200  # paediatric radiographs that are learnt from
DRAWN = 150  # made pictures of each kind that are learnt from; a quarter as many are measured on
OBJECT_WEIGHT = 8  # times that each real foreign object counts: there are few
BORDERED = 100  # radiographs that get a border made, to see what it does


def main() -> int:
    """Train, measure, write and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("OVERREAD_DATA"), help="default: $OVERREAD_DATA")
    parser.add_argument("--others", type=Path, help="pictures that are no radiographs, only to measure on")
    parser.add_argument("--out", type=Path, default=Path("models/data"), help="default: models/data")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1), help="to measure")
    arguments = parser.parse_args()
    if arguments.data is None:
        raise ConfigurationError("say where the radiographs are, with --data or OVERREAD_DATA")
    result = _train(Path(arguments.data), arguments)
    (arguments.out / "frontal-chest.md").write_text(write_card(result), encoding="utf-8")
    sys.stdout.write(write_card(result))
    return 0


def _train(data: Path, arguments: argparse.Namespace) -> Result:
    settings = Settings()
    paths = nih_paths(data)
    material = Material(
        adults=chests(paths, source="NIH"),
        children=chests(_sample(kermany_paths(data, "train")), source="Kermany"),
        objects=objects(),
    )
    guard, released = train_fold(material, 0, settings)
    save_guard(guard, arguments.out / "frontal-chest.npz")
    further = [train_fold(material, fold, settings)[1] for fold in range(1, arguments.folds)]
    unseen = chests(kermany_paths(data, "test"), source="Kermany")
    chosen = [path for _, path in paths if is_of_fold(path.stem, 0, folds=max(1, len(paths) // BORDERED))]
    return Result(
        settings=settings,
        learnt=(len(_split(material.adults, 0)[0]), len(material.children)),
        released=released,
        folds=len(further),
        pooled=pooled(further),
        elsewhere=measure(guard, unseen, strangers(arguments.others) if arguments.others else []),
        border=border_effect(chosen, seed=SEED),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Images that guards are trained and measured on."""

    adults: list[Picture]
    children: list[Picture]  # only learnt from
    objects: list[Picture]  # real foreign images


def train_fold(material: Material, fold: int, settings: Settings) -> tuple[Guard, list[Figure]]:
    """Return the guard that did not see one fold, and its figures on that fold."""
    learnt, kept = _split(material.adults, fold)
    learnt_objects, kept_objects = _split(material.objects, fold)
    good = learnt + material.children
    bad = draw_pictures(DRAWN, seed=SEED) + from_chests(good, seed=SEED) + learnt_objects * OBJECT_WEIGHT
    guard = fit(good, bad, settings)
    fresh = draw_pictures(DRAWN // 4, seed=SEED + 1 + fold) + from_chests(kept, seed=SEED + 1)
    sys.stderr.write(f"fold {fold + 1} of {FOLDS}\n")
    return guard, measure(guard, kept, fresh + kept_objects)


def _split(pictures: Sequence[Picture], fold: int) -> tuple[list[Picture], list[Picture]]:
    """Return what is learnt from and what is kept apart; a group is on one side."""
    kept = [is_of_fold(picture.group, fold, folds=FOLDS) for picture in pictures]
    return (
        [picture for picture, apart in zip(pictures, kept, strict=True) if not apart],
        [picture for picture, apart in zip(pictures, kept, strict=True) if apart],
    )


def _sample(paths: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    if len(paths) <= CHILDREN:
        return paths
    chosen = np.random.default_rng(0).choice(len(paths), CHILDREN, replace=False)
    return [paths[at] for at in sorted(chosen)]


if __name__ == "__main__":
    sys.exit(main())
