"""The model card, written by the command that made the model, so that no figure in it is typed by hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from models.manifest import Manifest
from training.datasets import FINDINGS, Radiograph
from training.figures import (
    BOOTSTRAP_ROUNDS,
    LEAST_OF_GROUP,
    Beside,
    Evaluation,
    Figures,
    Group,
    Outside,
    Report,
)
from training.metrics import Interval
from training.pointing import Pointing
from training.recipe import Settings
from training.split import Split

CARD_FILE = "README.md"

_LIMITS = """\
## Limits

- The labels are mined from reports and often wrong, in training and in this test: a figure above says how
  well the model agrees with such labels, not with the truth.
- One hospital, chosen images: abnormal radiographs are far commoner here than in a clinic. A probability is
  calibrated to this mix; elsewhere it ranks but overstates.
- The radiographs come from samples chosen in different ways, and which one an image is from tells much about
  its labels (see "Without the image"): a part of what the model reaches is to know a sample by its look.
- Thresholds were chosen on what the teachers said of patients that they had not seen; the released networks
  are others of the same recipe. What they reach on the test patients is in the table.
- Heat maps are coarse. They were taught by boxes on few radiographs, mostly of consolidation and effusion;
  for findings without boxes they are a by-product.
- Where another detector's reads were learnt from, its errors were too: the two are not independent.
- Not meant for children, and not measured on images of another hospital."""


def write_card(
    manifest: Manifest, evaluation: Evaluation, report: Report, split: Split, settings: Settings
) -> str:
    """Return the model card as Markdown."""
    sections = (
        f"# {manifest.name} {manifest.version}\n\n{manifest.intended_use.statement}",
        _purpose(manifest),
        _origin(manifest, split, settings),
        _results(report.test, evaluation, manifest),
        _groups(report.test.groups),
        _without_image(report.test),
        _teachers(report.unseen, settings),
        _beside(report),
        _pointing(report),
        _unfamiliar(report),
        _LIMITS,
    )
    return "\n\n".join(section for section in sections if section) + "\n"


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
        for name, group in (("training", split.training), ("test", split.test))
    )
    return (
        f"## Made from\n\n{sources}\n\n"
        f"No patient is in both groups; a hash of the patient with the salt `{settings.salt}` decides.\n\n"
        f"| group | radiographs | patients | views |\n|---|---|---|---|\n{rows}\n\n"
        f"{settings.teachers} teachers were each trained without one of {settings.parts} parts of the "
        "training patients. What they say of the patients that they left out corrects the labels that the "
        f"{settings.networks} released networks learn from, calibrates them and chooses the operating "
        "points. The released networks share their frozen first layers, and their answers are averaged. Test "
        "patients decide nothing.\n\n"
        f"Made again by `{manifest.training['command']}`. Made with torch {manifest.training['torch']}: "
        "another version may change the last digits. Settings:\n\n"
        f"```\n{_settings(settings)}\n```"
    )


def _results(figures: Figures, evaluation: Evaluation, manifest: Manifest) -> str:
    point = manifest.operating_point()
    count = len(evaluation.radiographs)
    patients = len({radiograph.patient for radiograph in evaluation.radiographs})
    header = (
        "| finding | positive | AUC (95 %) | sensitivity | specificity | expected | observed |\n"
        "|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {finding} | {int(evaluation.labels[:, at].sum())} | {_interval(figures.per_finding[finding])} "
        f"| {_rates(evaluation, at, point.thresholds[finding])} "
        f"| {evaluation.probabilities[:, at].mean():.3f} | {evaluation.labels[:, at].mean():.3f} |"
        for at, finding in enumerate(FINDINGS)
    ]
    return (
        f"## Reached on the test patients\n\n{count} radiographs of {patients} patients, labels mined from "
        f"reports; intervals by {BOOTSTRAP_ROUNDS} bootstrap rounds over patients. Sensitivity and "
        f"specificity are those of the operating point `{point.name}` ({point.rule}), "
        f"chosen on: {point.cohort}. Expected is the mean of the calibrated probabilities, observed the "
        "share of positive labels.\n\n"
        + "\n".join((header, *rows))
        + f"\n\nMean AUC over {len(figures.measured)} findings (all but opacity and any_abnormality): "
        f"**{_interval(figures.mean)}**. {_chance(figures)}"
    )


def _groups(groups: Sequence[Group]) -> str:
    rows = "\n".join(
        f"| {group.name} | {group.radiographs} | {group.patients} "
        f"| {_interval(group.mean)} | {group.findings} | {_interval(group.abnormal)} |"
        for group in groups
    )
    return (
        "## By view, sex and age\n\nTest patients; the mean is over the findings that the group holds "
        f"{LEAST_OF_GROUP} positive and {LEAST_OF_GROUP} negative radiographs of, so means of groups with "
        "different findings do not compare.\n\n"
        "| group | radiographs | patients | mean AUC (95 %) | findings | any abnormality (95 %) |\n"
        f"|---|---|---|---|---|---|\n{rows}"
    )


def _without_image(figures: Figures) -> str:
    return (
        "## Without the image\n\nMean AUC over the same findings on the test patients, learnt from the "
        "training patients without seeing a pixel: "
        f"which files of the data set name the image {_interval(figures.source_alone)}; "
        f"age, sex and view {_interval(figures.patient_alone)}."
    )


def _teachers(figures: Figures, settings: Settings) -> str:
    any_abnormality = figures.per_finding["any_abnormality"]
    return (
        f"## The {settings.teachers} teachers on the training patients that each left out\n\nThe same recipe "
        f"without teachers, with {1 - 1 / settings.parts:.0%} of the training patients. "
        f"Mean AUC {_interval(figures.mean)}, any abnormality {_interval(any_abnormality)}."
    )


def _beside(report: Report) -> str:
    rows = [
        _beside_row(name, beside)
        for name, beside in (
            ("teachers, on what each left out", report.unseen.beside),
            ("released networks, test patients", report.test.beside),
        )
        if beside
    ]
    if not rows:
        return ""
    return (
        "## Beside the detector that it imitates\n\nMean AUC on the radiographs that the published CheXNet "
        "reproduction has read, which are of its own test images; it was trained on most of the over 100,000 "
        "radiographs of NIH ChestX-ray14.\n\n"
        "| | radiographs | patients | findings | this model (95 %) | CheXNet (95 %) | difference in pairs |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def _beside_row(name: str, beside: Beside) -> str:
    gain = beside.gain
    return (
        f"| {name} | {beside.radiographs} | {beside.patients} | {beside.findings} | {_interval(beside.own)} "
        f"| {_interval(beside.other)} | {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) |"
    )


def _pointing(report: Report) -> str:
    if not report.pointing and not report.test_pointing:
        return ""
    header = (
        "| finding | boxed radiographs | peak in box (95 %) | one place for all (95 %) |\n|---|---|---|---|"
    )
    parts = [
        f"{title}:\n\n{header}\n" + "\n".join(_pointing_row(row) for row in rows)
        for title, rows in (
            ("Teachers, on the training patients that each left out", report.pointing),
            ("The released network, on the test patients", report.test_pointing),
        )
        if rows
    ]
    return (
        "## Where it looks\n\nHow often the largest value of a finding's map lies in a box of it, against "
        "the place that lies in most boxes of other patients.\n\n" + "\n\n".join(parts)
    )


def _pointing_row(row: Pointing) -> str:
    return f"| {row.finding} | {row.radiographs} | {_interval(row.hits)} | {_interval(row.fixed)} |"


def _unfamiliar(report: Report) -> str:
    known = (
        "## Unfamiliar images\n\n`out_of_distribution` is the share of the training radiographs that look "
        "less unusual to the frozen first layers, each measured by what was learnt from other patients. "
        f"{report.test.unusual:.1%} of the test radiographs are above 0.95, where 5 % would be expected."
    )
    return known if report.outside is None else f"{known}\n\n{_outside(report.outside)}"


def _outside(outside: Outside) -> str:
    return (
        f"{outside.description} ({outside.images} images, each taken for a patient): "
        f"{outside.beyond:.1%} are above 0.95; AUC of telling them from the test radiographs "
        f"{_interval(outside.unusual)}. The model is not meant for them; AUC of {outside.finding} on them "
        f"{_interval(outside.auc)}."
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
