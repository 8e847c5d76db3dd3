"""The action of `overread models` that makes a faster release of one that is there."""

import argparse
import sys
from pathlib import Path
from typing import Any

from models.commands.detect import find_images, show_progress
from models.registry_options import add_registry_options, open_registry, release_name
from overread.command import EXIT_OK
from overread.errors import ConfigurationError

SUMMARY = "make a release in 8 bits of one in 32, the ranges of its values taken from radiographs"
DESCRIPTION = f"""\
{SUMMARY[0].upper()}{SUMMARY[1:]}.
Says how fast it is on this processor and how far its probabilities moved; what that costs in discrepancies
found is for `overread gate` to say, before the new release is activated. Needs the extra `train`.

  overread models quantise chest-radiograph /models/chest-int8 --images archive/chest
"""


def add_quantise_action(actions: Any) -> None:
    """Declare `quantise` among the actions."""
    parser = actions.add_parser(
        "quantise",
        help=SUMMARY,
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_registry_options(parser)
    parser.add_argument("release", help="name of one that comes with overread, or a folder")
    parser.add_argument("folder", type=Path, help="to write; its last part is the new release's name")
    parser.add_argument(
        "--images",
        nargs="+",
        type=Path,
        required=True,
        metavar="PATH",
        help="DICOM, PNG or JPEG files, or folders of them: a hundred are enough, and more take longer",
    )
    parser.set_defaults(run_action=_quantise)


def _quantise(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of  # keeps `overread --help` fast

    try:
        from models.quantisation import quantise_release  # onnx is not of the runtime set
    except ImportError as error:
        raise ConfigurationError(
            f"quantising needs {error.name}, which is not installed: pip install 'overread[train]'"
        ) from error
    release = folder_of(release_name(arguments.release), open_registry(arguments).folder)
    images = sorted(set(find_images(arguments.images)))
    made = quantise_release(
        release, arguments.folder, images, lambda done, total: show_progress(sys.stderr, done, total)
    )
    compared = made.comparison
    median, lowest, highest = compared.speed
    print(f"{arguments.folder}: {made.megabytes[1]:.1f} MB for {made.megabytes[0]:.1f}")
    print(f"  images       {made.images} used, {made.left_out} left out")
    print(f"  speed here   {median:.2f} times as many images a second ({lowest:.2f} to {highest:.2f})")
    print(
        f"  probability  differs by {compared.mean_difference:.4f} on average, "
        f"at most by {compared.largest_difference:.4f}"
    )
    print("compare it with what runs by `overread gate` before you activate it")
    return EXIT_OK
