"""The actions of `overread models` that make a release of what was downloaded elsewhere."""

import argparse
import getpass
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.registry import Role, Route
from models.registry_options import add_registry_options, open_registry, release_name
from overread.command import EXIT_OK
from overread.errors import ConfigurationError


def add_import_actions(actions: Any) -> None:
    """Declare `import-bundle`, `import-torchxrayvision` and `adopt` among the actions."""
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
    _add_set_options(weights)
    weights.set_defaults(run_action=_import_torchxrayvision)
    _add_adopt(actions)


def _add_set_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="to write; its last part is the release's name")
    parser.add_argument(
        "--set",
        dest="published",
        default="all",
        help="which weights: all, nih, pc, chex, rsna, mimic_nb or mimic_ch, of a DenseNet-121 at 224 "
        "pixels, or resnet50-res512-all, of a ResNet-50 at 512 (default: all)",
    )


def _add_adopt(actions: Any) -> None:
    summary = "fetch published weights, check their hash, convert, verify, and run them as a shadow"
    parser = actions.add_parser("adopt", help=summary, description=summary)
    add_registry_options(parser)
    parser.add_argument("source", choices=["torchxrayvision"], help="whose weights")
    _add_set_options(parser)
    parser.add_argument(
        "--sha256", metavar="HEX", help="of the file (default: the one known here, of the set all)"
    )
    parser.add_argument(
        "--mirror", metavar="URL", help="folder to fetch the file from (default: where it is published)"
    )
    parser.add_argument("--who", help="who does it (default: the user of this machine); recorded")
    parser.set_defaults(run_action=_adopt)


def _import_bundle(arguments: argparse.Namespace) -> int:
    from models.bundle.adopt import adopt  # keeps `overread --help` fast

    manifest = adopt(arguments.folder, findings=tuple(arguments.findings), threshold=arguments.threshold)
    print(f"{arguments.folder}: bundle {manifest.version}, {len(manifest.files)} files pinned")
    print("its threshold was set by hand; see intended_use and calibration in manifest.json")
    return EXIT_OK


def _import_torchxrayvision(arguments: argparse.Namespace) -> int:
    _convert(arguments.weights, arguments)
    return EXIT_OK


def _convert(weights: Path, arguments: argparse.Namespace) -> None:
    try:
        from models.torchxrayvision.convert import convert  # torch is not of the runtime set
    except ImportError as error:
        raise ConfigurationError(
            f"converting needs {error.name}, which is not installed: pip install 'overread[train]'"
        ) from error
    manifest = convert(weights, arguments.folder, published=arguments.published)
    print(f"{arguments.folder}: {len(manifest.findings)} findings, operating point as published")


def _adopt(arguments: argparse.Namespace) -> int:
    from models.activation import Request, register_release  # keeps `overread --help` fast
    from models.recording import record
    from models.torchxrayvision.fetching import fetch
    from models.torchxrayvision.published import find_set

    folder, kept = arguments.folder, open_registry(arguments)
    downloaded = folder.with_name(f"{folder.name}.download")
    weights = fetch(
        find_set(arguments.published), downloaded, mirror=arguments.mirror, sha256=arguments.sha256
    )
    print(f"{weights.name}: {weights.stat().st_size / 1e6:.1f} MB, SHA-256 as expected")
    _convert(weights, arguments)
    record(folder)
    request = Request(
        release=release_name(str(folder.expanduser().absolute())),
        role=Role.SHADOW,
        operating_point=None,
        route=Route(),
        replacing=None,
        gate=None,
        reason=None,
        who=arguments.who or getpass.getuser(),
    )
    register_release(request, kept, clock=lambda: datetime.now(UTC))
    shutil.rmtree(downloaded)
    print(f"{kept.name}: {folder} runs as a shadow")
    print(f"compare it by `overread gate {folder}`, then `overread models activate {folder} --gate FILE`")
    return EXIT_OK
