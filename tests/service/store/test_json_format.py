import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import EnumType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from overread.appearance import Appearance
from overread.errors import UnreadableRecordError
from overread.finding import load_vocabulary
from overread.observation import Detection, HeatMap, ImageRegion, ReportReading
from overread.priority import default_policy
from overread.report import load_reader
from overread.triage import TriageResult, triage
from service.store.drift import ChannelLooks
from service.store.headline import Headline
from service.store.json_format import format_of, from_json, to_json
from service.store.quarantine import Correction
from tests.service.material import MASS, MassDetector, dicom_bytes
from tests.service.store.releases.whole import whole_detection, whole_reading, whole_result

STORED = (TriageResult, ReportReading, Detection, Headline, Correction, Appearance, ChannelLooks)
# Of every format that a release has written. A line is added with each new format and never changed.
FINGERPRINTS = {
    ("TriageResult", 1): "dbf9b8dd4076a49a",
    ("ReportReading", 1): "41510cdb247c8403",
    ("ReportReading", 2): "127b018b1c705ebc",
    ("ReportReading", 3): "c4c446b8a452379c",
    ("Detection", 1): "20da4d8a7fc9c092",
    ("Headline", 1): "b84764e35fa04018",
    ("Correction", 1): "b32f4db74b72155e",
    ("Appearance", 1): "fd3446af174a93ad",
    ("ChannelLooks", 1): "9ac3619d6098d644",
}


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


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_a_changed_field_asks_for_a_new_format(kind) -> None:
    found = fingerprint(kind)
    recorded = FINGERPRINTS.get((kind.__name__, format_of(kind)))

    assert found == recorded, (
        f"The fields of {kind.__name__}, or of a type inside it, are no longer those of format "
        f"{format_of(kind)}, in which rows are stored at many sites. Add a function to _UPGRADES in "
        "service/store/json_format.py that makes the JSON of the former format the new one (even if it only "
        f"returns it), and record here: ({kind.__name__!r}, <the new format>): {found!r}."
    )


def test_every_format_that_was_ever_written_has_its_fingerprint_recorded() -> None:
    written = {(kind.__name__, number) for kind in STORED for number in range(1, format_of(kind) + 1)}
    assert set(FINGERPRINTS) == written


def fingerprint(kind: type) -> str:
    """Return a hash over the names, types and defaults of all fields, however deep, and of enumerations."""
    known: dict[str, Any] = {}
    describe(kind, known)
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def describe(kind: Any, known: dict[str, Any]) -> str:
    """Return the name of a type, and add to `known` what it and the types inside it consist of."""
    arguments = get_args(kind)
    if arguments:
        inner = ", ".join("..." if part is ... else describe(part, known) for part in arguments)
        return f"{getattr(get_origin(kind), '__name__', 'union')}[{inner}]"
    name = str(getattr(kind, "__name__", kind))
    if name in known:
        return name
    if isinstance(kind, EnumType):
        known[name] = [member.value for member in kind]
    elif is_dataclass(kind):
        known[name] = {}
        hints = get_type_hints(kind)
        known[name] = {
            field.name: [describe(hints[field.name], known), default_of(field)] for field in fields(kind)
        }
    return name


def default_of(field: Any) -> str:
    """Return the default of a field as text; "none" where a row must have it."""
    if field.default_factory is not MISSING:
        made = field.default_factory()
        return repr(dict(made)) if isinstance(made, Mapping) else repr(made)
    return "none" if field.default is MISSING else repr(field.default)


def test_what_is_written_names_its_format() -> None:
    assert to_json(("a", "b")) == '{"format":1,"value":["a","b"]}'
    assert to_json(whole_reading()).startswith('{"format":3,"value":{"observer":')
    assert from_json(tuple[str, ...], to_json(("a", "b"))) == ("a", "b")


def test_rows_without_a_format_are_of_format_1() -> None:
    assert from_json(tuple[str, ...], '["a"]') == ("a",)
    reading = json.loads(to_json(whole_reading()))["value"]
    reading["reader"] = reading.pop("observer")
    del reading["statements_left_out"]
    known = replace(whole_reading(), statements_left_out=0)

    assert from_json(ReportReading, json.dumps(reading)) == known
    assert from_json(ReportReading, f'{{"format":1,"value":{json.dumps(reading)}}}') == known


def test_readings_of_format_2_left_nothing_out() -> None:
    reading = json.loads(to_json(whole_reading()))["value"]
    del reading["statements_left_out"]

    known = replace(whole_reading(), statements_left_out=0)
    assert from_json(ReportReading, f'{{"format":2,"value":{json.dumps(reading)}}}') == known


def test_values_with_everything_in_them_come_back_as_they_were() -> None:
    detection = whole_detection("1.2")
    result = whole_result(detection, "1")

    assert from_json(Detection, to_json(detection)) == detection
    assert from_json(TriageResult, to_json(result)) == result


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ('{"format":99,"value":{}}', "a later release wrote this report reading, in format 99"),
        ('{"format":2,"value":{"observer":"Doe"}}', r"stored in format 2, cannot be read: observer: "),
        ('{"reader":"Doe"}', r"stored in format 1, cannot be read: observer: "),
        ('["Doe"]', r"stored in format 1, cannot be read \(AttributeError\)"),
        ("Doe", r"stored in format 1, cannot be read \(JSONDecodeError\)"),
        ('{"format":3,"value":', r"stored in format 3, cannot be read: its text: "),
    ],
)
def test_what_cannot_be_read_is_told_without_what_is_stored(stored, why) -> None:
    with pytest.raises(UnreadableRecordError, match=why) as caught:
        from_json(ReportReading, stored)
    assert "Doe" not in str(caught.value)
