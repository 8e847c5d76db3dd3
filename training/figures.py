"""Figures of the model card: each with n and an interval over patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.statistics import Estimate
from training.calibration import balanced_threshold, curve_values, fit_logistic, fit_platt
from training.datasets import ANY, FINDINGS, Radiograph
from training.metrics import auc_estimate, auc_gain_estimate, mean_auc_estimate
from training.pointing import Pointing
from training.targets import label_matrix

MEAN_OVER = tuple(finding for finding in FINDINGS if finding not in {ANY, "opacity"})  # the named 13
LEAST_OF_GROUP = 5  # positives and negatives of a finding; a subgroup with fewer does not count it

GROUPS: Mapping[str, Callable[[Radiograph], bool]] = {
    "view PA": lambda radiograph: radiograph.view == "PA",
    "view AP": lambda radiograph: radiograph.view == "AP",
    "women": lambda radiograph: radiograph.sex == "F",
    "men": lambda radiograph: radiograph.sex == "M",
    "up to 39 years": lambda radiograph: radiograph.age_years < 40,
    "40 to 59 years": lambda radiograph: 40 <= radiograph.age_years < 60,
    "60 years and more": lambda radiograph: radiograph.age_years >= 60,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Labels and scores of radiographs that were not trained on; columns are `FINDINGS`."""

    radiographs: tuple[Radiograph, ...]
    scores: NDArray[np.floating]  # larger is likelier
    labels: NDArray[np.floating]
    out_of_distribution: NDArray[np.floating]  # (radiographs,), see `overread.observation.Detection`


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The model on some of the radiographs."""

    name: str
    radiographs: int
    patients: int
    mean: Estimate  # over the findings with `LEAST_OF_GROUP` of either kind
    findings: int  # how many those are
    abnormal: Estimate | None  # any abnormality; None with fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Images of another population; `positive` is what their own labels say."""

    description: str
    finding: str  # whose probability is compared with the labels
    auc: Estimate
    unusual: Estimate  # AUC of being out of distribution, against the radiographs that were left out
    beyond: float  # share that looks less usual than 95 % of the radiographs that were trained on
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The model beside the other detector, on the radiographs that the latter has read."""

    radiographs: int
    patients: int
    findings: int  # of `MEAN_OVER` that these radiographs hold; the means are over them
    own: Estimate
    other: Estimate
    gain: Estimate  # of the model over the other detector, in pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A finding at the default operating point, and its share by the calibrated probabilities."""

    sensitivity: float
    specificity: float
    expected: float  # mean of the probabilities
    observed: float  # share of positive labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures over the folds; None where they lack the finding or its absence."""

    per_finding: dict[str, Estimate | None]
    mean: Estimate  # over the findings of `MEAN_OVER` that could be measured
    measured: tuple[str, ...]  # those findings
    groups: tuple[Group, ...]
    source_alone: Estimate  # mean AUC over the same findings, knowing which files name the image
    patient_alone: Estimate  # the same, knowing age, sex and view
    beside: Beside | None  # None where the other detector has read nothing that could be measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the card tells of results."""

    folds: Figures
    rates: dict[str, Rates]
    agreement: float | None  # correlation of two networks of a fold; None where a fold has one network
    pointing: tuple[Pointing, ...]
    outside: Outside | None


def measure(evaluation: Evaluation, folds: NDArray[np.intp]) -> Figures:
    """Return the AUC of every finding, the mean, subgroups and what needs no image, over patients.

    Args:
        evaluation: of radiographs, each by networks that had not seen the patient.
        folds: of the radiographs; what is guessed without an image is learnt from the other folds.
    """
    patients = _patients(evaluation.radiographs)
    labels, scores = evaluation.labels, evaluation.scores
    usable = {finding for at, finding in enumerate(FINDINGS) if 0 < labels[:, at].mean() < 1}
    measured = tuple(finding for finding in MEAN_OVER if finding in usable)
    columns = [FINDINGS.index(finding) for finding in measured]

    def mean_of(guesses: NDArray[np.floating]) -> Estimate:
        return mean_auc_estimate(guesses[:, columns], labels[:, columns], patients)

    return Figures(
        per_finding={
            finding: auc_estimate(scores[:, at], labels[:, at], patients) if finding in usable else None
            for at, finding in enumerate(FINDINGS)
        },
        mean=mean_of(scores),
        measured=measured,
        groups=tuple(
            group for name, belongs in GROUPS.items() if (group := _group(name, evaluation, belongs))
        ),
        source_alone=mean_of(_by_folds(guess_by_source, evaluation.radiographs, folds)),
        patient_alone=mean_of(_by_folds(guess_by_patient, evaluation.radiographs, folds)),
        beside=measure_beside(evaluation),
    )


def measure_rates(
    logits: NDArray[np.floating], labels: NDArray[np.floating], folds: NDArray[np.intp]
) -> dict[str, Rates]:
    """Return the rates of every finding; curve and threshold of a fold are chosen on the others.

    Raises:
        InvalidFileError: the other folds lack a finding or its absence.
    """
    found = {}
    for at, finding in enumerate(FINDINGS):
        probabilities, flagged = np.zeros(len(logits)), np.zeros(len(logits), bool)
        for fold in np.unique(folds):
            held = folds == fold
            curve = fit_platt(logits[~held, at], labels[~held, at])
            known = curve_values(curve, logits[~held, at])
            probabilities[held] = curve_values(curve, logits[held, at])
            flagged[held] = probabilities[held] >= balanced_threshold(known, labels[~held, at])
        positive = labels[:, at] == 1
        found[finding] = Rates(
            sensitivity=float(flagged[positive].mean()),
            specificity=float((~flagged[~positive]).mean()),
            expected=float(probabilities.mean()),
            observed=float(labels[:, at].mean()),
        )
    return found


Guess = Callable[[Sequence[Radiograph], Sequence[Radiograph]], NDArray[np.floating]]


def _by_folds(
    guess: Guess, radiographs: Sequence[Radiograph], folds: NDArray[np.intp]
) -> NDArray[np.floating]:
    guesses = np.zeros((len(radiographs), len(FINDINGS)))
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        others = [radiographs[int(at)] for at in np.flatnonzero(folds != fold)]
        guesses[held] = guess([radiographs[int(at)] for at in held], others)
    return guesses


def measure_beside(evaluation: Evaluation) -> Beside | None:
    """Return how the model and the other detector do on the same radiographs: those that the latter read.

    It tells how far these labels let a detector come that was trained on many more radiographs.
    """
    read = [at for at, radiograph in enumerate(evaluation.radiographs) if radiograph.reads is not None]
    labels = evaluation.labels[read]
    columns = [FINDINGS.index(name) for name in MEAN_OVER]
    columns = [at for at in columns if read and 0 < labels[:, at].mean() < 1]
    if not columns:
        return None
    radiographs = [evaluation.radiographs[at] for at in read]
    patients = _patients(radiographs)
    labels, own = labels[:, columns], evaluation.scores[read][:, columns]
    reads = [found.reads or {} for found in radiographs]
    other = np.array([[said[FINDINGS[at]] for at in columns] for said in reads])
    return Beside(
        radiographs=len(read),
        patients=len(set(patients)),
        findings=len(columns),
        own=mean_auc_estimate(own, labels, patients),
        other=mean_auc_estimate(other, labels, patients),
        gain=auc_gain_estimate(own, other, labels, patients),
    )


def guess_by_source(
    radiographs: Sequence[Radiograph], training: Sequence[Radiograph]
) -> NDArray[np.floating]:
    """Return each finding's share among training radiographs that the same files name: no pixel is seen."""
    labels = label_matrix(training)
    sources = [_source(radiograph) for radiograph in training]
    shares = {
        source: labels[[at for at, other in enumerate(sources) if other == source]].mean(axis=0)
        for source in set(sources)
    }
    return np.array([shares.get(_source(radiograph), labels.mean(axis=0)) for radiograph in radiographs])


def guess_by_patient(
    radiographs: Sequence[Radiograph], training: Sequence[Radiograph]
) -> NDArray[np.floating]:
    """Return each finding's log odds by age, sex and view alone (logistic regression)."""
    labels = label_matrix(training)
    known, asked = _patient(training), _patient(radiographs)
    columns = []
    for at in range(len(FINDINGS)):
        if not 0 < labels[:, at].mean() < 1:
            columns.append(np.zeros(len(asked)))
            continue
        weights = fit_logistic(known, labels[:, at], prior=0.0, strength=1.0)
        columns.append(asked @ weights[:-1] + weights[-1])
    return np.stack(columns, axis=1)


def measure_outside(evaluation: Evaluation, inside: Evaluation, *, description: str, finding: str) -> Outside:
    """Return how the model does on another population, each image taken for a patient of its own."""
    count = len(evaluation.radiographs)
    each = [str(at) for at in range(count)]
    column = FINDINGS.index(finding)
    both = (*evaluation.radiographs, *inside.radiographs)
    unusual = np.concatenate([evaluation.out_of_distribution, inside.out_of_distribution])
    foreign = (np.arange(len(both)) < count).astype(float)
    return Outside(
        description=description,
        finding=finding,
        auc=auc_estimate(evaluation.scores[:, column], evaluation.labels[:, column], each),
        unusual=auc_estimate(unusual, foreign, _patients(both)),
        beyond=float((evaluation.out_of_distribution > 0.95).mean()),
        images=count,
    )


def _patients(radiographs: Sequence[Radiograph]) -> list[str]:
    return [radiograph.patient for radiograph in radiographs]


def _group(name: str, evaluation: Evaluation, belongs: Callable[[Radiograph], bool]) -> Group | None:
    inside = [at for at, radiograph in enumerate(evaluation.radiographs) if belongs(radiograph)]
    radiographs = [evaluation.radiographs[at] for at in inside]
    labels, scores = evaluation.labels[inside], evaluation.scores[inside]
    fewest = np.minimum(labels.sum(axis=0), (1 - labels).sum(axis=0)) if inside else np.zeros(len(FINDINGS))
    columns = [
        at for at, finding in enumerate(FINDINGS) if finding in MEAN_OVER and fewest[at] >= LEAST_OF_GROUP
    ]
    if not columns:
        return None
    patients = _patients(radiographs)
    last = FINDINGS.index(ANY)
    enough = fewest[last] >= LEAST_OF_GROUP
    return Group(
        name=name,
        radiographs=len(inside),
        patients=len(set(patients)),
        mean=mean_auc_estimate(scores[:, columns], labels[:, columns], patients),
        findings=len(columns),
        abnormal=auc_estimate(scores[:, last], labels[:, last], patients) if enough else None,
    )


def _source(radiograph: Radiograph) -> tuple[bool, bool, bool]:
    """Return which files besides the label file name the image: they are samples chosen in different ways."""
    expert = radiograph.expert is not None
    return (radiograph.reads is not None, expert, bool(radiograph.boxes) and not expert)


def _patient(radiographs: Sequence[Radiograph]) -> NDArray[np.float64]:
    rows = [
        [(found.age_years - 50) / 20, float(found.sex == "M"), float(found.view == "AP")]
        for found in radiographs
    ]
    return np.array(rows, np.float64)
