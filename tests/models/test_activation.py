"""A release is registered verified, through the gate, and with the name of who did it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.activation import Request, register_release, retire_release, sole_active
from models.gate_record import (
    Contestant,
    GateFigure,
    GateRecord,
    Verdict,
    load_gate_record,
    save_gate_record,
)
from models.loaded_detectors import manifest_sha256
from models.recording import record
from models.registry import DEFAULT_REGISTRY, Entry, Registry, RegistryFile, Role, Route
from models.releases import RELEASES
from overread.errors import ConfigurationError, InvalidFileError, ModelError
from tests.models.tiny_release import write_tiny_release

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHIPPED = "chest-radiograph"


@pytest.fixture
def file(tmp_path) -> RegistryFile:
    return RegistryFile(path=tmp_path / "data" / "detectors.json")


@pytest.fixture
def tiny(tmp_path) -> str:
    return str(write_tiny_release(tmp_path / "tiny"))


def gate(candidate: str, *, verdict: Verdict = Verdict.PASSED, because: str | None = None) -> GateRecord:
    return GateRecord(
        at=NOW,
        cohort_sha256="c" * 64,
        patients=50,
        seed=1,
        resamples=1000,
        margin=0.02,
        active=Contestant(name=SHIPPED, version="1", manifest_sha256=manifest_sha256(RELEASES / SHIPPED)),
        candidate=Contestant(name="tiny", version="1", manifest_sha256=manifest_sha256(Path(candidate))),
        figures=(
            GateFigure(
                name="mean AUC", cases=60, positives=9, active=0.7, candidate=0.8, low=0.01, high=0.19
            ),
        ),
        verdict=verdict,
        reasons=("mean AUC +0.100 [+0.010, +0.190]",),
        accepted_because=because,
    )


def request(release: str, **changes: object) -> Request:
    given = {
        "release": release,
        "role": Role.ACTIVE,
        "operating_point": None,
        "route": Route(),
        "replacing": SHIPPED,
        "gate": None,
        "reason": None,
        "who": "ada",
    }
    return Request(**(given | changes))  # type: ignore[arg-type]


def put(wanted: Request, file: RegistryFile) -> Registry:
    register_release(wanted, file, clock=lambda: NOW)
    return file.load()


def test_what_passed_the_gate_takes_the_place_of_the_active_one(tiny, file) -> None:
    registry = put(request(tiny, gate=gate(tiny), operating_point="never"), file)

    assert registry.entries == (
        Entry(release=tiny, operating_point="never", manifest_sha256=manifest_sha256(Path(tiny))),
    )
    (change,) = registry.history
    assert (change.at, change.who, change.action) == (NOW, "ada", "activated")
    assert (change.release, change.version, change.replaced) == (tiny, "1", SHIPPED)
    assert change.gate == "passed: mean AUC +0.100 [+0.010, +0.190]"


def test_without_the_gate_nothing_is_activated_unless_somebody_says_why(tiny, file) -> None:
    with pytest.raises(ModelError, match="has not passed the release gate"):
        put(request(tiny), file)
    assert file.load() == DEFAULT_REGISTRY

    registry = put(request(tiny, reason="a rehearsal"), file)

    assert registry.history[-1].reason == "a rehearsal"


@pytest.mark.parametrize("verdict", [Verdict.WORSE, Verdict.UNDECIDED])
def test_what_the_gate_refused_stays_out_unless_it_was_accepted(tiny, file, verdict) -> None:
    with pytest.raises(ModelError, match="the release gate refused it"):
        put(request(tiny, gate=gate(tiny, verdict=verdict)), file)

    registry = put(request(tiny, gate=gate(tiny, verdict=verdict, because="smaller and faster")), file)

    assert registry.history[-1].reason == "smaller and faster"


def test_a_record_about_another_release_counts_for_nothing(tiny, file) -> None:
    passed = gate(tiny)
    other = Contestant(name="other", version="1", manifest_sha256="0" * 64)

    with pytest.raises(ModelError, match="another candidate"):
        put(request(tiny, gate=replace(passed, candidate=other)), file)
    with pytest.raises(ModelError, match="another release than the active one"):
        put(request(tiny, gate=replace(passed, active=other)), file)


def test_a_shadow_needs_no_gate_and_leaves_the_active_one_alone(tiny, file) -> None:
    registry = put(request(tiny, role=Role.SHADOW, replacing=None), file)

    assert [(entry.release, entry.role) for entry in registry.entries] == [
        (SHIPPED, Role.ACTIVE),
        (tiny, Role.SHADOW),
    ]
    assert registry.history[-1].action == "put in shadow"


def test_a_shadow_that_is_activated_is_a_shadow_no_longer(tiny, file) -> None:
    put(request(tiny, role=Role.SHADOW, replacing=None), file)

    registry = put(request(tiny, gate=gate(tiny)), file)

    assert [(entry.release, entry.role) for entry in registry.entries] == [(tiny, Role.ACTIVE)]
    assert [change.action for change in registry.history] == ["put in shadow", "activated"]


def test_an_active_release_is_not_its_own_shadow(file) -> None:
    with pytest.raises(ConfigurationError, match="cannot be its own shadow"):
        put(request(SHIPPED, role=Role.SHADOW, replacing=None), file)


def test_a_further_active_detector_needs_a_reason(tiny, file) -> None:
    with pytest.raises(ModelError, match="compared with none"):
        put(request(tiny, replacing=None), file)

    registry = put(request(tiny, replacing=None, reason="another body part"), file)

    assert [entry.release for entry in registry.of(Role.ACTIVE)] == [SHIPPED, tiny]
    with pytest.raises(ConfigurationError, match="several detectors are active"):
        sole_active(registry)


def test_the_operating_point_of_what_is_active_may_be_set_anew(tiny, file) -> None:
    put(request(tiny, reason="a rehearsal"), file)

    registry = put(request(tiny, replacing=tiny, operating_point="never"), file)

    assert [entry.operating_point for entry in registry.entries] == ["never"]


def test_an_operating_point_that_the_release_lacks_changes_nothing(tiny, file) -> None:
    with pytest.raises(ModelError, match="no operating point 'best'"):
        put(request(tiny, reason="a rehearsal", operating_point="best"), file)

    assert file.load() == DEFAULT_REGISTRY


def test_a_release_that_does_not_verify_is_not_activated(tiny, file) -> None:
    record(Path(tiny))
    manifest = Path(tiny) / "manifest.json"
    content = json.loads(manifest.read_text())
    content["calibration"]["mass"]["intercept"] = 0.5
    manifest.write_text(json.dumps(content))

    with pytest.raises(ModelError, match="the recorded input gives mass"):
        put(request(tiny, reason="a rehearsal"), file)

    assert file.load() == DEFAULT_REGISTRY


def test_only_an_active_release_can_be_replaced(tiny, file) -> None:
    with pytest.raises(ConfigurationError, match="'gone' is not active"):
        put(request(tiny, replacing="gone", reason="a rehearsal"), file)


def test_what_is_taken_off_stays_in_the_history(tiny, file) -> None:
    put(request(tiny, role=Role.SHADOW, replacing=None), file)

    retire_release(tiny, file, who="ben", reason="no better", clock=lambda: NOW)

    registry = file.load()
    assert [entry.release for entry in registry.entries] == [SHIPPED]
    assert [(change.action, change.who) for change in registry.history] == [
        ("put in shadow", "ada"),
        ("retired", "ben"),
    ]


def test_the_last_active_detector_cannot_be_taken_off(file) -> None:
    with pytest.raises(ConfigurationError, match="no detector active"):
        retire_release(SHIPPED, file, who="ben", reason=None, clock=lambda: NOW)


def test_the_record_of_the_gate_is_read_as_it_was_written(tiny, tmp_path) -> None:
    path = tmp_path / "gate.json"
    written = gate(tiny, because="smaller")

    save_gate_record(written, path)

    assert load_gate_record(path) == written


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}', '{"format": 1, "at": "yesterday"}'])
def test_what_is_no_record_of_the_gate_is_refused(tmp_path, content) -> None:
    path = tmp_path / "gate.json"
    path.write_text(content)

    with pytest.raises(InvalidFileError):
        load_gate_record(path)
    with pytest.raises(InvalidFileError, match="cannot be read"):
        load_gate_record(tmp_path / "none.json")
