"""The model card, written by the command that made the model, so that no figure in it is typed by hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from models.manifest import Manifest
from overread.statistics import Estimate
from training.datasets import FINDINGS, Radiograph
from training.figures import (
    LEAST_OF_GROUP,
    Beside,
    Evaluation,
    Figures,
    Group,
    Outside,
    Rates,
    Report,
)
from training.metrics import RESAMPLES
from training.pointing import Pointing
from training.recipe import Settings

CARD_FILE = "README.md"

_LIMITS = """\
## Limits

- The labels are mined from reports and often wrong, in training and in these figures: they say how well the
  model agrees with such labels, not with the truth.
- One hospital, chosen images: abnormal radiographs are far commoner here than in a clinic. A probability is
  calibrated to this mix; elsewhere it ranks but overstates.
- The radiographs come from samples chosen in different ways, and which one an image is from tells much about
  its labels (see "Without the image"): a part of what the model reaches is to know a sample by its look.
- The figures are of the networks of one fold at a time. The release averages those of all folds, of which no
  patient here was unseen, so that it cannot be measured on them: expect it to rank somewhat better than the
  folds on new patients of the same hospital, and worse on those of another.
- Heat maps are coarse. They were taught by boxes on few radiographs, mostly of consolidation and effusion;
  for findings without boxes they are a by-product.
- Where another detector's reads were learnt from, its errors were too: the two are not independent.
- Not meant for children, and not measured on adults of another hospital."""


def write_card(manifest: Manifest, evaluation: Evaluation, report: Report, settings: Settings) -> str:
    """Return the model card as Markdown."""
    sections = (
        f"# {manifest.name} {manifest.version}\n\n{manifest.intended_use.statement}",
        _purpose(manifest),
        _origin(manifest, evaluation, settings),
        _results(report, evaluation, manifest),
        _groups(report.folds.groups),
        _without_image(report.folds),
        _beside(report.folds.beside),
        _calibration(report, settings),
        _pointing(report.pointing),
        _unfamiliar(report.outside),
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


def _origin(manifest: Manifest, evaluation: Evaluation, settings: Settings) -> str:
    sources = "\n".join(f"- {source}" for source in manifest.training_data)
    each = len(settings.networks)
    return (
        f"## Made from\n\n{sources}\n\n"
        f"{_size(evaluation.radiographs)} ({_views(evaluation.radiographs)}), in {settings.folds} folds; a "
        f"hash of the patient decides which. Each of the {settings.folds * each} networks was trained "
        f"without one fold, {each} for each. What they say of the patients that they left out gives the "
        "figures below, the calibration and the operating points. The release is the mean of all, so that "
        f"every patient was learnt from by {(settings.folds - 1) * each} of them; they share their frozen "
        "first layers. Their weights are stored in 8 bits.\n\n"
        f"Made again by `{manifest.training['command']}`. Made with torch {manifest.training['torch']}: "
        "another version may change the last digits. Settings:\n\n"
        f"```\n{_settings(settings)}\n```"
    )


def _results(report: Report, evaluation: Evaluation, manifest: Manifest) -> str:
    point, figures = manifest.operating_point(), report.folds
    header = (
        "| finding | positive | AUC (95 %) | sensitivity | specificity | expected | observed |\n"
        "|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {finding} | {int(evaluation.labels[:, at].sum())} | {_interval(figures.per_finding[finding])} "
        f"| {_rates(report.rates[finding])} |"
        for at, finding in enumerate(FINDINGS)
    ]
    return (
        f"## Reached on patients that were left out\n\n{_size(evaluation.radiographs)}, each read by the "
        "networks that had not seen the patient, both ways round; labels mined from reports; intervals by "
        f"{RESAMPLES} bootstrap rounds over patients. Sensitivity and specificity are those of the "
        f"operating point `{point.name}` ({point.rule}), expected is the mean of the calibrated "
        "probabilities, observed the share of positive labels; for these four, curve and threshold of a fold "
        "come from the other folds.\n\n"
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
        "## By view, sex and age\n\nLikewise; the mean is over the findings that the group holds "
        f"{LEAST_OF_GROUP} positive and {LEAST_OF_GROUP} negative radiographs of, so means of groups with "
        "different findings do not compare.\n\n"
        "| group | radiographs | patients | mean AUC (95 %) | findings | any abnormality (95 %) |\n"
        f"|---|---|---|---|---|---|\n{rows}"
    )


def _without_image(figures: Figures) -> str:
    return (
        "## Without the image\n\nMean AUC over the same findings on the same patients, learnt from the other "
        "folds without seeing a pixel: "
        f"which files of the data set name the image {_interval(figures.source_alone)}; "
        f"age, sex and view {_interval(figures.patient_alone)}."
    )


def _beside(beside: Beside | None) -> str:
    if beside is None:
        return ""
    gain = beside.gain
    return (
        "## Beside another detector\n\nMean AUC on the radiographs that the published CheXNet reproduction "
        "has read, which are of its own test images; it was trained on most of the over 100,000 radiographs "
        "of NIH ChestX-ray14, and this model learns from what it says of other patients.\n\n"
        "| radiographs | patients | findings | this model (95 %) | CheXNet (95 %) | difference in pairs |\n"
        "|---|---|---|---|---|---|\n"
        f"| {beside.radiographs} | {beside.patients} | {beside.findings} | {_interval(beside.own)} "
        f"| {_interval(beside.other)} | {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) |"
    )


def _calibration(report: Report, settings: Settings) -> str:
    each = len(settings.networks)
    fitted = f"the mean of the {each} networks" if each > 1 else "the one network"
    start = (
        f"## The scale of the probabilities\n\nThe curves were fitted on what {fitted} of a fold said of "
        f"patients that were left out, and the release averages {each * settings.folds}. "
    )
    if report.agreement is None:
        return start + "How much less its answers spread is not known, so the curves are as they were fitted."
    return start + (
        "The mean of more networks spreads less, and what is left of it says more: each slope was raised by "
        f"as much as the variance falls when two networks of a fold correlate by {report.agreement:.2f}, as "
        "they do on patients that neither has seen. The thresholds were chosen on the probabilities of the "
        "folds and were not changed."
    )


def _pointing(rows: Sequence[Pointing]) -> str:
    if not rows:
        return ""
    header = (
        "| finding | boxed radiographs | peak in box (95 %) | one place for all (95 %) |\n|---|---|---|---|"
    )
    return (
        "## Where it looks\n\nHow often the largest value of a finding's map lies in a box of it, against "
        "the place that lies in most boxes of other patients; patients that were left out.\n\n"
        f"{header}\n" + "\n".join(_pointing_row(row) for row in rows)
    )


def _pointing_row(row: Pointing) -> str:
    return f"| {row.finding} | {row.radiographs} | {_interval(row.hits)} | {_interval(row.fixed)} |"


def _unfamiliar(outside: Outside | None) -> str:
    known = (
        "## Other sources\n\n`out_of_distribution` is the share of the radiographs above that look less "
        "unusual to the frozen first layers, each measured by what was learnt from the other folds."
    )
    return known if outside is None else f"{known}\n\n{_outside(outside)}"


def _outside(outside: Outside) -> str:
    return (
        f"{outside.description} ({outside.images} images, each taken for a patient): "
        f"{outside.beyond:.1%} are above 0.95; AUC of telling them from the radiographs above "
        f"{_interval(outside.unusual)}. The model is not meant for them; AUC of {outside.finding} on them "
        f"{_interval(outside.auc)}."
    )


def _chance(figures: Figures) -> str:
    weak = [name for name, interval in figures.per_finding.items() if interval and interval.low <= 0.5]
    return f"Not shown to be better than chance (the interval reaches 0.5): {', '.join(weak) or 'none'}."


def _rates(rates: Rates) -> str:
    return f"{rates.sensitivity:.2f} | {rates.specificity:.2f} | {rates.expected:.3f} | {rates.observed:.3f}"


def _size(group: Sequence[Radiograph]) -> str:
    return f"{len(group)} radiographs of {len({radiograph.patient for radiograph in group})} patients"


def _interval(interval: Estimate | None) -> str:
    return "-" if interval is None else f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _views(group: Sequence[Radiograph]) -> str:
    counts = Counter(radiograph.view for radiograph in group)
    return ", ".join(f"{count} {view}" for view, count in sorted(counts.items()))


def _settings(settings: Settings) -> str:
    return "\n".join(f"{name} = {value}" for name, value in asdict(settings).items())
