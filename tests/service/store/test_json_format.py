from dataclasses import replace

import pytest

from overread.finding import load_vocabulary
from overread.observation import Detection, HeatMap, ImageRegion, ReportReading
from overread.priority import default_policy
from overread.report import load_reader
from overread.triage import TriageResult, triage
from service.store.json_format import from_json, to_json
from tests.service.material import MASS, MassDetector, dicom_bytes


@pytest.fixture
def detection(tmp_path) -> Detection:
    (tmp_path / "object").write_bytes(dicom_bytes())
    return MassDetector().detect([tmp_path / "object"])


def test_a_reading_comes_back_as_it_was() -> None:
    reading = load_reader().read(f"FINDINGS: {MASS} 3 x 2 cm, larger. No effusion.\nIMPRESSION: Mass.")

    assert reading.observations
    assert from_json(ReportReading, to_json(reading)) == reading


def test_a_detection_with_boxes_and_heat_map_comes_back_as_it_was(detection) -> None:
    region = ImageRegion(sop_instance_uid="1.2", column_min=0, row_min=0.5, column_max=8, row_max=7.25)
    heat = HeatMap(region=region, values=((0.1, 0.2), (1 / 3, 1.0)))
    (observation,) = detection.observations
    whole = replace(
        detection, observations=(replace(observation, regions=(region,), heat_map=heat),), remarks=("one",)
    )

    assert from_json(Detection, to_json(whole)) == whole


def test_a_result_comes_back_as_it_was(detection) -> None:
    reading = load_reader().read("No mass.")
    result = triage(reading, [detection], default_policy(), load_vocabulary())

    assert result.discrepancies
    assert from_json(TriageResult, to_json(result)) == result


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        to_json(object())
