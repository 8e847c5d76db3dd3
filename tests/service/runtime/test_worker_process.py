"""A worker follows the registry of detectors from one case to the next."""

import threading
from dataclasses import replace

from structlog.testing import capture_logs

from models.registry import Change, Entry, Registry
from overread.observation import ObserverIdentity
from service.runtime.worker_process import work_as_registered
from service.store.database import Store
from service.store.detector_registry import read_registry, registry_version, save_registry
from service.store.worklist import load_case
from service.triage.loading import load_registered_tools
from service.triage.looks import TriageTools
from tests.service.material import NOW, MassDetector, after, readers, ready_case


def activate(store: Store, release: str) -> None:
    before = read_registry(store).registry
    change = Change(
        at=NOW, who="ada", action="activated", release=release, version=None, manifest_sha256=None
    )
    changed = Registry(entries=(Entry(release=release),), history=(*before.history, change))
    save_registry(store, changed, before=before)


class ReplacedDetector(MassDetector):
    """Is replaced in the registry while it looks."""

    def __init__(self, store: Store, release: str) -> None:
        self.store = store
        self.identity = ObserverIdentity(name=release, version="1")

    def detect(self, instances):
        if self.identity.name == "first":
            activate(self.store, "second")
        return replace(super().detect(instances), detector=self.identity)


def test_the_case_in_hand_is_finished_and_the_next_is_looked_at_by_what_is_registered_then(store) -> None:
    activate(store, "first")
    cases = [ready_case(store, number, now=after(number)) for number in (1, 2)]

    def load(opened: Store) -> TriageTools:
        stored = read_registry(opened)
        detectors = tuple(ReplacedDetector(store, entry.release) for entry in stored.registry.entries)
        return replace(readers(detectors=detectors), registry_version=stored.version)

    with capture_logs() as logs:
        claims = work_as_registered(
            store, load, name="w", clock=lambda: after(9), stop=threading.Event(), drain=True
        )

    assert claims == 2
    looked = [load_case(store, case).triage.detections[0].detector.name for case in cases]
    assert looked == ["first", "second"]
    assert "registry_changed" in [log["event"] for log in logs]


def test_the_tools_of_a_worker_are_those_of_the_registry(store) -> None:
    tools = load_registered_tools(store)

    assert [detector.identity.name for detector in tools.detectors] == ["chest-radiograph"]
    assert tools.registry_version == registry_version(store)
