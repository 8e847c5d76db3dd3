"""`overread train`: the default chest radiograph model, from the public data to a release folder."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command
from overread.errors import ConfigurationError

if TYPE_CHECKING:
    from training.recipe import Progress, Settings
    from training.split import Split

DESCRIPTION = """\
Trains the default chest radiograph model and writes a release folder: network, manifest and model card.
About 20 minutes on two idle CPU cores; goes on from the last epoch when it was interrupted.
Needs the extra `train` (PyTorch).

example:
  overread train --data nih/ --out releases/chest-radiograph
"""


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
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--side", type=int, help="of the square that the network sees, in pixels")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")


def run(arguments: argparse.Namespace) -> int:
    """Train, calibrate, evaluate, write the release."""
    try:
        import torch  # noqa: PLC0415  # keeps `overread --help` fast

        from training.card import measure  # noqa: PLC0415
        from training.recipe import Run, prepare, train  # noqa: PLC0415
        from training.release import Release, write_release  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is missing; install the extra: pip install 'overread[train]'"
        ) from error
    torch.set_num_threads(arguments.threads)
    settings = _settings(arguments)
    split = _read(arguments, settings)
    checkpoint = arguments.out.with_name(f"{arguments.out.name}.checkpoint")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    network = train(Run(prepare(split.training, settings), settings), checkpoint, _report)
    release = Release(folder=arguments.out, version=arguments.version, command=_command(arguments))
    mean = measure(write_release(network, split, settings, release)).mean
    checkpoint.unlink()
    print(
        f"{arguments.out}: mean AUC {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f}), n={len(split.test)}"
    )
    return EXIT_OK


def _settings(arguments: argparse.Namespace) -> "Settings":
    from training.recipe import Settings  # noqa: PLC0415

    given = {name: getattr(arguments, name) for name in ("seed", "epochs", "side")}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _read(arguments: argparse.Namespace, settings: "Settings") -> "Split":
    from training.datasets import read_nih  # noqa: PLC0415
    from training.split import split_by_patient  # noqa: PLC0415

    if arguments.data is None:
        raise ConfigurationError("say where the radiographs are, with --data or OVERREAD_DATA")
    folder = Path(arguments.data)
    folder = folder / "nih" if (folder / "nih").is_dir() else folder
    split = split_by_patient(
        read_nih(folder),
        salt=settings.salt,
        validation_share=settings.validation_share,
        test_share=settings.test_share,
    )
    sizes = f"{len(split.training)} training, {len(split.validation)} validation, {len(split.test)} test"
    sys.stderr.write(f"radiographs: {sizes}\n")
    return split


def _report(progress: "Progress") -> None:
    sys.stderr.write(f"epoch {progress.epoch}/{progress.epochs}: loss {progress.loss:.4f}\n")


def _command(arguments: argparse.Namespace) -> str:
    """Return the command without the paths of this machine."""
    parts = ["overread train", "--data nih", f"--out {arguments.out.name}", f"--version {arguments.version}"]
    given = {name: getattr(arguments, name) for name in ("seed", "epochs", "side")}
    parts.extend(f"--{name} {value}" for name, value in given.items() if value is not None)
    return " ".join([*parts, f"--threads {arguments.threads}"])


command = Command(
    summary="train the default chest radiograph model",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
