"""The manifest of a MONAI bundle: which of its files are used, what its classes mean, what it may look at."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

from models.manifest import (
    FILE_NAME,
    FORMAT,
    Calibration,
    OperatingPoint,
    find_operating_point,
    finding_problems,
    point_problems,
    read_calibration,
    read_operating_point,
)
from models.parsing import Table
from overread.errors import ModelError

KIND = "monai-bundle"
Setting = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUse:
    """Series of a study that the bundle is meant for; anything else is not applicable."""

    statement: str  # for people
    modalities: tuple[str, ...]  # DICOM Modality (0008,0060)
    body_parts: tuple[str, ...]  # words, lower case, of which the header must use one
    minimum_age_years: float
    minimum_slices: int
    maximum_slice_mm: float  # distance of neighbouring slices, and their thickness
    preferred_kernels: tuple[str, ...] = ()  # beginnings of Convolution Kernel, upper case, the best first


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """Everything that overread must know about a bundle beyond what the bundle says itself."""

    name: str
    version: str
    licence: str
    findings: tuple[str, ...]  # finding of each class number of the network, from 0 on
    config: str  # inference configuration, relative to the folder, as are all files
    weights: str  # state of the network (.pt) or TorchScript (.ts)
    files: Mapping[str, str]  # SHA-256 of every file that is read
    overrides: Mapping[str, Setting]  # entries of the configuration that are replaced
    calibration: Mapping[str, Calibration]
    calibration_cohort: str
    default_operating_point: str
    operating_points: tuple[OperatingPoint, ...]
    intended_use: VolumeUse
    training_data: tuple[str, ...]

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """Return an operating point by name; None names the default.

        Raises:
            ModelError: the bundle has no such operating point.
        """
        return find_operating_point(self.operating_points, name or self.default_operating_point, self.name)


def load_bundle_manifest(folder: Path) -> BundleManifest:
    """Return the manifest of a bundle's folder, validated.

    Raises:
        ModelError: there is no manifest, or it is malformed.
    """
    path = folder / FILE_NAME
    try:
        table = Table(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except OSError as error:
        raise ModelError(
            f"{folder} has no readable {FILE_NAME}; `overread models import-bundle` writes one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if table.integer("format") != FORMAT or table.text("kind") != KIND:
        raise ModelError(f"{path} is no manifest of a bundle: its kind must be {KIND!r}, its format {FORMAT}")
    manifest = _manifest(table)
    _validate(manifest, path)
    return manifest


def save_bundle_manifest(manifest: BundleManifest, folder: Path) -> None:
    """Write the manifest into the bundle's folder."""
    plain = replace(
        manifest,
        files=dict(manifest.files),
        overrides=dict(manifest.overrides),
        calibration=dict(manifest.calibration),
        operating_points=tuple(
            replace(point, thresholds=dict(point.thresholds)) for point in manifest.operating_points
        ),
    )
    content = {"format": FORMAT, "kind": KIND, **asdict(plain)}
    (folder / FILE_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def verify_files(manifest: BundleManifest, folder: Path) -> None:
    """Make sure that every file that will be read is the one of the manifest.

    Raises:
        ModelError: a file is missing or altered.
    """
    for name, expected in manifest.files.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(
                f"{folder / name} is missing; install the bundle {manifest.name} again"
            ) from error
        if found != expected:
            raise ModelError(f"{folder / name} was altered: its SHA-256 is {found}; install the bundle again")


def _manifest(table: Table) -> BundleManifest:
    use, files = table.table("intended_use"), table.table("files")
    calibrations = table.table("calibration")
    return BundleManifest(
        name=table.text("name"),
        version=table.text("version"),
        licence=table.text("licence"),
        findings=table.texts("findings"),
        config=table.text("config"),
        weights=table.text("weights"),
        files=MappingProxyType({name: files.text(name) for name in files}),
        overrides=MappingProxyType(_overrides(table)),
        calibration=MappingProxyType(
            {finding: read_calibration(calibrations.table(finding)) for finding in calibrations}
        ),
        calibration_cohort=table.text("calibration_cohort"),
        default_operating_point=table.text("default_operating_point"),
        operating_points=tuple(read_operating_point(point) for point in table.tables("operating_points")),
        intended_use=VolumeUse(
            statement=use.text("statement"),
            modalities=use.texts("modalities"),
            body_parts=use.texts("body_parts"),
            minimum_age_years=use.number("minimum_age_years"),
            minimum_slices=use.integer("minimum_slices"),
            maximum_slice_mm=use.number("maximum_slice_mm"),
            preferred_kernels=use.texts("preferred_kernels") if use.has("preferred_kernels") else (),
        ),
        training_data=table.texts("training_data"),
    )


def _overrides(table: Table) -> dict[str, Setting]:
    entries = table.optional_table("overrides") or Table({}, where="overrides")
    return {name: entries.scalar(name) for name in entries}


def _validate(manifest: BundleManifest, path: Path) -> None:
    words = [value for value in manifest.overrides.values() if isinstance(value, str)]
    inside = all(_lies_inside(name) for name in manifest.files)
    checks = {
        "config and weights must be among the files": {manifest.config, manifest.weights}
        <= set(manifest.files),
        "minimum_slices must be 2 or more, or there is no volume": manifest.intended_use.minimum_slices > 1,
        "every file must lie in the bundle's folder": inside,
        "an override is a plain value, never an expression": not any(
            word.startswith(("$", "@", "%")) for word in words
        ),
    }
    problems = [
        *(problem for problem, fine in checks.items() if not fine),
        *finding_problems(manifest.findings, manifest.calibration),
        *point_problems(manifest.operating_points, manifest.default_operating_point, manifest.findings),
    ]
    if problems:
        raise ModelError(f"{path}: {'; '.join(problems)}")


def _lies_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts
