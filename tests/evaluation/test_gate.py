"""The release gate: a worse candidate is refused, an equal one passes, and a small cohort decides nothing."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.gate import Judgement, Outputs, Terms, Trial, judge
from evaluation.gate_cases import load_cases
from models.gate_record import Verdict, load_gate_record
from models.loaded_detectors import manifest_sha256
from overread.command import main
from overread.errors import InvalidFileError
from overread.observation import Presence
from overread.report import load_reader
from tests.models.radiographs import chest_with_shadow, write_radiograph
from tests.models.tiny_release import write_tiny_release

TERMS = Terms(margin=0.02, resamples=300, seed=1)
FINDINGS = ("mass", "effusion")


def outputs(noise: float, labels: Mapping[str, np.ndarray], *, seed: int, **changes: object) -> Outputs:
    """A release whose scores are the labels with noise: the more, the worse it is."""
    random = np.random.default_rng(seed)
    count = len(next(iter(labels.values())))
    given = {
        "findings": FINDINGS,
        "probabilities": {
            name: np.where(np.isnan(label), 0, label) + noise * random.normal(size=count)
            for name, label in labels.items()
        },
        "applicable": np.ones(count, bool),
    }
    return Outputs(**(given | changes))


def trial(
    active: float, candidate: float, *, cases: int = 600, same: bool = False, **changes: object
) -> Trial:
    random = np.random.default_rng(0)
    labels = {name: (random.random(cases) < 0.3).astype(float) for name in FINDINGS}
    labels["mass"][:10] = np.nan
    return Trial(
        patients=np.array([f"p{number // 2}" for number in range(cases)]),
        labels=labels,
        active=outputs(active, labels, seed=1),
        candidate=outputs(candidate, labels, seed=1 if same else 2, **changes),
    )


def verdict(tried: Trial, terms: Terms = TERMS) -> Verdict:
    return judge(tried, terms).verdict


def figure(judgement: Judgement, name: str):
    (found,) = [item for item in judgement.figures if item.name.startswith(name)]
    return found


@pytest.mark.parametrize(
    ("active", "candidate", "same", "expected"),
    [
        (0.6, 0.6, True, Verdict.PASSED),
        (0.9, 0.5, False, Verdict.PASSED),
        (0.5, 0.9, False, Verdict.WORSE),
    ],
)
def test_a_candidate_is_judged_by_its_lead(active, candidate, same, expected) -> None:
    assert verdict(trial(active, candidate, same=same)) is expected


def test_a_cohort_that_is_too_small_to_tell_refuses() -> None:
    judgement = judge(trial(0.8, 0.8, cases=60), TERMS)

    assert judgement.verdict is Verdict.UNDECIDED
    assert "may be worse by more than 0.02" in judgement.reasons[0]


def test_the_margin_decides_how_much_loss_is_borne() -> None:
    tried = trial(0.50, 0.54, same=True)

    assert verdict(tried, Terms(margin=0.1, resamples=300, seed=1)) is Verdict.PASSED
    assert verdict(tried, Terms(margin=0.001, resamples=300, seed=1)) is not Verdict.PASSED


def test_a_candidate_that_loses_a_finding_is_worse_however_good_it_is() -> None:
    judgement = judge(trial(0.9, 0.1, findings=("effusion",)), TERMS)

    assert judgement.verdict is Verdict.WORSE
    assert judgement.reasons == ("it no longer sees mass",)


def test_one_finding_that_falls_far_is_not_hidden_by_the_mean() -> None:
    tried = trial(0.9, 0.2)
    spoilt = dict(tried.candidate.probabilities)
    spoilt["mass"] = -tried.active.probabilities["mass"]
    mixed = Trial(
        patients=tried.patients,
        labels=tried.labels,
        active=tried.active,
        candidate=Outputs(findings=FINDINGS, probabilities=spoilt, applicable=tried.candidate.applicable),
    )

    judgement = judge(mixed, TERMS)

    assert judgement.verdict is Verdict.WORSE
    assert any(reason.startswith("AUC mass") for reason in judgement.reasons)


def test_a_candidate_that_applies_to_fewer_cases_is_worse() -> None:
    applicable = np.ones(600, bool)
    applicable[::4] = False

    judgement = judge(trial(0.6, 0.6, same=True, applicable=applicable), TERMS)

    assert judgement.verdict is Verdict.WORSE
    assert any(reason.startswith("share of cases it applies to") for reason in judgement.reasons)
    # Where only one of the two applies, the two are not compared.
    assert figure(judgement, "AUC effusion").cases == 450


def test_what_is_stated_with_reserve_is_no_label() -> None:
    assert figure(judge(trial(0.6, 0.6), TERMS), "AUC mass").cases == 590


def test_the_interval_holds_the_difference_of_the_two_figures() -> None:
    mean = figure(judge(trial(0.9, 0.5), TERMS), "mean AUC of 2 findings")

    assert mean.low < mean.candidate - mean.active < mean.high


def test_the_same_seed_gives_the_same_judgement() -> None:
    tried = trial(0.7, 0.6)

    assert judge(tried, TERMS) == judge(tried, TERMS)
    assert judge(tried, TERMS) != judge(tried, Terms(margin=0.02, resamples=300, seed=2))


def test_a_cohort_without_enough_of_any_finding_is_refused() -> None:
    with pytest.raises(InvalidFileError, match="has 5 cases with"):
        judge(trial(0.6, 0.6, cases=8), TERMS)


# --- the command, on real releases and files


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Thirty patients, half of them with a bright shadow that the report calls a mass."""
    (tmp_path / "images").mkdir()
    random = np.random.default_rng(7)
    lines = []
    for number in range(30):
        sick = number % 2 == 0
        pixels = random.integers(0, 120, size=(64, 64), dtype=np.uint8)
        if sick:
            pixels[20:36, 20:36] = 255
        Image.fromarray(pixels).save(tmp_path / "images" / f"c{number}.png")
        text = "There is a mass in the right lung." if sick else "The lungs are clear. No mass."
        lines.append(json.dumps({"case": f"c{number}", "patient": f"p{number}", "text": text}))
    path = tmp_path / "cohort.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def good(tmp_path) -> Path:
    return write_tiny_release(tmp_path / "good")


@pytest.fixture
def blind(tmp_path) -> Path:
    """A release that looks for masses where it is dark."""
    return write_tiny_release(tmp_path / "blind", findings=["hernia", "mass"], version="2")


def gate(cohort: Path, candidate: Path, active: Path, *more: str) -> int:
    record = cohort.parent / "gate.json"
    paths = {"--active": active, "--cohort": cohort, "--record": record, "--images": cohort.parent / "images"}
    options = [text for name, path in paths.items() for text in (name, str(path))]
    return main(["gate", str(candidate), *options, "--resamples", "200", *more])


def test_a_worse_release_is_refused_with_status_1_and_recorded(cohort, good, blind, capsys) -> None:
    status = gate(cohort, blind, good)

    record = load_gate_record(cohort.parent / "gate.json")
    assert status == 1
    assert record.verdict is Verdict.WORSE
    assert not record.passes
    assert record.candidate.manifest_sha256 == manifest_sha256(blind)
    assert record.active.manifest_sha256 == manifest_sha256(good)
    assert "WORSE: mean AUC of 1 findings" in capsys.readouterr().out


def test_a_reason_lets_a_worse_release_pass_and_stays_on_record(cohort, good, blind) -> None:
    assert gate(cohort, blind, good, "--accept-worse", "smaller") == 0

    record = load_gate_record(cohort.parent / "gate.json")
    assert (record.verdict, record.accepted_because) == (Verdict.WORSE, "smaller")


def test_a_better_release_passes_and_can_then_be_activated(cohort, good, blind, tmp_path) -> None:
    assert gate(cohort, good, blind, "--accept-worse", "not needed") == 0
    assert load_gate_record(cohort.parent / "gate.json").accepted_because is None

    registry = ["--detectors", str(tmp_path / "detectors.json")]
    assert main(["models", "activate", str(blind), "--without-gate", "the first one", *registry]) == 0
    assert main(["models", "activate", str(blind), "--gate", str(tmp_path / "gate.json"), *registry]) == 0
    assert main(["models", "activate", str(good), "--gate", str(tmp_path / "gate.json"), *registry]) == 0
    history = json.loads((tmp_path / "detectors.json").read_text())["history"]
    assert history[-1]["gate"].startswith("passed: mean AUC")


def test_cases_are_files_or_folders_of_one_study(tmp_path) -> None:
    (tmp_path / "images" / "b").mkdir(parents=True)
    write_radiograph(tmp_path / "images" / "a.dcm", chest_with_shadow(column=40))
    write_radiograph(tmp_path / "images" / "b" / "1.dcm", chest_with_shadow(column=40))
    write_radiograph(tmp_path / "images" / "b" / "2.dcm", chest_with_shadow(column=40))
    path = tmp_path / "cohort.jsonl"
    stated = [{"finding": "mass", "presence": "PRESENT"}]
    path.write_text(
        "\n".join(
            json.dumps(line)
            for line in (
                {"case": "a", "patient": "p", "observations": stated},
                {"case": "b", "patient": "p", "text": "Large mass. Comparison: no effusion."},
                {"case": "early", "patient": "p", "context_only": True},
            )
        )
    )

    first, second = load_cases(path, tmp_path / "images", load_reader())

    assert [file.name for file in first.files] == ["a.dcm"]
    assert [file.name for file in second.files] == ["1.dcm", "2.dcm"]
    assert [item.finding for item in first.observations] == ["mass"]
    assert {item.presence for item in second.observations} == {Presence.PRESENT}


@pytest.mark.parametrize(
    ("case", "why"), [("gone", "has no image"), ("../cohort.jsonl", "names a path outside")]
)
def test_a_case_without_an_image_of_the_folder_is_refused(tmp_path, case, why) -> None:
    (tmp_path / "images").mkdir()
    path = tmp_path / "cohort.jsonl"
    path.write_text(json.dumps({"case": case, "patient": "p", "text": "No mass."}))

    with pytest.raises(InvalidFileError, match=why):
        load_cases(path, tmp_path / "images", load_reader())
