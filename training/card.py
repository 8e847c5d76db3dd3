"""The model card, written by the command that made the model, so that no figure in it is typed by hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest
from training.datasets import ANY, FINDINGS, Radiograph
from training.metrics import Interval, auc_interval, mean_auc_interval, patient_samples
from training.recipe import Settings
from training.split import Split

CARD_FILE = "README.md"
BOOTSTRAP_ROUNDS = 1000
BOOTSTRAP_SEED = 1
MEAN_OVER = tuple(finding for finding in FINDINGS if finding not in {ANY, "opacity"})  # the named 13

_LIMITS = """\
## Limits

- The labels are mined from reports and often wrong, in training and in this test: a figure above says how
  well the model agrees with such labels, not with the truth.
- One hospital, chosen images: abnormal radiographs are far commoner here than in a clinic. A probability is
  calibrated to this mix; elsewhere it ranks but overstates.
- Calibration and thresholds of rare findings rest on few positive patients; what they reach on other
  patients, above, differs from what was aimed at.
- Heat maps are the network's own class maps on a coarse grid: they say where it looked and are too coarse to
  outline a nodule. How often they point into an expert's box was not measured.
- Where another detector's reads were learnt from, its errors were too: the two are not independent.
- Not measured by age, sex or view, on children, or on images of another hospital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Labels and calibrated probabilities of the test radiographs; columns are `FINDINGS`."""

    radiographs: tuple[Radiograph, ...]
    probabilities: NDArray[np.floating]
    labels: NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the card states; None where the test patients lack the finding or its absence."""

    per_finding: dict[str, Interval | None]
    mean: Interval  # over the findings of `MEAN_OVER` that could be measured
    measured: tuple[str, ...]  # those findings


def measure(evaluation: Evaluation) -> Figures:
    """Return the AUC of every finding and the mean, with intervals over patients."""
    patients = [radiograph.patient for radiograph in evaluation.radiographs]
    samples = patient_samples(patients, rounds=BOOTSTRAP_ROUNDS, seed=BOOTSTRAP_SEED)
    labels, scores = evaluation.labels, evaluation.probabilities
    usable = {finding for at, finding in enumerate(FINDINGS) if 0 < labels[:, at].mean() < 1}
    measured = tuple(finding for finding in MEAN_OVER if finding in usable)
    columns = [FINDINGS.index(finding) for finding in measured]
    return Figures(
        per_finding={
            finding: auc_interval(scores[:, at], labels[:, at], samples) if finding in usable else None
            for at, finding in enumerate(FINDINGS)
        },
        mean=mean_auc_interval(scores[:, columns], labels[:, columns], samples),
        measured=measured,
    )


def write_card(manifest: Manifest, evaluation: Evaluation, split: Split, settings: Settings) -> str:
    """Return the model card as Markdown."""
    figures = measure(evaluation)
    sections = (
        f"# {manifest.name} {manifest.version}\n\n{manifest.intended_use.statement}",
        _purpose(manifest),
        _origin(manifest, split, settings),
        _results(figures, evaluation, manifest),
        _LIMITS,
    )
    return "\n\n".join(sections) + "\n"


def _purpose(manifest: Manifest) -> str:
    use = manifest.intended_use
    return (
        "## Meant for\n\n"
        f"Modality {' or '.join(use.modalities)}, {use.body_parts[0]}, {' or '.join(use.views)} view, "
        f"patients from {use.minimum_age_years:g} years on. Any other image gets no score but a reason.\n\n"
        f"Findings: {', '.join(manifest.findings)}.\n\n"
        f"Licence of the weights: {manifest.licence}."
    )


def _origin(manifest: Manifest, split: Split, settings: Settings) -> str:
    sources = "\n".join(f"- {source}" for source in manifest.training_data)
    rows = "\n".join(
        f"| {name} | {len(group)} | {len({radiograph.patient for radiograph in group})} | {_views(group)} |"
        for name, group in (
            ("training", split.training),
            ("validation", split.validation),
            ("test", split.test),
        )
    )
    return (
        f"## Made from\n\n{sources}\n\n"
        f"No patient is in two groups; a hash of the patient with the salt `{settings.salt}` decides.\n\n"
        f"| group | radiographs | patients | views |\n|---|---|---|---|\n{rows}\n\n"
        "Validation patients decide calibration and operating points; test patients decide nothing.\n\n"
        f"Made again by `{manifest.training['command']}`. Made with torch {manifest.training['torch']}: "
        "another version or number of threads may change the last digits. Settings:\n\n"
        f"```\n{_settings(settings)}\n```"
    )


def _results(figures: Figures, evaluation: Evaluation, manifest: Manifest) -> str:
    point = manifest.operating_point()
    count = len(evaluation.radiographs)
    patients = len({radiograph.patient for radiograph in evaluation.radiographs})
    header = "| finding | positive | AUC (95 %) | sensitivity | specificity |\n|---|---|---|---|---|"
    rows = [
        f"| {finding} | {int(evaluation.labels[:, at].sum())} | {_interval(figures.per_finding[finding])} "
        f"| {_rates(evaluation, at, point.thresholds[finding])} |"
        for at, finding in enumerate(FINDINGS)
    ]
    return (
        f"## Reached on the test patients\n\n{count} radiographs of {patients} patients, labels mined from "
        f"reports; intervals by {BOOTSTRAP_ROUNDS} bootstrap rounds over patients. Sensitivity and "
        f"specificity are those of the operating point `{point.name}` ({point.rule}), "
        f"chosen on: {point.cohort}.\n\n"
        + "\n".join((header, *rows))
        + f"\n\nMean AUC over {len(figures.measured)} findings (all but opacity and any_abnormality): "
        f"**{_interval(figures.mean)}**. {_chance(figures)}"
    )


def _chance(figures: Figures) -> str:
    weak = [name for name, interval in figures.per_finding.items() if interval and interval.low <= 0.5]
    return f"Not shown to be better than chance (the interval reaches 0.5): {', '.join(weak) or 'none'}."


def _rates(evaluation: Evaluation, at: int, threshold: float) -> str:
    flagged = evaluation.probabilities[:, at] >= threshold
    positive = evaluation.labels[:, at] == 1
    if positive.all() or not positive.any():
        return "- | -"
    return f"{flagged[positive].mean():.2f} | {(~flagged[~positive]).mean():.2f}"


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _views(group: Sequence[Radiograph]) -> str:
    counts = Counter(radiograph.view for radiograph in group)
    return ", ".join(f"{count} {view}" for view, count in sorted(counts.items()))


def _settings(settings: Settings) -> str:
    return "\n".join(f"{name} = {value}" for name, value in asdict(settings).items())
