"""The release that comes with overread, on RG1: real, with large masses, and not trained on."""

import numpy as np
import pytest

from models.releases import DEFAULT_RELEASE, list_releases, load_detector
from overread.finding import ANY_ABNORMALITY
from overread.observation import Presence
from overread.reporting_model import shipped_reporting_model
from tests.models.test_decoding import real

RECORDED_SCORES = {
    "effusion": 0.3380,
    "pneumothorax": 0.0926,
    "cardiomegaly": 0.0712,
    "edema": 0.0419,
    "consolidation": 0.2781,
    "pneumonia": 0.4332,
    "atelectasis": 0.1250,
    "nodule": 0.2946,
    "mass": 0.3928,
    "emphysema": 0.0758,
    "fibrosis": 0.1450,
    "pleural_thickening": 0.1726,
    "hernia": 0.0424,
    "opacity": 0.3111,
    "any_abnormality": 0.9338,
}


@pytest.fixture(scope="module")
def detector():
    return load_detector()


@pytest.fixture(scope="module")
def rg1(detector):
    return {found.finding: found for found in detector.detect([real("RG1_UNCR.dcm")]).observations}


def test_the_default_release_is_there_and_documented(detector) -> None:
    assert DEFAULT_RELEASE in list_releases()
    assert detector.identity.name == DEFAULT_RELEASE
    assert {"effusion", "pneumothorax", "cardiomegaly", "mass", "any_abnormality"} <= set(detector.findings)
    assert len(detector.identity.sha256) == 64


def test_the_masses_of_rg1_are_seen_at_the_default_operating_point(rg1) -> None:
    assert rg1["mass"].presence is Presence.PRESENT
    assert rg1["nodule"].presence is Presence.PRESENT
    assert rg1["any_abnormality"].presence is Presence.PRESENT


def test_the_heat_map_of_the_masses_points_into_the_lungs(rg1) -> None:
    heat = np.array(rg1["mass"].heat_map.values)
    rows, columns = heat.shape
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    # On this film the lungs lie between 10 and 80 % of the height, beside the middle tenth of the width.
    assert 0.1 < (row + 0.5) / rows < 0.8
    assert abs((column + 0.5) / columns - 0.5) > 0.05


def test_the_network_gives_the_recorded_scores(rg1) -> None:
    """A change of pixel pipeline or runtime that changes scores must be noticed, and released anew."""
    assert {finding: found.score for finding, found in rg1.items()} == pytest.approx(
        RECORDED_SCORES, abs=2e-3
    )


def test_lossless_compression_changes_nothing_and_lossy_little(detector, rg1) -> None:
    lossless = {found.finding: found for found in detector.detect([real("RG1_J2KR.dcm")]).observations}
    lossy = {found.finding: found for found in detector.detect([real("RG1_J2KI.dcm")]).observations}
    for finding, original in rg1.items():
        assert lossless[finding].score == pytest.approx(original.score, abs=1e-6)
        assert lossy[finding].score == pytest.approx(original.score, abs=0.02)


def test_an_extremity_gets_a_reason_and_no_score(detector) -> None:
    detection = detector.detect([real("RG3_UNCR.dcm")])
    assert detection.observations == ()
    assert "shows EXTREMITY; the model is meant for chest" in str(detection.not_applicable)


def test_what_its_scores_are_worth_was_learned_for_this_release(detector) -> None:
    learned = shipped_reporting_model(detector.identity.name)

    assert learned is not None
    assert learned.fits(detector.identity.name, detector.identity.version)
    assert set(learned.findings) == set(detector.findings) - {ANY_ABNORMALITY}
