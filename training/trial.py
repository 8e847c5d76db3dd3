"""Effect of a change of the recipe, on patients that were left out.

    python -m training.trial --data PATH --work FOLDER imitation_weight=0

Trains the networks of the recipe, and again with each change, and prints the mean AUC over 13 findings on the
patients that each had left out, pooled, and the difference from the recipe in pairs; intervals over
patients. Settings are the numbers of `training.recipe.Settings`, and of `Kind`, for all networks of a fold; a
comma joins several into one change; 0 and 1 stand for no and yes. Two folds take about half an hour on two
CPU cores. FOLDER keeps what is done, so that a trial goes on where it stopped.

Every patient is in the folds by which the release is measured. Whoever chooses by a trial of all folds says
so beside the figure; a trial of some leaves the others unlooked at.

Runs of one recipe that differ only in their random numbers differ, too: `seed=1` shows by how much.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.errors import ConfigurationError, OverreadError
from training.datasets import ANY, FINDINGS, Radiograph, read_nih
from training.figures import MEAN_OVER
from training.folds import Workplace, choose_device, read_folds
from training.metrics import auc_estimate, auc_gain_estimate, mean_auc_estimate
from training.recipe import Kind, Progress, Settings
from training.targets import label_matrix

READERS: Mapping[Any, Callable[[str], int | float | bool]] = {
    int: int,
    float: float,
    bool: lambda value: bool(int(value)),
}


def main() -> None:
    """Train, compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("OVERREAD_DATA"))
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps views and answers")
    every = range(1, Settings().folds + 1)
    parser.add_argument("--folds", type=int, default=Settings().folds, choices=every, help="default: all")
    parser.add_argument("--threads", type=int, default=2, help="and networks trained at a time (default: 2)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="to train on (default: a GPU where there is one)"
    )
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE[,NAME=VALUE...]")
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("say where the radiographs are, with --data or OVERREAD_DATA")
    try:
        compare(arguments)
    except OverreadError as error:
        sys.exit(str(error))


def compare(arguments: argparse.Namespace) -> None:
    """Train and print the recipe, then every change."""
    settings = Settings()
    changed = {change: change_settings(settings, change) for change in arguments.changes}
    radiographs = read_nih(Path(arguments.data) / "nih")
    place = Workplace(
        folder=arguments.work, threads=arguments.threads, device=choose_device(arguments.device)
    )
    recipe: NDArray[np.float32] | None = None
    for name, tried in {"the recipe": settings, **changed}.items():
        said = read_folds(radiographs, tried, place, _report, folds=arguments.folds).mean
        recipe = said if recipe is None else recipe
        for line in describe(name, said, recipe, radiographs):
            sys.stdout.write(f"{line}\n")


def change_settings(settings: Settings, change: str) -> Settings:
    """Return the settings with what a change names.

    Raises:
        ConfigurationError: it names none, or gives no number.
    """
    kinds = {item.name: item.type for item in (*fields(settings), *fields(Kind))}
    kinds = {name: kind for name, kind in kinds.items() if kind in READERS}
    values: dict[str, Any] = {}  # replace() takes one type for all
    for part in change.split(","):
        name, _, value = part.partition("=")
        try:
            values[name] = READERS[kinds[name]](value)
        except (KeyError, ValueError):
            raise ConfigurationError(
                f"{part!r} is no change: give NAME=VALUE with one of {', '.join(sorted(kinds))}"
            ) from None
    of_kind = {name: values.pop(name) for name in [item.name for item in fields(Kind)] if name in values}
    return replace(settings, networks=tuple(replace(kind, **of_kind) for kind in settings.networks), **values)


def describe(
    name: str,
    said: NDArray[np.floating],
    recipe: NDArray[np.floating],
    radiographs: Sequence[Radiograph],
) -> list[str]:
    """Return what to print of logits (radiographs, findings), NaN where nobody was asked.

    Raises:
        ConfigurationError: the patients asked about are too few to measure anything.
    """
    asked = np.flatnonzero(np.isfinite(said).all(axis=1))
    labels = label_matrix(radiographs)[asked]
    patients = [radiographs[int(at)].patient for at in asked]
    last = FINDINGS.index(ANY)
    columns = [
        FINDINGS.index(finding) for finding in MEAN_OVER if 0 < labels[:, FINDINGS.index(finding)].mean() < 1
    ]
    if not columns or not 0 < labels[:, last].mean() < 1:
        raise ConfigurationError(
            "the patients left out lack findings or their absence: give more radiographs"
        )
    before, after = recipe[asked][:, columns], said[asked][:, columns]
    mean = mean_auc_estimate(after, labels[:, columns], patients)
    abnormal = auc_estimate(said[asked, last], labels[:, last], patients)
    lines = [
        f"{name}: {len(asked)} radiographs of {len(set(patients))} patients",
        f"{name}: mean AUC {mean:.3f} over {len(columns)} findings",
        f"{name}: any abnormality {abnormal:.3f}",
    ]
    if said is not recipe:
        gain = auc_gain_estimate(after, before, labels[:, columns], patients)
        lines.append(f"{name}: {gain:+.3f} against the recipe")
    return lines


def _report(name: str, progress: Progress) -> None:
    sys.stderr.write(f"{name}: epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.4f}\n")


if __name__ == "__main__":
    main()
