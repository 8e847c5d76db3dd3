"""A release on the scale of a site: probabilities of its own reports, decisions as before."""

from pathlib import Path

import numpy as np
import pytest

from models.manifest import load_manifest
from models.recalibration import LEAST_CASES, calibrate_release
from models.recording import verify
from overread.cohort import CohortCase, CohortDetection
from overread.errors import ConfigurationError, InvalidFileError, ModelError
from overread.finding import load_vocabulary
from overread.observation import Observation, Presence
from overread.report.reader import load_reader
from tests.models.tiny_release import write_tiny_release

SLOPE, INTERCEPT = 0.7, -2.0  # of the masses of the site


def site(count: int, *, version: str = "1") -> list[CohortCase]:
    """Cases of which a report states a mass with a known probability; one report is text."""
    random = np.random.default_rng(4)
    logits = random.normal(scale=1.5, size=count)
    stated = random.random(count) < 1 / (1 + np.exp(-(SLOPE * logits + INTERCEPT)))
    scores = 1 / (1 + np.exp(-logits))
    present = (Observation(finding="mass", presence=Presence.PRESENT),)
    return [
        CohortCase(
            case=str(at),
            patient=str(at // 2),
            text=("There is a large mass." if mass else "No mass.") if at == 0 else None,
            observations=present if mass and at else (),
            detections=(
                CohortDetection(detector="tiny", version=version, scores={"mass": score, "hernia": 0.2}),
            ),
        )
        for at, (score, mass) in enumerate(zip(map(float, scores), stated, strict=True))
    ]


def calibrated(release: Path, folder: Path, cases: list[CohortCase]):
    return calibrate_release(release, folder, cases, load_reader(), load_vocabulary())


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_release(tmp_path / "tiny")


def test_probabilities_become_those_of_the_reports(tiny, tmp_path) -> None:
    made = calibrated(tiny, tmp_path / "here", site(4000))
    manifest = load_manifest(tmp_path / "here")
    curve = manifest.calibration["mass"]
    assert (curve.slope, curve.intercept) == pytest.approx((SLOPE, INTERCEPT), abs=0.15)
    mass, hernia = made.findings
    assert (made.cases, made.patients) == (4000, 2000)
    assert mass.after * 4000 == pytest.approx(mass.stated, rel=0.01)
    assert mass.before * 4000 > 2 * mass.stated
    assert curve.prevalence == pytest.approx(mass.stated / 4000, abs=1e-4)
    # Nobody states a hernia, so nothing can be learnt of it.
    assert (hernia.stated, hernia.after) == (0, None)
    assert manifest.calibration["hernia"] == load_manifest(tiny).calibration["hernia"]
    assert (manifest.name, manifest.version) == ("here", "1-site")
    assert "4000 cases of 2000 patients" in manifest.calibration_cohort
    assert "tiny 1" in manifest.training["calibrated anew from"]
    assert verify(tmp_path / "here").recorded


def test_the_same_scores_are_flagged(tiny, tmp_path) -> None:
    calibrated(tiny, tmp_path / "here", site(1000))
    before, after = load_manifest(tiny), load_manifest(tmp_path / "here")
    for name in ("balanced", "never"):
        old, new = before.operating_point(name), after.operating_point(name)
        for score in np.linspace(0.01, 0.99, 99):
            for finding in before.findings:
                was = before.calibration[finding].probability(score) >= old.thresholds[finding]
                now = after.calibration[finding].probability(score) >= new.thresholds[finding]
                assert was == now or abs(score - 0.5) < 0.011  # the threshold itself, rounded


def test_what_is_stated_with_reserve_counts_for_neither_side(tiny, tmp_path) -> None:
    cases = site(400)
    perhaps = (Observation(finding="mass", presence=Presence.UNCERTAIN),)
    vague = [
        CohortCase(case=f"v{at}", patient=f"v{at}", observations=perhaps, detections=cases[at].detections)
        for at in range(200)
    ]
    made = calibrated(tiny, tmp_path / "sure", cases)
    calibrated(tiny, tmp_path / "both", [*cases, *vague])
    assert made.cases == 400
    sure, both = (load_manifest(tmp_path / name).calibration["mass"] for name in ("sure", "both"))
    assert sure == both


@pytest.mark.parametrize(
    ("cases", "reason"),
    [(site(LEAST_CASES - 1), "199 of 199 cases"), (site(300, version="2"), "0 of 300 cases")],
)
def test_too_few_cases_of_this_release_are_refused(tiny, tmp_path, cases, reason) -> None:
    with pytest.raises(InvalidFileError, match=reason):
        calibrated(tiny, tmp_path / "here", cases)
    assert not (tmp_path / "here").exists()


def test_a_full_folder_and_a_release_of_another_kind_are_refused(tiny, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="a release already"):
        calibrated(tiny, tiny, site(300))
    other = write_tiny_release(tmp_path / "bundle", kind="monai-bundle")
    with pytest.raises(ModelError, match="monai-bundle"):
        calibrated(other, tmp_path / "here", site(300))
