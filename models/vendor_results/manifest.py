"""The manifest of another vendor's product: which results are its own, and what they are worth.

A product states presence at an operating point of its own, and often a score without a scale. Neither is a
probability. What a statement is worth therefore comes from the manifest, finding by finding: from the
sensitivity and specificity that are stated for the product's operating point, or from a calibration of its
scores on a named cohort. A finding for which the manifest says neither is not evidence.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from models.manifest import FILE_NAME, FORMAT, Calibration, read_calibration
from models.parsing import Table
from overread.errors import ModelError
from overread.finding import load_vocabulary

KIND_SR = "vendor-sr"
KIND_ROWS = "vendor-rows"
KINDS = (KIND_SR, KIND_ROWS)
_SILENCES = ("absent", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedAccuracy:
    """Stated accuracy of the product's operating point for one finding; all in (0, 1)."""

    sensitivity: float
    specificity: float
    prevalence: float  # in the cohort that both were measured on

    def probability(self, *, present: bool) -> float:
        """Return the probability of the finding in that cohort, given what the product states (Bayes)."""
        if present:
            true, false = self.sensitivity, 1 - self.specificity
        else:
            true, false = 1 - self.sensitivity, self.specificity
        joint = true * self.prevalence
        return joint / (joint + false * (1 - self.prevalence))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCurve:
    """From the product's score to a probability, fitted on a named cohort."""

    calibration: Calibration
    threshold: float  # the finding is PRESENT from this probability on


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Worth of a product's statements about one finding; at least one part is there."""

    stated: StatedAccuracy | None
    curve: ScoreCurve | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """SR documents that are the product's; compared without regard to case."""

    manufacturer: str
    model: str | None  # None takes every model of the manufacturer
    versions: tuple[str, ...]  # of its software that the manifest holds for; empty holds for all


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorManifest:
    """Everything that is known about a product."""

    kind: str  # KIND_SR or KIND_ROWS
    name: str
    version: str
    operating_point: str  # what the product calls the point it states presence at
    source: str  # where sensitivity, specificity and calibration were stated or measured, for people
    worth: Mapping[str, Worth]  # by finding; the detector is silent on every other
    silence: str  # what it means that a product does not name a finding: "absent" or "unknown"
    score_min: float
    score_max: float
    codes: Mapping[str, str]  # the product's codes ("scheme:value") or words -> finding
    score_codes: tuple[str, ...]  # concepts of its own that name a score, as "scheme:value"
    product: Product | None  # of KIND_SR
    rows_file: str | None  # of KIND_ROWS; relative to the manifest's folder
    sha256: str  # of the manifest

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that the product can speak of."""
        return tuple(self.worth)


def load_vendor_manifest(folder: Path) -> VendorManifest:
    """Return the manifest of a product's folder, validated.

    Raises:
        ModelError: there is no manifest, it is malformed, or it says of a finding nothing that it is worth.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
        table = Table(json.loads(content), where=str(path))
    except OSError as error:
        raise ModelError(f"{folder} is no model release: it has no readable {FILE_NAME}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if table.integer("format") != FORMAT:
        raise ModelError(f"{path} has another format than {FORMAT}")
    manifest = _manifest(table, hashlib.sha256(content).hexdigest())
    _validate(manifest, path)
    return manifest


def _manifest(table: Table, sha256: str) -> VendorManifest:
    kind = table.text("kind")
    low, high = table.numbers("score_range") if table.has("score_range") else (0.0, 1.0)
    findings = table.table("findings")
    codes = table.optional_table("codes") or Table({}, where="codes")
    return VendorManifest(
        kind=kind,
        name=table.text("name"),
        version=table.text("version"),
        operating_point=table.text("operating_point"),
        source=table.text("source"),
        worth=MappingProxyType({name: _worth(findings.table(name)) for name in findings}),
        silence=table.text("silence"),
        score_min=low,
        score_max=high,
        codes=MappingProxyType({code: codes.text(code) for code in codes}),
        score_codes=table.texts("score_codes") if table.has("score_codes") else (),
        product=_product(table.table("product")) if kind == KIND_SR else None,
        rows_file=table.text("rows_file") if kind == KIND_ROWS else None,
        sha256=sha256,
    )


def _product(table: Table) -> Product:
    return Product(
        manufacturer=table.text("manufacturer"),
        model=table.text("model") if table.has("model") else None,
        versions=table.texts("versions") if table.has("versions") else (),
    )


def _worth(table: Table) -> Worth:
    stated, curve = table.optional_table("stated"), table.optional_table("calibration")
    return Worth(
        stated=None
        if stated is None
        else StatedAccuracy(
            sensitivity=stated.number("sensitivity"),
            specificity=stated.number("specificity"),
            prevalence=stated.number("prevalence"),
        ),
        curve=None
        if curve is None
        else ScoreCurve(
            calibration=read_calibration(curve),
            threshold=curve.number("threshold"),
        ),
    )


def _validate(manifest: VendorManifest, path: Path) -> None:
    known = set(load_vocabulary())
    unknown = sorted((set(manifest.worth) | set(manifest.codes.values())) - known)
    checks = {
        f"its kind must be one of {', '.join(KINDS)}": manifest.kind in KINDS,
        f"the vocabulary lacks {unknown}": not unknown,
        "it must name at least one finding": bool(manifest.worth),
        "silence must be absent or unknown": manifest.silence in _SILENCES,
        "score_range must rise": manifest.score_min < manifest.score_max,
    }
    problems = [problem for problem, fine in checks.items() if not fine]
    for finding, worth in manifest.worth.items():
        problems += [f"{finding}: {problem}" for problem in _worth_problems(worth)]
    if problems:
        raise ModelError(f"{path}: {'; '.join(problems)}")


def _worth_problems(worth: Worth) -> list[str]:
    problems = []
    if worth.stated is None and worth.curve is None:
        problems.append("a statement is worth nothing without stated accuracy or a calibration")
    if (stated := worth.stated) is not None:
        shares = (stated.sensitivity, stated.specificity, stated.prevalence)
        if not all(0 < share < 1 for share in shares):
            problems.append("sensitivity, specificity and prevalence lie between 0 and 1")
        elif stated.sensitivity + stated.specificity <= 1:
            problems.append("sensitivity and specificity together must exceed 1, or a statement says nothing")
    if (curve := worth.curve) is not None:
        prevalence = curve.calibration.prevalence
        if curve.calibration.slope <= 0:
            problems.append("a calibration that does not rise turns the product's order around")
        if prevalence is None or not 0 < prevalence < 1 or not 0 <= curve.threshold <= 1:
            problems.append("prevalence and threshold lie between 0 and 1")
    return problems
