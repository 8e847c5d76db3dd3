"""The figures of the card: with and without the image, and in subgroups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from overread.statistics import roc_auc
from training.datasets import FINDINGS, Box, Radiograph
from training.figures import (
    Evaluation,
    guess_by_patient,
    guess_by_source,
    measure,
    measure_outside,
    measure_rates,
)
from training.targets import label_matrix

MASS = FINDINGS.index("mass")


def radiograph(at: int, *, sick: bool, view: str = "PA", age: int = 50, expert: bool = False) -> Radiograph:
    return Radiograph(
        name=f"{at:03d}",
        path=Path(),
        patient=str(at // 2),
        findings=frozenset(FINDINGS) if sick else frozenset(),
        view=view,
        sex="F" if at % 3 else "M",
        age_years=age,
        expert=frozenset[str]() if expert else None,
    )


def evaluation(radiographs: list[Radiograph], *, skill: float) -> Evaluation:
    labels = label_matrix(radiographs)
    random = np.random.default_rng(2)
    noise = random.random(labels.shape)
    return Evaluation(
        radiographs=tuple(radiographs),
        scores=skill * labels + (1 - skill) * noise,
        labels=labels,
        out_of_distribution=random.random(len(radiographs)),
    )


COHORT = [
    radiograph(at, sick=at % 2 == 0, view="AP" if at % 5 else "PA", age=30 + at % 50) for at in range(120)
]

FOLDS = np.arange(120) // 2 % 4  # both radiographs of a patient in one


def test_the_other_detector_is_measured_on_what_it_has_read() -> None:
    blind = dict.fromkeys(FINDINGS, 0.5)
    read = [replace(found, reads=blind) if at < 40 else found for at, found in enumerate(COHORT)]
    beside = measure(evaluation(read, skill=1.0), FOLDS).beside
    assert beside is not None
    assert (beside.radiographs, beside.patients, beside.findings) == (40, 20, 13)
    assert (beside.own.value, beside.other.value, beside.gain.value) == (1.0, 0.5, 0.5)
    assert measure(evaluation(COHORT, skill=1.0), FOLDS).beside is None


def test_a_perfect_model_is_perfect_in_every_group() -> None:
    figures = measure(evaluation(COHORT, skill=1.0), FOLDS)
    assert figures.mean.value == 1
    assert len(figures.measured) == 13
    assert {group.name for group in figures.groups} >= {"view PA", "view AP", "women", "men"}
    assert all(group.mean.value == 1 and group.findings == 13 for group in figures.groups)
    by_view = {group.name: group.radiographs for group in figures.groups}
    assert by_view["view PA"] + by_view["view AP"] == len(COHORT)


def test_a_group_that_cannot_be_measured_is_left_out() -> None:
    cohort = [radiograph(at, sick=at % 2 == 0, view="PA") for at in range(40)]
    names = {group.name for group in measure(evaluation(cohort, skill=0.5), FOLDS[:40]).groups}
    assert "view PA" in names
    assert "view AP" not in names


def test_the_source_tells_what_it_tells_in_training() -> None:
    training = [radiograph(at, sick=at < 10, expert=at < 10) for at in range(40)]
    guesses = guess_by_source(training, training)
    assert guesses[:10, MASS] == pytest.approx(1.0)
    assert guesses[10:, MASS] == pytest.approx(0.0)
    box = Box(finding="mass", column_min=0, row_min=0, column_max=1, row_max=1)
    unknown = Radiograph(
        name="x",
        path=Path(),
        patient="x",
        findings=frozenset(),
        view="PA",
        sex="F",
        age_years=1,
        boxes=(box,),
    )
    assert guess_by_source([unknown], training)[0, MASS] == pytest.approx(
        0.25
    )  # never seen: the share of all


def test_age_and_view_tell_what_they_tell_in_training() -> None:
    training = [radiograph(at, sick=at % 2 == 0, age=70 if at % 2 == 0 else 30) for at in range(80)]
    guesses = guess_by_patient(training, training)
    assert roc_auc(guesses[:, MASS], label_matrix(training)[:, MASS] == 1) == 1


def test_another_population_is_told_from_the_patients_that_were_left_out() -> None:
    inside = evaluation(COHORT, skill=1.0)
    foreign = evaluation([radiograph(at, sick=at % 2 == 0) for at in range(20)], skill=1.0)
    foreign.out_of_distribution[:] = 1.5
    found = measure_outside(foreign, inside, description="others", finding="pneumonia")
    assert (found.auc.value, found.unusual.value, found.beyond, found.images) == (1, 1, 1, 20)


def test_what_needs_no_image_is_learnt_from_the_other_folds() -> None:
    first = [fold == 0 for fold in FOLDS]
    cohort = [radiograph(at, sick=first[at], expert=first[at]) for at in range(120)]
    assert (
        measure(evaluation(cohort, skill=0.5), FOLDS).source_alone.value == 0.5
    )  # no other fold has experts


def test_thresholds_and_curves_of_a_fold_come_from_the_others() -> None:
    labels = label_matrix(COHORT)
    logits = 4 * labels - 2
    rates = measure_rates(logits, labels, FOLDS)["mass"]
    assert (rates.sensitivity, rates.specificity, rates.observed) == (1, 1, 0.5)
    assert rates.expected == pytest.approx(0.5, abs=0.01)
    lost = logits.copy()
    lost[FOLDS == 0] *= -1  # what the other folds teach is wrong of this one
    rates = measure_rates(lost, labels, FOLDS)["mass"]
    assert (rates.sensitivity, rates.specificity) == pytest.approx((0.75, 0.75))
