"""`overread train`: the default chest radiograph model, from the public data to a release folder."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from training.recipe import Progress, Settings
    from training.release import Foreign
    from training.split import Split

DESCRIPTION = """\
Trains the default chest radiograph model and writes a release folder: network, manifest, recorded input and
model card. About an hour on two CPU cores and 1 GB of disk beside the release; goes on where it was
interrupted. Needs the extra `train` (PyTorch).

example:
  overread train --data nih/ --out releases/chest-radiograph
"""

OPTIONS = ("seed", "epochs", "side", "teachers", "networks", "views")


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
    parser.add_argument("--teachers", type=int, help="networks to learn from, 1 to 4 (default: the recipe's)")
    parser.add_argument("--networks", type=int, help="to release together (default: the recipe's)")
    parser.add_argument("--views", type=int, help="of every radiograph, changed at random")
    parser.add_argument("--side", type=int, help="of the square that the network sees, in pixels")
    parser.add_argument("--threads", type=int, default=2, help="and networks trained at a time (default: 2)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="to train on (default: a GPU where there is one)"
    )
    parser.add_argument(
        "--outside",
        type=Path,
        help="folder of Kermany 2018 with test/NORMAL and test/PNEUMONIA: a check on children, for the card",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, calibrate, evaluate, write the release."""
    try:
        from training.release import Release, write_release  # noqa: PLC0415  # keeps `overread --help` fast
        from training.teaching import Workplace, choose_device, teach  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is missing; install the extra: pip install 'overread[train]'"
        ) from error
    settings = _settings(arguments)
    split = _read(arguments, settings)
    arguments.device = choose_device(arguments.device)
    place = Workplace(
        folder=arguments.out.with_name(f"{arguments.out.name}.training"),
        threads=arguments.threads,
        device=arguments.device,
    )
    taught = teach(split.training, settings, place, _report)
    release = Release(folder=arguments.out, version=arguments.version, command=_command(arguments))
    mean = write_release(taught, split, settings, release, _foreign(arguments.outside)).test.mean
    shutil.rmtree(place.folder)
    print(
        f"{arguments.out}: mean AUC {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f}), n={len(split.test)}"
    )
    return EXIT_OK


def _settings(arguments: argparse.Namespace) -> "Settings":
    from training.recipe import Settings  # noqa: PLC0415

    parts = Settings().parts
    if arguments.teachers is not None and not 1 <= arguments.teachers <= parts:
        raise ConfigurationError(f"each teacher leaves out one of {parts} parts: give 1 to {parts}")
    given = {name: getattr(arguments, name) for name in OPTIONS}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _read(arguments: argparse.Namespace, settings: "Settings") -> "Split":
    from training.datasets import read_nih  # noqa: PLC0415
    from training.split import split_by_patient  # noqa: PLC0415

    if arguments.data is None:
        raise ConfigurationError("say where the radiographs are, with --data or OVERREAD_DATA")
    folder = Path(arguments.data)
    folder = folder / "nih" if (folder / "nih").is_dir() else folder
    split = split_by_patient(read_nih(folder), salt=settings.salt, test_share=settings.test_share)
    sys.stderr.write(f"radiographs: {len(split.training)} training, {len(split.test)} test\n")
    return split


def _foreign(folder: Path | None) -> "Foreign | None":
    if folder is None:
        return None
    from training.datasets import read_kermany  # noqa: PLC0415
    from training.release import Foreign  # noqa: PLC0415

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
    given = {name: getattr(arguments, name) for name in OPTIONS}
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
