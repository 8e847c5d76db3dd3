"""A bundle on CT series: what is bright must be found where it is, however the scanner stood."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
import torch

from models.bundle.detector import BundleDetector
from models.bundle.manifest import load_bundle_manifest
from models.bundle.network import BundleNetwork
from models.bundle.pyramid import LayerGetter
from models.bundle.series import choose_stack
from models.bundle.volume import read_volume
from models.releases import load_detector
from models.stages import Stage
from overread.errors import ModelError
from overread.finding import load_vocabulary
from overread.observation import Detection, Laterality, Presence
from overread.priority import default_policy
from overread.report import load_reader
from overread.triage import Outcome, triage
from tests.models.bundle.ct import Scan, write_enhanced, write_series
from tests.models.bundle.small_bundle import CONFIG, PYRAMID, build, write_bundle, write_manifest

pytestmark = pytest.mark.slow

TILT, TURN = np.radians(20), np.radians(15)
SCANS = {
    "as usual": Scan(),
    "rows run upwards": Scan(cosines=(1, 0, 0, 0, -1, 0)),
    "prone, feet first": Scan(cosines=(-1, 0, 0, 0, -1, 0), step=(0, 0, -2.0)),
    "anisotropic": Scan(spacing=(0.7, 1.3), rows=90, columns=50, step=(0, 0, 2.6), slices=20),
    # The slices lean by 20 degrees but are stacked along the table: the volume is sheared.
    "gantry tilted": Scan(cosines=(1, 0, 0, 0, np.cos(TILT), -np.sin(TILT))),
    "head turned": Scan(cosines=(np.cos(TURN), np.sin(TURN), 0, -np.sin(TURN), np.cos(TURN), 0)),
    "oblique": Scan(
        cosines=(np.cos(TURN), 0, np.sin(TURN), 0, 1, 0),
        step=(-2 * np.sin(TURN), 0, 2 * np.cos(TURN)),
    ),
}
CT5N = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "98892001"


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundles") / "planted")


@pytest.fixture(scope="module")
def stages() -> list[tuple[str, Stage]]:
    """Detector and stage of each time that `detector` tells."""
    return []


@pytest.fixture(scope="module")
def detector(planted, stages) -> BundleDetector:
    def note(*, detector: str, stage: Stage, seconds: float) -> None:
        assert seconds >= 0
        stages.append((detector, stage))

    return BundleDetector(planted, on_stage=note)


@pytest.fixture(scope="module")
def usual(detector, tmp_path_factory) -> Detection:
    return detector.detect(write_series(tmp_path_factory.mktemp("usual"), Scan()))


def test_the_time_of_reading_the_series_and_of_the_network_is_told(usual, stages, detector) -> None:
    assert stages == [(detector.manifest.name, Stage.DECODE), (detector.manifest.name, Stage.INFERENCE)]


@pytest.mark.parametrize("scan", SCANS.values(), ids=SCANS)
def test_the_ball_is_found_where_it_is_in_the_patient(detector, tmp_path, scan) -> None:
    order = list(np.random.default_rng(2).permutation(scan.slices))
    paths = write_series(tmp_path, scan, order=order)
    stack = choose_stack(paths, detector.manifest.intended_use).stack
    boxes = BundleNetwork(Path(detector_folder(detector)), detector.manifest, threads=1).find(
        read_volume(stack)
    )
    # The network sees every second voxel of 1 x 1 x 1.25 mm.
    assert boxes[0].middle == pytest.approx(np.array(scan.ball), abs=2.5)
    assert boxes[0].score > 0.9
    (found,) = detector.detect(paths).observations
    assert found.presence is Presence.PRESENT
    region = found.regions[0]
    (at,) = [at for at, item in enumerate(stack.slices) if item.sop_instance_uid == region.sop_instance_uid]
    pixels = read_volume(stack).values[:, :, at].T
    inside = pixels[
        round(region.row_min) : round(region.row_max), round(region.column_min) : round(region.column_max)
    ]
    outside = pixels.sum() - inside.sum()
    assert (inside > 0).mean() > 0.4  # half of the box is ball
    assert outside / (pixels.size - inside.size) < -850  # and nothing of it lies elsewhere
    assert sum((pixels > 0).ravel()) - sum((inside > 0).ravel()) <= 0.2 * (pixels > 0).sum()


def detector_folder(detector: BundleDetector) -> Path:
    return detector._network._folder


def test_an_observation_says_what_was_seen_and_how_large(usual, detector) -> None:
    (found,) = usual.observations
    assert (found.finding, usual.operating_point, usual.remarks) == ("nodule", "balanced", ())
    assert found.size_mm == pytest.approx((10, 10, 10))  # an anchor of 10 x 10 x 8 voxels, 1.25 mm in height
    assert found.sop_instance_uid == found.regions[0].sop_instance_uid
    assert found.probability == pytest.approx(found.score, abs=1e-6)
    assert found.prevalence is None
    assert len(usual.detector.sha256) == 64


def test_what_is_below_the_operating_point_has_no_region(planted, tmp_path) -> None:
    detector = BundleDetector(planted, operating_point="never")
    paths = write_series(tmp_path, Scan())
    (found,) = detector.detect(paths).observations
    assert (found.presence, found.regions, found.size_mm) == (Presence.ABSENT, (), ())
    assert found.laterality is Laterality.UNSPECIFIED
    assert found.sop_instance_uid
    assert found.score > 0.9


def test_frames_of_an_enhanced_object_are_named_with_the_region(detector, tmp_path) -> None:
    (found,) = detector.detect([write_enhanced(tmp_path / "a.dcm", Scan())]).observations
    assert found.regions[0].frame == 16  # 25 mm below the middle, 2 mm a slice: the ball lies at +6 mm
    assert len({region.frame for region in found.regions}) == len(found.regions)


def test_a_study_without_a_suitable_series_has_reasons_and_no_score(detector, tmp_path) -> None:
    paths = write_series(tmp_path, Scan(slices=8), BodyPartExamined="HEAD")
    detection = detector.detect(paths)
    assert detection.observations == ()
    assert "shows HEAD" in str(detection.not_applicable)
    assert detector.detect([]).not_applicable == "the study has no images"


def test_torchscript_gives_what_the_state_of_the_same_network_gives(usual, tmp_path) -> None:
    folder = write_bundle(tmp_path / "scripted", weights="models/model.ts")
    scripted = BundleDetector(folder).detect(write_series(tmp_path / "scan", Scan()))
    (found,), (expected,) = scripted.observations, usual.observations
    assert found.score == pytest.approx(expected.score, abs=1e-5)
    corners = [(region.column_min, region.row_min) for region in found.regions]
    assert corners == [(region.column_min, region.row_min) for region in expected.regions]


def test_the_triage_weighs_a_ct_report_against_it(usual) -> None:
    reading = load_reader().read(
        "CT CHEST\nFINDINGS: The lungs are clear. No pulmonary nodule.\nIMPRESSION: Normal."
    )
    result = triage(reading, [usual], default_policy(), load_vocabulary())
    assert result.outcome is Outcome.DISCREPANT
    assert result.discrepancies[0].finding == "nodule"


def test_the_layout_of_the_zoo_runs_on_real_slices(tmp_path) -> None:
    """A ResNet with a feature pyramid, on a gated heart scan with its two scouts."""
    folder = write_bundle(tmp_path / "pyramid", **PYRAMID)
    use = {
        "statement": "tests",
        "modalities": ["CT"],
        "body_parts": ["chest", "smartscore"],
        "minimum_age_years": 16.0,
        "minimum_slices": 5,
        "maximum_slice_mm": 3.0,
    }
    points = [{"name": "all", "cohort": "nobody", "rule": "by hand", "thresholds": {"nodule": 0.0}}]
    write_manifest(folder, intended_use=use, operating_points=points, default_operating_point="all")
    study = [path for path in sorted(CT5N.rglob("*")) if path.is_file()]
    detection = BundleDetector(folder).detect(study)
    (found,) = detection.observations
    assert detection.not_applicable is None
    assert sum("is a localizer" in remark for remark in detection.remarks) == 1
    assert 0 < found.score < 1
    assert found.regions
    assert all(0 <= region.column_min < region.column_max <= 16 for region in found.regions)


def test_the_weights_of_the_file_are_those_that_run(tmp_path) -> None:
    folder = write_bundle(tmp_path / "pyramid", **PYRAMID)
    network = BundleNetwork(folder, load_bundle_manifest(folder), threads=1)
    state = torch.load(folder / "models/model.pt", weights_only=True)
    loaded = network._detector.network.state_dict()
    assert set(loaded) == set(state)
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    # As torchvision names them, whose weights must fit.
    assert "feature_extractor.body.conv1.weight" in state
    assert "feature_extractor.body.layer2.0.conv2.weight" in state
    assert not any(name.startswith("feature_extractor.body.layer3") for name in state)
    assert "feature_extractor.fpn.inner_blocks.1.weight" in state


def test_a_layer_getter_stops_after_the_last_layer_asked_for() -> None:
    model = torch.nn.Sequential()
    for name in ("one", "two", "three"):
        model.add_module(name, torch.nn.Linear(1, 1))
    getter = LayerGetter(model, {"one": "0", "two": "1"})
    found = getter(torch.ones(1, 1))
    assert list(found) == ["0", "1"]
    assert torch.equal(found["1"], model.two(model.one(torch.ones(1, 1))))
    assert list(getter) == ["one", "two"]


def test_weights_that_do_not_fit_are_an_error_of_the_model(planted, tmp_path) -> None:
    folder = write_bundle(tmp_path / "wrong")
    torch.save(build({**CONFIG, **PYRAMID}).state_dict(), folder / "models/model.pt")
    write_manifest(folder)
    with pytest.raises(ModelError, match="cannot be built"):
        BundleDetector(folder)


def test_a_bundle_is_loaded_by_its_manifest(planted) -> None:
    detector = load_detector(planted.name, planted.parent, operating_point="never")
    assert isinstance(detector, BundleDetector)
    assert detector.identity.name == "planted"


def test_without_torch_the_missing_extra_is_named(planted) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from models.releases import load_detector\n"
        f"load_detector({planted.name!r}, Path({str(planted.parent)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "ConfigurationError" in done.stderr
    assert "torch is not installed: pip install 'overread[bundle]'" in done.stderr
