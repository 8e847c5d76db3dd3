"""Judged sets at hand: a panel's reads, reads of another hospital, boxes by radiologists, planted misses."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from evaluation.carryover.judged import JudgedSet, Questions, Scores, our_scores, raw_scores
from evaluation.chexpert import DETECTOR as CHEXPERT
from evaluation.chexpert import chexpert_cases, read_chexpert
from evaluation.cohortfile import open_cohort
from evaluation.nih import DETECTOR as CHEXNET
from evaluation.nih import MEMBERS, PANEL
from overread.case_arrays import NOBODY_LOOKED, Booleans, CaseArrays, CaseReader, Floats, Verdicts
from overread.cohort import CohortCase
from overread.cohort_order import fit_adjudications, past_reports
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.finding import ANY_ABNORMALITY, load_vocabulary
from overread.priority import default_policy
from overread.report import load_reader
from overread.reporting_model import ReportingModel, fit_reporting_model, with_adjudications

PANEL_WEIGHTS = {"pneumothorax": 3.0, "lung_lesion": 2.0, "opacity": 1.0}
PLANTED_SHARE = 0.3  # of the reports that state something, which lose one finding
LEFT_OUT_STUDIES = 4_000
SEED = 20261129
_BOXED = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Effusion": "effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Mass": "mass",
    "Nodule": "nodule",
    "Diffuse Nodule": "nodule",
    "Pleural Thickening": "pleural_thickening",
    "Pneumothorax": "pneumothorax",
}


def panel_set(cases: Sequence[CohortCase], arrays: CaseArrays) -> JudgedSet:
    """Return the studies that the panel read, with the model learned from the reports of all other patients.

    Args:
        cases: every NIH study with scores, those that the panel read with adjudications by class.
        arrays: of the same.
    """
    read = arrays.rows(np.flatnonzero(arrays.ordered))
    families = tuple(PANEL.values())
    questions = Questions(
        columns=tuple(
            tuple(read.findings.index(finding) for finding in sorted(MEMBERS[family])) for family in families
        ),
        weights=np.array([PANEL_WEIGHTS[family] for family in families]),
    )
    return _judged(
        "NIH panel, three classes; CheXNet; reports of the other patients",
        read,
        learned(CHEXNET, other_patients(arrays, read)),
        _of_classes(cases, families),
        questions,
    )


def left_out_set(arrays: CaseArrays) -> JudgedSet:
    """Return studies of one half of the patients with planted misses, with the model of the other half."""
    rng = np.random.default_rng(SEED)
    names, numbers = np.unique(arrays.patients, return_inverse=True)
    half = rng.permutation(len(names))[numbers] % 2 == 0
    rows = rng.permutation(np.flatnonzero(half))[:LEFT_OUT_STUDIES]
    planted, missed = plant(arrays.rows(rows), rng)
    return _by_output(
        "NIH, one stated finding left out of 30 %; CheXNet; reports of other patients",
        planted,
        learned(CHEXNET, arrays.rows(np.flatnonzero(~half))),
        missed,
    )


def out_of_fold_set(path: Path) -> JudgedSet:
    """Return planted misses for a detector that did not learn from these patients, one half for the model.

    Args:
        path: cohort file with the outputs, such as `overread train --out-of-fold` writes.
    """
    arrays = arrays_of(open_cohort(path))
    rng = np.random.default_rng(SEED)
    names, numbers = np.unique(arrays.patients, return_inverse=True)
    half = rng.permutation(len(names))[numbers] % 2 == 0
    planted, missed = plant(arrays.rows(np.flatnonzero(half)), rng)
    detector = next(item.detector for case in open_cohort(path) for item in case.detections)
    past = arrays.rows(np.flatnonzero(~half))
    return _by_output(
        "the same, default detector on patients that it did not learn from",
        planted,
        learned(detector, past),
        missed,
    )


def boxed_set(arrays: CaseArrays, boxes: Path) -> JudgedSet:
    """Return the studies that radiologists drew boxes on (ChestX-Det), with the model of all other patients.

    Raises:
        InvalidFileError: the file is missing or malformed.
    """
    try:
        images = {item["file_name"]: item["syms"] for item in json.loads(boxes.read_text(encoding="utf-8"))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(f"cannot read {boxes}: {error}") from error
    read = arrays.rows(
        np.array([row for row, case in enumerate(arrays.cases) if case in images], dtype=np.int64)
    )
    confirmed = np.full(read.scores.shape, np.nan)
    for finding in set(_BOXED.values()):
        confirmed[:, read.findings.index(finding)] = 0.0
    for row, case in enumerate(read.cases):
        for word in images[case]:
            if word in _BOXED:
                confirmed[row, read.findings.index(_BOXED[word])] = 1.0
    return _by_output(
        "NIH, boxes by radiologists; CheXNet; reports of the other patients",
        read,
        learned(CHEXNET, other_patients(arrays, read)),
        confirmed,
    )


def chexpert_sets(folder: Path) -> tuple[JudgedSet, JudgedSet]:
    """Return the CheXpert studies by what their own reports teach, and by second reads of half of them.

    In the second the order of each half is corrected by the adjudications of the other.
    """
    arrays = arrays_of(chexpert_cases(read_chexpert(folder)))
    confirmed = _verdicts(arrays.missed)
    name = "Stanford, five findings; mean of the published models"
    alone = _by_output(f"{name}; their own reports", arrays, learned(CHEXPERT, arrays), confirmed)
    names, numbers = np.unique(arrays.patients, return_inverse=True)
    half = np.random.default_rng(SEED).permutation(len(names))[numbers] % 2 == 0
    crossed = _put_together([(rows, _half(arrays, confirmed, rows)) for rows in (half, ~half)])
    return alone, replace(alone, name=f"{name}; second reads of the other half", ours=crossed)


def _half(arrays: CaseArrays, confirmed: Floats, chosen: Booleans) -> Scores:
    """Return the order of some cases by what reports and second reads of all others teach."""
    past, now = arrays.rows(np.flatnonzero(~chosen)), arrays.rows(np.flatnonzero(chosen))
    model = learned(CHEXPERT, past)
    second = fit_adjudications(past, default_policy(), load_vocabulary(), model)
    if second is not None:
        model = with_adjudications(model, second)
    return our_scores(now, model, confirmed[chosen], _each_output(arrays.findings))


def _put_together(parts: Sequence[tuple[Booleans, Scores]]) -> Scores:
    """Return the scores of all cases, each from the part that it is in."""
    arrays = {}
    for field in fields(Scores):
        first = getattr(parts[0][1], field.name)
        whole = np.empty((len(parts[0][0]), *first.shape[1:]))
        for rows, scores in parts:
            whole[rows] = getattr(scores, field.name)
        arrays[field.name] = whole
    return Scores(**arrays)


def learned(detector: str, past: CaseArrays) -> ReportingModel:
    """Return the reporting model of past cases; nothing that comes with overread is used."""
    return fit_reporting_model(detector, None, past.findings, past_reports(past))


def other_patients(arrays: CaseArrays, some: CaseArrays) -> CaseArrays:
    """Return the cases of all patients that have none among some."""
    known = set(some.patients)
    rows = [row for row, patient in enumerate(arrays.patients) if patient not in known]
    return arrays.rows(np.array(rows, dtype=np.int64))


def plant(arrays: CaseArrays, rng: np.random.Generator) -> tuple[CaseArrays, Floats]:
    """Return cases of which 30 % with any stated finding lose one, and where: 1, else 0, NaN where stated.

    What a report states as a kind of another finding goes with it only if nothing else states that.
    """
    stated = arrays.named.copy()
    confirmed = np.zeros(stated.shape)
    for row in range(len(arrays)):
        columns = np.flatnonzero(stated[row])
        if len(columns) and rng.random() < PLANTED_SHARE:
            gone = rng.choice(columns)
            stated[row, gone] = False
            confirmed[row, gone] = 1.0
    confirmed[stated] = np.nan
    return with_reports(arrays, stated), confirmed


def with_reports(arrays: CaseArrays, named: Booleans) -> CaseArrays:
    """Return the cases with reports that state these findings and say nothing else."""
    vocabulary = load_vocabulary()
    kinds = np.array(
        [[other in vocabulary.kinds_of(finding) for finding in arrays.findings] for other in arrays.findings]
    )
    related = np.array(
        [
            [other in vocabulary.related_to(finding) for finding in arrays.findings]
            for other in arrays.findings
        ]
    )
    nothing = np.zeros_like(named)
    return replace(
        arrays,
        named=named,
        stated=(named.astype(np.int64) @ kinds) > 0,
        related=(named.astype(np.int64) @ related) > 0,
        hedged=nothing,
        denied=nothing,
    )


def arrays_of(cases: Iterable[CohortCase]) -> CaseArrays:
    """Return the cases as arrays, by the first detector of the first case.

    Raises:
        InvalidFileError: there is no case with a detector.
    """
    rows = list(cases)
    if not rows or not rows[0].detections:
        raise InvalidFileError("the cohort holds no case with scores")
    detection, vocabulary = rows[0].detections[0], load_vocabulary()
    findings = tuple(
        finding for finding in detection.scores if finding in vocabulary and finding != ANY_ABNORMALITY
    )
    ratios = default_policy().tables.triggers
    return CaseReader(detection.detector, findings, vocabulary, ratios, load_reader().read).arrays(rows)


def _by_output(name: str, arrays: CaseArrays, model: ReportingModel, confirmed: Floats) -> JudgedSet:
    """Return a set in which every output is a question of its own."""
    open_ones = np.where(arrays.named, np.nan, confirmed)
    return _judged(name, arrays, model, open_ones, _each_output(arrays.findings))


def _judged(
    name: str, arrays: CaseArrays, model: ReportingModel, confirmed: Floats, questions: Questions
) -> JudgedSet:
    return JudgedSet(
        name=name,
        patients=np.array(arrays.patients),
        confirmed=confirmed,
        weights=questions.weights,
        raw=raw_scores(arrays, confirmed, questions),
        ours=our_scores(arrays, model, confirmed, questions),
    )


def _each_output(findings: Sequence[str]) -> Questions:
    vocabulary = load_vocabulary()
    return Questions(
        columns=tuple((column,) for column in range(len(findings))),
        weights=np.array([float(vocabulary[finding].weight) for finding in findings]),
    )


def _of_classes(cases: Sequence[CohortCase], families: Sequence[str]) -> Floats:
    """Return what the panel confirmed of each class that the report does not state, (read cases, classes)."""
    read = [case for case in cases if not case.context_only]
    confirmed = np.full((len(read), len(families)), np.nan)
    for row, case in enumerate(read):
        for item in case.adjudications:
            if item.kind is DiscrepancyKind.POSSIBLE_MISS:
                confirmed[row, families.index(item.finding)] = item.confirmed
    return confirmed


def _verdicts(verdicts: Verdicts) -> Floats:
    return np.where(verdicts == NOBODY_LOOKED, np.nan, verdicts.astype(np.float64))
