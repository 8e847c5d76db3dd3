"""Several active detectors on one study: each is asked and kept, and no evidence counts twice."""

import threading
from dataclasses import replace

from overread.case import CaseState
from overread.observation import Detection, ObserverIdentity
from service.store.database import Store
from service.store.records import CaseDetail
from service.store.worklist import load_case
from service.triage.worker import work
from tests.service.material import NOW, MassDetector, readers, ready_case


class SecondDetector(MassDetector):
    """Sees what the first sees."""

    identity = ObserverIdentity(name="second", version="1", sha256="3" * 64)


class UnmeantDetector(MassDetector):
    """Is not meant for the study."""

    identity = ObserverIdentity(name="unmeant", version="1", sha256="4" * 64)

    def detect(self, instances) -> Detection:
        return Detection(detector=self.identity, operating_point="half", not_applicable="asked about CT only")


def triaged(store: Store, number: int, *detectors: MassDetector) -> CaseDetail:
    case_id = ready_case(store, number)
    work(
        store,
        readers(detectors=detectors),
        name="w",
        clock=lambda: NOW,
        stop=threading.Event(),
        drain=True,
    )
    return load_case(store, case_id)


def test_each_detector_is_asked_and_kept_with_its_identity(store) -> None:
    case = triaged(store, 1, MassDetector(), SecondDetector(), UnmeantDetector())

    assert [item.detector.name for item in case.triage.detections] == ["mean", "second", "unmeant"]
    assert case.triage.detections[2].not_applicable == "asked about CT only"
    assert case.summary.state is CaseState.LISTED


def test_the_same_evidence_from_two_detectors_is_not_counted_twice(store) -> None:
    alone = triaged(store, 1, MassDetector()).triage.result
    twice = triaged(store, 2, MassDetector(), SecondDetector()).triage.result

    (first,), (second,) = alone.discrepancies, twice.discrepancies
    (detector,) = (factor.odds_ratio for factor in first.factors if factor.name == "detector")
    assert detector > 1
    assert 1 <= second.odds / first.odds < detector


def test_a_detector_that_is_not_meant_for_the_study_changes_nothing(store) -> None:
    alone = triaged(store, 1, MassDetector()).triage.result
    beside = triaged(store, 2, UnmeantDetector(), MassDetector()).triage.result

    (first,), (second,) = alone.discrepancies, beside.discrepancies
    assert second.factors == first.factors
    assert replace(beside, discrepancies=()) == replace(alone, discrepancies=())
