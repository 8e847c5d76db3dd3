"""`overread train`: the default chest radiograph model, from the public data to a release folder."""

import argparse
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from training.datasets import Radiograph
    from training.recipe import Progress, Settings
    from training.release import Foreign

DESCRIPTION = """\
Trains the default chest radiograph model and writes a release folder: network, manifest, recorded input and
model card. About an hour and a half on two CPU cores and 4 GB of disk beside the release; goes on where it
was interrupted. Needs the extra `train` (PyTorch).

example:
  overread train --data nih/ --out releases/chest-radiograph
"""

OPTIONS = ("seed", "epochs", "side", "folds", "views")
LEAST_FOLDS = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        help="folder in the layout of NIH ChestX-ray14, or the one above it (default: $OVERREAD_DATA)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="release folder; its name becomes the model's"
    )
    parser.add_argument("--version", default="1", help="of the release (default: 1)")
    parser.add_argument("--seed", type=int, help="of everything random (default: the recipe's)")
    parser.add_argument("--epochs", type=int, help="of every network (default: the recipe's)")
    parser.add_argument("--folds", type=int, help="of the patients, at least 2 (default: the recipe's)")
    parser.add_argument(
        "--networks-per-fold", type=int, metavar="N", help="the first so many of the recipe's (default: all)"
    )
    parser.add_argument("--views", type=int, help="of every radiograph, changed at random")
    parser.add_argument("--side", type=int, help="of the square that the network sees, in pixels")
    parser.add_argument("--threads", type=int, default=2, help="and networks trained at a time (default: 2)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="to train on (default: a GPU where there is one)"
    )
    parser.add_argument(
        "--out-of-fold",
        type=Path,
        metavar="FILE",
        help="cohort file (JSON Lines) to write: what was said of every radiograph by who had not seen it",
    )
    parser.add_argument(
        "--outside",
        type=Path,
        help="folder of Kermany 2018 with test/NORMAL and test/PNEUMONIA: a check on children, for the card",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, calibrate, evaluate, write the release."""
    try:
        from training.folds import Workplace, choose_device, train_folds
        from training.release import Release, write_release  # keeps `overread --help` fast
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is missing; install the extra: pip install 'overread[train]'"
        ) from error
    settings = _settings(arguments)
    radiographs = _read(arguments)
    arguments.device = choose_device(arguments.device)
    place = Workplace(
        folder=arguments.out.with_name(f"{arguments.out.name}.training"),
        threads=arguments.threads,
        device=arguments.device,
    )
    trained = train_folds(radiographs, settings, place, _report)
    release = Release(
        folder=arguments.out,
        version=arguments.version,
        command=_command(arguments),
        out_of_fold=arguments.out_of_fold,
    )
    mean = write_release(trained, radiographs, settings, release, _foreign(arguments.outside)).folds.mean
    shutil.rmtree(place.folder)
    print(
        f"{arguments.out}: mean AUC {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f}) by folds, "
        f"n={len(radiographs)}"
    )
    return EXIT_OK


def _settings(arguments: argparse.Namespace) -> "Settings":
    from training.recipe import Settings

    if arguments.folds is not None and arguments.folds < LEAST_FOLDS:
        raise ConfigurationError("a network must leave a fold out and keep one: give at least 2 folds")
    given = {name: getattr(arguments, name) for name in OPTIONS}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    count = arguments.networks_per_fold
    if count is None:
        return settings
    if not 1 <= count <= len(settings.networks):
        raise ConfigurationError(f"the recipe has 1 to {len(settings.networks)} networks for a fold")
    return replace(settings, networks=settings.networks[:count])


def _read(arguments: argparse.Namespace) -> "list[Radiograph]":
    from training.datasets import read_nih

    if arguments.data is None:
        raise ConfigurationError("say where the radiographs are, with --data or OVERREAD_DATA")
    folder = Path(arguments.data)
    radiographs = read_nih(folder / "nih" if (folder / "nih").is_dir() else folder)
    sys.stderr.write(f"{len(radiographs)} radiographs\n")
    return radiographs


def _foreign(folder: Path | None) -> "Foreign | None":
    if folder is None:
        return None
    from training.datasets import read_kermany
    from training.release import Foreign

    return Foreign(
        description="Radiographs of children (Kermany et al. 2018, its test part)",
        finding="pneumonia",
        radiographs=tuple(read_kermany(folder / "test")),
    )


def _report(name: str, progress: "Progress") -> None:
    sys.stderr.write(f"{name}: epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.4f}\n")


def _command(arguments: argparse.Namespace) -> str:
    """Return the command without the paths of this machine."""
    parts = ["overread train", "--data nih", f"--out {arguments.out.name}", f"--version {arguments.version}"]
    given = {name: getattr(arguments, name) for name in (*OPTIONS, "networks_per_fold")}
    parts.extend(f"--{name.replace('_', '-')} {value}" for name, value in given.items() if value is not None)
    parts += ["--outside kermany"] if arguments.outside else []
    parts += [f"--device {arguments.device}"] if arguments.device != "cpu" else []
    return " ".join([*parts, f"--threads {arguments.threads}"])


command = Command(
    summary="train the default chest radiograph model",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
