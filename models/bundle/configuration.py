"""The parts of a bundle's configuration that are run, and the refusal of those that may not be.

A bundle is code. Of its configuration only the detector, its setting up and the transforms after loading are
built, with all that they refer to, and only from MONAI and torch: an expression that names anything else is
refused. That keeps out scripts and downloads; it is no prison, so load only bundles that you trust.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from models.bundle.manifest import BundleManifest
from overread.errors import ModelError

DETECTOR, SETUP, TRANSFORMS, NETWORK = "detector", "detector_ops", "preprocessing#transforms", "network"
READ_BY_OVERREAD = {"LoadImaged", "EnsureChannelFirstd"}  # transforms whose work the volume has done already

_ALLOWED_NAMES = {"monai", "torch"}
_FORBIDDEN_PARTS = {
    "hub",
    "load",
    "save",
    "compile",
    "os",
    "sys",
    "subprocess",
    "download_url",
    "eval",
    "exec",
}
_REFERENCE = re.compile(r"@\w+(?:(?:#|::)\w+)*")


def read_configuration(folder: Path, manifest: BundleManifest, *, device: str) -> ConfigParser:
    """Return the configuration with the manifest's overrides, for one device, its code vetted.

    Raises:
        ModelError: an entry is missing, or would run what is neither MONAI's nor torch's.
    """
    parser = ConfigParser()
    parser.read_config(folder / manifest.config)
    for name in (DETECTOR, SETUP, NETWORK, "preprocessing"):
        if name not in parser:
            raise ModelError(f"{folder / manifest.config} lacks {name!r}, so it is no detection bundle")
    for name, value in manifest.overrides.items():
        parser[name] = value
    parser["bundle_root"] = str(folder)
    parser["device"] = f"$torch.device({device!r})"
    parser[TRANSFORMS] = [item for item in parser[TRANSFORMS] if item["_target_"] not in READ_BY_OVERREAD]
    for name in reachable(parser, (DETECTOR, SETUP, TRANSFORMS)):
        for text in _texts(parser[name]):
            _vet(text, where=name)
    return parser


def reachable(parser: ConfigParser, names: tuple[str, ...]) -> set[str]:
    """Return the entries that these refer to, at any depth, and these."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [match[1:] for text in _texts(parser[name]) for match in _REFERENCE.findall(text)]
    return found


def _texts(value: Any) -> Iterator[str]:
    """Yield every expression and reference of an entry, a component as the expression that names it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "_target_":
                yield f"$monai.{inner}" if "." not in str(inner) else f"${inner}"
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str) and value.startswith(("$", "@")):
        yield value


def _vet(text: str, *, where: str) -> None:
    try:
        tree = ast.parse(_REFERENCE.sub("monai", text.removeprefix("$")), mode="eval")
    except SyntaxError as error:
        raise ModelError(f"entry {where!r} of the bundle is no expression: {text}") from error
    for node in ast.walk(tree):
        parts = (
            {node.id} - _ALLOWED_NAMES
            if isinstance(node, ast.Name)
            else {node.attr} & _FORBIDDEN_PARTS or {part for part in (node.attr,) if part.startswith("_")}
            if isinstance(node, ast.Attribute)
            else set()
        )
        if parts:
            raise ModelError(
                f"entry {where!r} of the bundle would run {', '.join(parts)}; only MONAI and torch are run"
            )
