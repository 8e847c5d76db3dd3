"""The actions of `overread models` that make a release of what was downloaded elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from overread.command import EXIT_OK
from overread.errors import ConfigurationError


def add_import_actions(actions: Any) -> None:
    """Declare `import-bundle` and `import-torchxrayvision` among the actions."""
    summary = "make a release of a downloaded MONAI detection bundle, in its folder"
    bundle = actions.add_parser("import-bundle", help=summary, description=summary)
    bundle.add_argument("folder", type=Path, help="with configs/ and models/, as downloaded")
    bundle.add_argument(
        "--findings", nargs="+", required=True, metavar="ID", help="of each class number, from 0 on"
    )
    bundle.add_argument(
        "--threshold", type=float, default=0.5, help="score from which a finding is there (default: 0.5)"
    )
    bundle.set_defaults(run_action=_import_bundle)
    summary = "make a release of a weights file of TorchXRayVision"
    weights = actions.add_parser("import-torchxrayvision", help=summary, description=summary)
    weights.add_argument("weights", type=Path, metavar="FILE", help="as the library downloads it")
    weights.add_argument("folder", type=Path, help="to write; its last part is the release's name")
    weights.add_argument(
        "--set",
        dest="published",
        default="all",
        help="which weights: all, nih, pc, chex, rsna, mimic_nb or mimic_ch, of a DenseNet-121 at 224 "
        "pixels, or resnet50-res512-all, of a ResNet-50 at 512 (default: all)",
    )
    weights.set_defaults(run_action=_import_torchxrayvision)


def _import_bundle(arguments: argparse.Namespace) -> int:
    from models.bundle.adopt import adopt  # noqa: PLC0415  # keeps `overread --help` fast

    manifest = adopt(arguments.folder, findings=tuple(arguments.findings), threshold=arguments.threshold)
    print(f"{arguments.folder}: bundle {manifest.version}, {len(manifest.files)} files pinned")
    print("its threshold was set by hand; see intended_use and calibration in manifest.json")
    return EXIT_OK


def _import_torchxrayvision(arguments: argparse.Namespace) -> int:
    try:
        from models.torchxrayvision.convert import convert  # noqa: PLC0415  # torch is not of the runtime set
    except ImportError as error:
        raise ConfigurationError(
            f"converting needs {error.name}, which is not installed: pip install 'overread[train]'"
        ) from error
    manifest = convert(arguments.weights, arguments.folder, published=arguments.published)
    print(f"{arguments.folder}: {len(manifest.findings)} findings, operating point as published")
    return EXIT_OK
