"""The manifest of a model release: what the network sees, what it says, and what it may be used for.

A release is a folder with `manifest.json` beside the network's file. Nothing outside the manifest knows which
model it is.
"""

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from models.io_format import InputForm, OutputForm, read_input_form, read_output_form
from models.parsing import Table
from models.pixels import PIPELINE_VERSION
from overread.errors import ModelError
from overread.finding import load_vocabulary

FILE_NAME = "manifest.json"
FORMAT = 1
FRONTAL_CHEST = "frontal chest radiograph"  # the one appearance that `models.guards` knows


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """The network and how to run it."""

    file: str  # ONNX, in the release folder
    sha256: str
    input_name: str  # (batch, 1, rows, columns) unless `input_form` says otherwise
    rows: int
    columns: int
    range_min: float  # what the least dense pixel becomes
    range_max: float  # and the densest
    scores_output: str  # (batch, findings), in [0, 1] unless `output_form` says otherwise
    maps_output: str | None = None  # (batch, findings, grid rows, grid columns); larger is stronger evidence
    input_form: InputForm = field(default_factory=InputForm)
    output_form: OutputForm = field(default_factory=OutputForm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt scaling (1999): probability = 1 / (1 + exp(-(slope * log odds of the score + intercept)))."""

    slope: float
    intercept: float
    prevalence: float | None = None  # share of the calibration cohort with the finding; None where unknown

    def probability(self, score: float) -> float:
        """Return the calibrated probability of a raw score in [0, 1]."""
        bounded = min(max(score, 1e-6), 1 - 1e-6)
        exponent = self.slope * math.log(bounded / (1 - bounded)) + self.intercept
        return 1 / (1 + math.exp(-min(max(exponent, -50.0), 50.0)))

    def rounded(self) -> "Calibration":
        """Return the curve in the precision of a manifest."""
        share = None if self.prevalence is None else round(self.prevalence, 5)
        return Calibration(slope=round(self.slope, 5), intercept=round(self.intercept, 5), prevalence=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Thresholds on the calibrated probability, chosen for one purpose on one named cohort."""

    name: str
    cohort: str  # whose radiographs they were chosen on, and how many
    rule: str  # how they were chosen, in words
    thresholds: Mapping[str, float]  # finding -> PRESENT from this probability on


@dataclass(frozen=True, slots=True, kw_only=True)
class IntendedUse:
    """Images that the model is meant for; anything else is not applicable."""

    statement: str  # for people
    modalities: tuple[str, ...]  # DICOM Modality (0008,0060)
    body_parts: tuple[str, ...]  # words, lower case, of which the header must use one
    views: tuple[str, ...]  # DICOM View Position (0018,5101)
    minimum_age_years: float
    appearance: str | None = None  # what `models.guards` holds the pixels to; None: nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Familiarity:
    """Unusualness of the images of a named cohort to the network, to compare another image with."""

    output: str  # of the network, (batch,); larger is less like the images that it knows
    cohort: str  # whose images, and how many
    quantiles: tuple[float, ...]  # at least two, rising, from the most usual image to the least usual one

    def out_of_distribution(self, value: float) -> float:
        """Return the share of the cohort, in [0, 1], whose images look less unusual than this value."""
        if value <= self.quantiles[0]:
            return 0.0
        if value >= self.quantiles[-1]:
            return 1.0
        at = bisect_right(self.quantiles, value) - 1
        low, high = self.quantiles[at], self.quantiles[at + 1]
        return (at + (value - low) / (high - low)) / (len(self.quantiles) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that is known about a release."""

    name: str
    version: str
    licence: str
    pixel_pipeline: str  # version of `models.pixels`
    findings: tuple[str, ...]  # in the order of the network's outputs
    network: NetworkFile
    calibration: Mapping[str, Calibration]  # one per finding
    calibration_cohort: str
    default_operating_point: str
    operating_points: tuple[OperatingPoint, ...]
    intended_use: IntendedUse
    training_data: tuple[str, ...]  # every source, with its terms
    training: Mapping[str, str]  # command, seed, split, versions
    familiarity: Familiarity | None = None  # None: the network does not say how unusual an image is

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """Return an operating point by name; None names the default.

        Raises:
            ModelError: the release has no such operating point.
        """
        return find_operating_point(self.operating_points, name or self.default_operating_point, self.name)


def find_operating_point(points: Sequence[OperatingPoint], name: str, release: str) -> OperatingPoint:
    """Return an operating point of a release by name.

    Raises:
        ModelError: the release has no such operating point.
    """
    for point in points:
        if point.name == name:
            return point
    known = ", ".join(point.name for point in points)
    raise ModelError(f"release {release} has no operating point {name!r}; it has {known}")


def load_manifest(folder: Path) -> Manifest:
    """Return the manifest of a release folder, validated.

    Raises:
        ModelError: there is no manifest, it is malformed, or it asks for another pixel pipeline.
    """
    path = folder / FILE_NAME
    try:
        table = Table(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except OSError as error:
        raise ModelError(f"{folder} is no model release: it has no readable {FILE_NAME}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if table.integer("format") != FORMAT:
        raise ModelError(
            f"{path} has another format than {FORMAT}; install the overread version that it was made for"
        )
    manifest = _manifest(table)
    _validate(manifest, path)
    return manifest


def save_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into its release folder."""
    content = {"format": FORMAT, **asdict(_plain(manifest))}
    (folder / FILE_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def verify_network(manifest: Manifest, folder: Path) -> bytes:
    """Return the network's file, having made sure that it is the one of the manifest.

    Raises:
        ModelError: the file is missing or altered.
    """
    path = folder / manifest.network.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} is missing; install the release {manifest.name} again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.network.sha256:
        raise ModelError(
            f"{path} was altered: its SHA-256 is {found}; install the release {manifest.name} again"
        )
    return content


def _manifest(table: Table) -> Manifest:
    use = table.table("intended_use")
    calibrations = table.table("calibration")
    return Manifest(
        name=table.text("name"),
        version=table.text("version"),
        licence=table.text("licence"),
        pixel_pipeline=table.text("pixel_pipeline"),
        findings=table.texts("findings"),
        network=_network(table.table("network")),
        calibration=MappingProxyType(
            {key: read_calibration(calibrations.table(key)) for key in calibrations}
        ),
        calibration_cohort=table.text("calibration_cohort"),
        default_operating_point=table.text("default_operating_point"),
        operating_points=tuple(read_operating_point(point) for point in table.tables("operating_points")),
        intended_use=IntendedUse(
            statement=use.text("statement"),
            modalities=use.texts("modalities"),
            body_parts=use.texts("body_parts"),
            views=use.texts("views"),
            minimum_age_years=use.number("minimum_age_years"),
            appearance=use.text("appearance") if use.has("appearance") else None,
        ),
        training_data=table.texts("training_data"),
        training=MappingProxyType(
            {key: table.table("training").text(key) for key in table.table("training")}
        ),
        familiarity=_familiarity(table.optional_table("familiarity")),
    )


def _familiarity(table: Table | None) -> Familiarity | None:
    if table is None:
        return None
    return Familiarity(
        output=table.text("output"), cohort=table.text("cohort"), quantiles=table.numbers("quantiles")
    )


def _network(table: Table) -> NetworkFile:
    return NetworkFile(
        file=table.text("file"),
        sha256=table.text("sha256"),
        input_name=table.text("input_name"),
        rows=table.integer("rows"),
        columns=table.integer("columns"),
        range_min=table.number("range_min"),
        range_max=table.number("range_max"),
        scores_output=table.text("scores_output"),
        maps_output=table.text("maps_output") if table.has("maps_output") else None,
        input_form=read_input_form(table.optional_table("input_form")),
        output_form=read_output_form(table.optional_table("output_form")),
    )


def read_calibration(table: Table) -> Calibration:
    """Return the calibration of one finding as a manifest states it.

    Raises:
        ModelError: an entry is missing or malformed.
    """
    return Calibration(
        slope=table.number("slope"),
        intercept=table.number("intercept"),
        prevalence=table.number("prevalence") if table.has("prevalence") else None,
    )


def read_operating_point(table: Table) -> OperatingPoint:
    """Return an operating point as a manifest states it.

    Raises:
        ModelError: an entry is missing or malformed.
    """
    thresholds = table.table("thresholds")
    return OperatingPoint(
        name=table.text("name"),
        cohort=table.text("cohort"),
        rule=table.text("rule"),
        thresholds=MappingProxyType({finding: thresholds.number(finding) for finding in thresholds}),
    )


def _validate(manifest: Manifest, path: Path) -> None:
    stated = manifest.network
    checks = {
        f"it needs pixel pipeline {manifest.pixel_pipeline}, installed is {PIPELINE_VERSION}": (
            manifest.pixel_pipeline == PIPELINE_VERSION
        ),
        f"the only appearance that can be held to is {FRONTAL_CHEST!r}": (
            manifest.intended_use.appearance in {None, FRONTAL_CHEST}
        ),
        "the network's file must lie in the release folder": Path(stated.file).name == stated.file,
        "the quantiles of familiarity must be two or more and rise": manifest.familiarity is None
        or (
            list(manifest.familiarity.quantiles) == sorted(set(manifest.familiarity.quantiles))
            and len(manifest.familiarity.quantiles) > 1
        ),
        "range_min must lie below range_max": stated.range_min < stated.range_max,
        "output_form must name one column per finding": len(
            stated.output_form.columns_of(len(manifest.findings))
        )
        == len(manifest.findings),
    }
    problems = [
        *(problem for problem, fine in checks.items() if not fine),
        *finding_problems(manifest.findings, manifest.calibration),
        *point_problems(manifest.operating_points, manifest.default_operating_point, manifest.findings),
    ]
    if problems:
        raise ModelError(f"{path}: {'; '.join(problems)}")


def finding_problems(findings: Collection[str], calibration: Mapping[str, Calibration]) -> list[str]:
    """Return what is wrong with the findings of a release and their calibration, in words."""
    unknown = sorted(set(findings) - set(load_vocabulary()))
    shares = [item.prevalence for item in calibration.values() if item.prevalence is not None]
    checks = {
        f"the vocabulary lacks {unknown}": not unknown,
        "a finding is named twice": len(set(findings)) == len(findings),
        "calibration must name exactly the findings": set(calibration) == set(findings),
        "a calibration that does not rise turns the network's order around": all(
            item.slope > 0 for item in calibration.values()
        ),
        "a calibration cohort has studies with and without the finding: prevalence lies between 0 and 1": all(
            0 < share < 1 for share in shares
        ),
    }
    return [problem for problem, fine in checks.items() if not fine]


def point_problems(points: Sequence[OperatingPoint], default: str, findings: Collection[str]) -> list[str]:
    """Return what is wrong with the operating points of a release, in words."""
    problems = []
    names = [point.name for point in points]
    if default not in names or len(set(names)) != len(names):
        problems.append("the default operating point is absent or a name is used twice")
    for point in points:
        if set(point.thresholds) != set(findings):
            problems.append(f"operating point {point.name} must name exactly the findings")
        if any(not 0 <= threshold <= 1 for threshold in point.thresholds.values()):
            problems.append(f"operating point {point.name} has a threshold outside [0, 1]")
    return problems


def _plain(manifest: Manifest) -> Manifest:
    """Return the manifest with plain dictionaries, which `asdict` can copy."""
    points = tuple(replace(point, thresholds=dict(point.thresholds)) for point in manifest.operating_points)
    return replace(
        manifest,
        calibration=dict(manifest.calibration),
        training=dict(manifest.training),
        operating_points=points,
    )
