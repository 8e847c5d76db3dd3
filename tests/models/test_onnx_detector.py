"""The detector over a network that takes brightness for a mass."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from models.onnx_detector import OnnxDetector
from models.stages import Stage
from overread.errors import InvalidDicomError, ModelError, UndecodablePixelsError
from overread.observation import Detection, DetectorObservation, Laterality, Presence
from tests.models.radiographs import chest_with_shadow, ramp, write_radiograph
from tests.models.tiny_release import write_tiny_release


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> OnnxDetector:
    return OnnxDetector(write_tiny_release(tmp_path_factory.mktemp("releases") / "tiny"))


def mass(detection: Detection) -> DetectorObservation:
    (found,) = [observation for observation in detection.observations if observation.finding == "mass"]
    return found


def test_every_finding_of_the_release_is_observed(detector, tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40), SOPInstanceUID="1.2.3")
    detection = detector.detect([path])
    assert (detection.detector.name, detection.operating_point) == ("tiny", "balanced")
    presences = {observation.finding: observation.presence for observation in detection.observations}
    assert presences == {"mass": Presence.PRESENT, "hernia": Presence.ABSENT}
    assert mass(detection).sop_instance_uid == "1.2.3"
    assert detection.not_applicable is None
    assert detection.remarks == ()


def test_the_heat_map_and_the_box_lie_on_the_shadow_in_stored_pixels(detector, tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40, row=100), SOPInstanceUID="1.2.3")
    found = mass(detector.detect([path]))
    assert found.heat_map is not None
    region = found.heat_map.region
    assert (region.column_min, region.row_min, region.column_max, region.row_max) == (0, 0, 300, 300)
    heat = np.array(found.heat_map.values)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 100 <= (row + 0.5) * 300 / 8 <= 160
    assert 40 <= (column + 0.5) * 300 / 8 <= 100
    assert heat.max() == pytest.approx(found.probability, abs=1e-3)
    (box,) = found.regions
    assert box.sop_instance_uid == "1.2.3"
    middle = ((box.column_min + box.column_max) / 2, (box.row_min + box.row_max) / 2)
    assert middle == pytest.approx((70, 130), abs=20)


def test_the_time_of_decoding_and_of_the_network_is_told_of_each_image(tmp_path) -> None:
    told: list[tuple[str, Stage]] = []

    def note(*, detector: str, stage: Stage, seconds: float) -> None:
        assert seconds >= 0
        told.append((detector, stage))

    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny"), on_stage=note)
    frontal, lateral = (
        write_radiograph(tmp_path / f"{view}.dcm", ramp(), SOPInstanceUID=uid, ViewPosition=view)
        for view, uid in (("PA", "1.2.3"), ("LL", "1.2.4"))
    )
    detector.detect([frontal, lateral])
    assert told == [("tiny", Stage.DECODE), ("tiny", Stage.INFERENCE)]  # the lateral one is not decoded


@pytest.mark.parametrize(
    ("column", "orientation", "side"),
    [
        (40, None, Laterality.RIGHT),
        (200, None, Laterality.LEFT),
        (40, ["L", "F"], Laterality.RIGHT),
        (40, ["R", "F"], Laterality.LEFT),
    ],
)
def test_the_side_is_the_patients(detector, tmp_path, column, orientation, side) -> None:
    pixels = chest_with_shadow(column=column)
    path = write_radiograph(tmp_path / "a.dcm", pixels, PatientOrientation=orientation)
    assert mass(detector.detect([path])).laterality is side


def test_what_is_absent_has_neither_box_nor_side(tmp_path) -> None:
    folder = write_tiny_release(tmp_path / "tiny")
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    found = mass(OnnxDetector(folder, operating_point="never").detect([path]))
    assert (found.presence, found.regions, found.laterality) == (Presence.ABSENT, (), Laterality.UNSPECIFIED)


def test_the_probability_is_the_calibrated_score(detector, tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    for observation in detector.detect([path]).observations:
        calibration = detector.manifest.calibration[observation.finding]
        assert observation.probability == pytest.approx(calibration.probability(observation.score))


def test_of_several_images_each_finding_comes_from_the_one_that_shows_it_most(detector, tmp_path) -> None:
    faint = np.full((300, 300), 500, np.uint16)
    faint[:, ::2] = 3000  # stripes: half bright everywhere, so that no cell is as bright as the shadow's
    first = write_radiograph(tmp_path / "a.dcm", faint, SOPInstanceUID="1.1")
    second = write_radiograph(tmp_path / "b.dcm", chest_with_shadow(column=40), SOPInstanceUID="1.2")
    detection = detector.detect([first, second])
    assert mass(detection).sop_instance_uid == "1.2"
    assert mass(detection) == mass(detector.detect([second, first]))
    assert "2 images were read" in detection.remarks[-1]


def test_images_that_the_model_is_not_meant_for_are_skipped_with_a_remark(detector, tmp_path) -> None:
    frontal = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    lateral = [
        write_radiograph(tmp_path / f"{at}.dcm", ramp(), ViewPosition="LL", SOPInstanceUID=f"1.2.{at}")
        for at in range(3)
    ]
    detection = detector.detect([*lateral, frontal])
    assert mass(detection).presence is Presence.PRESENT
    (remark,) = detection.remarks
    assert remark.startswith("image 1.2.0 (and 2 more) has view position LL")


def test_a_study_without_a_suitable_image_has_a_reason_and_no_score(detector, tmp_path) -> None:
    # Its pixels are missing too, but nobody looks at the pixels of a hand.
    hand = write_radiograph(tmp_path / "a.dcm", ramp(), BodyPartExamined="HAND", PixelData=None)
    detection = detector.detect([hand])
    assert detection.observations == ()
    assert "shows HAND" in str(detection.not_applicable)
    assert detector.detect([]).not_applicable == "the study has no images"


def test_a_suitable_image_that_cannot_be_decoded_is_an_error(detector, tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", ramp(), Rows=400)
    with pytest.raises(UndecodablePixelsError, match="truncated"):
        detector.detect([path])
    (tmp_path / "b.dcm").write_bytes(b"no")
    with pytest.raises(InvalidDicomError):
        detector.detect([tmp_path / "b.dcm"])


def test_a_prefetched_study_is_seen_exactly_as_one_that_was_not(detector, tmp_path) -> None:
    frontal = [
        write_radiograph(tmp_path / f"{at}.dcm", chest_with_shadow(column=at), SOPInstanceUID=f"1.{at}")
        for at in (40, 200)
    ]
    hand = write_radiograph(tmp_path / "hand.dcm", ramp(), BodyPartExamined="HAND")
    for study in ([hand, *frontal], [hand]):
        expected = detector.detect(study)
        detector.prefetch(study)
        assert detector.detect(study) == expected


def test_a_hint_that_was_wrong_changes_nothing(detector, tmp_path) -> None:
    asked = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    other = write_radiograph(tmp_path / "b.dcm", ramp())
    expected = detector.detect([asked])
    for hint in ([other], [asked, other], [tmp_path / "absent.dcm"], []):
        detector.prefetch(hint)
        assert detector.detect([asked]) == expected


def test_what_cannot_be_read_is_an_error_of_detect_and_not_of_the_hint(detector, tmp_path) -> None:
    (tmp_path / "text.dcm").write_bytes(b"no")
    cut_off = write_radiograph(tmp_path / "cut.dcm", ramp(), Rows=400)
    for path, kind in ((tmp_path / "text.dcm", InvalidDicomError), (cut_off, UndecodablePixelsError)):
        with pytest.raises(kind) as expected:
            detector.detect([path])
        detector.prefetch([path])
        with pytest.raises(kind) as found:
            detector.detect([path])
        assert str(found.value) == str(expected.value)


def test_a_picture_gets_the_probabilities_of_the_dicom_image_it_was_made_from(detector, tmp_path) -> None:
    pixels = chest_with_shadow(column=40)
    Image.fromarray((pixels // 16).astype(np.uint8)).save(tmp_path / "a.png")
    detection = detector.detect([write_radiograph(tmp_path / "a.dcm", pixels)])
    expected = [observation.probability for observation in detection.observations]
    assert detector.probabilities(tmp_path / "a.png") == pytest.approx(expected, abs=0.02)


def test_detecting_needs_no_torch() -> None:
    program = (
        "import sys, models.releases, models.pixels, models.commands.detect; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_of_several_images_the_most_unusual_one_counts(tmp_path) -> None:
    stated = {"output": "unusual", "cohort": "some", "quantiles": [0.0, 1.0]}  # mean brightness, evenly
    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny", familiarity=stated))
    plain = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40), SOPInstanceUID="1.2.3")
    bright = write_radiograph(tmp_path / "b.dcm", ramp(), SOPInstanceUID="1.2.4")
    alone = [detector.detect([path]).out_of_distribution for path in (plain, bright)]
    assert alone[0] != alone[1]
    assert detector.detect([plain, bright]).out_of_distribution == max(alone)


def test_a_network_that_does_not_say_how_unusual_an_image_is_gets_no_number(detector, tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", chest_with_shadow(column=40))
    assert detector.detect([path]).out_of_distribution is None


def test_a_manifest_that_names_an_output_that_is_not_there_is_refused(tmp_path) -> None:
    stated = {"output": "strange", "cohort": "some", "quantiles": [0.0, 1.0]}
    with pytest.raises(ModelError, match="not those of the manifest"):
        OnnxDetector(write_tiny_release(tmp_path / "tiny", familiarity=stated))
