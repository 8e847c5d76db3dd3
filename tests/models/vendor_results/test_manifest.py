"""The manifest of a product: what it must say before a statement counts, and what its numbers come to."""

import re
from pathlib import Path

import pytest

from models.loaded_detectors import load_detectors
from models.registry import Entry, Registry
from models.releases import load_detector
from models.vendor_results.manifest import StatedAccuracy
from overread.detector_evidence import evidence_of
from overread.errors import ModelError
from overread.observation import DetectorObservation, Presence
from overread.priority import default_policy
from tests.models.vendor_results.products import CURVE, STATED, write_manifest, write_rows_manifest
from tests.overread.observations import detection


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"findings": {"nodule": {}}}, "worth nothing without stated accuracy or a calibration"),
        ({"findings": {"blob": {"stated": STATED}}}, "the vocabulary lacks ['blob']"),
        ({"findings": {}}, "at least one finding"),
        ({"findings": {"nodule": {"stated": STATED | {"sensitivity": 1.0}}}}, "lie between 0 and 1"),
        (
            {"findings": {"nodule": {"stated": STATED | {"sensitivity": 0.1, "specificity": 0.9}}}},
            "must exceed 1",
        ),
        ({"findings": {"nodule": {"calibration": CURVE | {"slope": -1}}}}, "does not rise"),
        ({"findings": {"nodule": {"calibration": CURVE | {"threshold": 2}}}}, "threshold lie between"),
        ({"codes": {"99ACME:X": "blob"}}, "the vocabulary lacks ['blob']"),
        ({"silence": "golden"}, "silence must be absent or unknown"),
        ({"score_range": [1, 0]}, "score_range must rise"),
        ({"source": None}, "lacks 'source'"),
        ({"product": None}, "lacks 'product'"),
        ({"format": 2}, "another format"),
    ],
)
def test_a_manifest_that_does_not_say_what_a_statement_is_worth_is_refused(tmp_path, changes, why) -> None:
    write_manifest(tmp_path / "product", **changes)

    with pytest.raises(ModelError) as caught:
        load_detector("product", tmp_path)

    assert why in str(caught.value)


def test_a_statement_multiplies_the_odds_by_its_likelihood_ratio_whatever_the_prevalence() -> None:
    for prevalence in (0.01, 0.3):
        stated = StatedAccuracy(sensitivity=0.9, specificity=0.8, prevalence=prevalence)
        for present, ratio in ((True, 0.9 / 0.2), (False, 0.1 / 0.8)):
            observation = DetectorObservation(
                finding="nodule",
                presence=Presence.PRESENT if present else Presence.ABSENT,
                score=float(present),
                probability=stated.probability(present=present),
                prevalence=prevalence,
                sop_instance_uid="",
            )
            (evidence,) = evidence_of(detection(observation), default_policy())
            assert evidence.ratio == pytest.approx(ratio)


def test_a_product_states_presence_at_its_own_operating_point_only(tmp_path) -> None:
    write_manifest(tmp_path / "product")

    assert load_detector("product", tmp_path, operating_point="factory").findings == (
        "pneumothorax",
        "nodule",
    )
    with pytest.raises(ModelError, match="it has factory"):
        load_detector("product", tmp_path, operating_point="screening")


def test_products_stand_in_the_registry_beside_each_other(tmp_path) -> None:
    write_manifest(tmp_path / "one")
    write_rows_manifest(tmp_path / "two", name="other")
    (tmp_path / "two" / "results.csv").write_text("study_instance_uid,finding\n")

    registry = Registry(entries=(Entry(release="./one"), Entry(release="./two")))

    assert [detector.identity.name for detector in load_detectors(registry, tmp_path).active] == [
        "acme-chest-reader",
        "other",
    ]


def test_the_example_of_the_documentation_is_a_manifest(tmp_path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "vendor-results.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "product").mkdir()
    (tmp_path / "product" / "manifest.json").write_text(example)

    detector = load_detector("product", tmp_path)

    assert detector.findings == ("pneumothorax", "nodule")
    assert detector.identity.name == "acme-chest-reader"
