"""A candidate runs beside the active detector and changes nothing that anybody sees."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from overread.case import CaseState
from overread.errors import ModelError, UndecodablePixelsError
from overread.observation import Detection, DetectorObservation, ObserverIdentity, Presence
from service.commands.shadow import describe
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.queue import claim_case
from service.store.schema import metadata, shadow_detections
from service.store.shadows import ShadowLook, ShadowPair, add_shadows, walk_shadows
from service.store.worklist import count_cases, load_case
from service.triage.agreement import compare
from service.triage.worker import work
from tests.service.material import BLACK, CLEAR, MASS, NOW, WHITE, MassDetector, readers, ready_case
from tests.service.web.listening import guarded_app, listening

DRAWN = re.compile(rb'(?<=name="submission" value=)"[^"]*"')
PATHS = (
    "/",
    "/cases/1",
    "/cases/2",
    "/cases/3",
    "/api/v1/worklist",
    "/api/v1/worklist?state=CONCORDANT",
    "/api/v1/cases/1",
    "/api/v1/cases/2",
    "/api/v1/counts",
)


class OppositeDetector(MassDetector):
    """A candidate that takes black for a mass."""

    identity = ObserverIdentity(name="opposite", version="2", sha256="1" * 64)

    def detect(self, instances) -> Detection:
        detection = super().detect(instances)
        turned = tuple(
            replace(
                item,
                presence=Presence.ABSENT if item.presence is Presence.PRESENT else Presence.PRESENT,
                probability=1 - item.probability,
            )
            for item in detection.observations
        )
        return replace(detection, detector=self.identity, observations=turned)


class FailingDetector(MassDetector):
    """A candidate that raises."""

    identity = ObserverIdentity(name="failing", version="1", sha256="2" * 64)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def detect(self, instances) -> Detection:
        raise self.error


def fill(store: Store, *shadows: MassDetector) -> None:
    """Three cases one after the other: a worker without shadows stores one while it looks at the next."""
    for number, (value, report) in enumerate(((WHITE, CLEAR), (WHITE, MASS), (BLACK, CLEAR)), start=1):
        ready_case(store, number, value=value, report=report)
        drain(store, *shadows)


def drain(store: Store, *shadows: MassDetector) -> None:
    work(store, readers(shadows=shadows), name="w", clock=lambda: NOW, stop=threading.Event(), drain=True)


@contextmanager
def filled(folder: Path, *shadows: MassDetector) -> Iterator[Store]:
    store = open_store(load_settings({}, data_folder=folder).model_copy(update={"free_bytes_min": 0}))
    try:
        fill(store, *shadows)
        yield store
    finally:
        store.close()


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
            if table is not shadow_detections
        }


def shown(store: Store) -> dict[str, tuple[int, bytes]]:
    """What is answered, but for the number that each form draws anew."""
    with listening(guarded_app(store)) as url, httpx.Client(base_url=url) as client:
        answers = {
            path: client.get(path, headers={} if "api" in path else {"Accept": "text/html"}) for path in PATHS
        }
        return {
            path: (answer.status_code, DRAWN.sub(b"", answer.content)) for path, answer in answers.items()
        }


@pytest.mark.parametrize(
    "shadows",
    [
        (OppositeDetector(),),
        (FailingDetector(RuntimeError("SECRET")),),
        (OppositeDetector(), FailingDetector(ModelError("altered")), OppositeDetector()),
    ],
    ids=["contradicts", "fails", "several"],
)
def test_list_page_and_priority_are_the_same_byte_for_byte_with_and_without_a_shadow(
    tmp_path, shadows
) -> None:
    with filled(tmp_path / "without") as plain, filled(tmp_path / "with", *shadows) as watched:
        assert rows(watched) == rows(plain)
        seen, expected = shown(watched), shown(plain)

        assert {path: status for path, (status, _) in expected.items()} == dict.fromkeys(PATHS, 200)
        assert seen == expected
        assert len(list(walk_shadows(watched))) == 3 * len(shadows)
        assert list(walk_shadows(plain)) == []


def test_what_a_shadow_saw_is_kept_with_its_provenance_beside_the_active(store) -> None:
    fill(store, OppositeDetector())

    first = next(walk_shadows(store))

    assert (first.case_id, first.revision) == (1, 1)
    assert first.shadow.detector == OppositeDetector.identity
    assert first.shadow.failure is None
    assert [item.presence for item in first.shadow.detection.observations] == [Presence.ABSENT]
    assert [item.presence for item in first.active[0].observations] == [Presence.PRESENT]
    assert first.shadow.seconds >= 0


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RuntimeError("SECRET"), "unexpected RuntimeError"),
        (UndecodablePixelsError("image 2.25.1 cannot be decoded"), "image 2.25.1 cannot be decoded"),
        (ModelError("altered"), "altered"),
    ],
)
def test_a_shadow_that_fails_fails_alone_and_says_why_without_secrets(store, capfd, error, kept) -> None:
    fill(store, FailingDetector(error), OppositeDetector())

    failures = [pair.shadow.failure for pair in walk_shadows(store)]
    assert failures == [kept, None] * 3
    assert count_cases(store)[CaseState.FAILED] == 0
    assert load_case(store, 1).summary.state is CaseState.LISTED
    out, err = capfd.readouterr()
    assert "SECRET" not in out + err


def test_a_shadow_that_kills_the_worker_leaves_the_conclusion_stored(store) -> None:
    class Crash(BaseException):
        """As the end of the process would be."""

    class CrashingDetector(MassDetector):
        def detect(self, instances) -> Detection:
            raise Crash

    ready_case(store)
    with pytest.raises(Crash):
        drain(store, CrashingDetector())

    case = load_case(store, 1)
    assert (case.summary.state, case.summary.attempts) == (CaseState.LISTED, 1)


def test_a_shadow_is_not_asked_about_a_case_that_failed_or_was_lost(store) -> None:
    class Asked(OppositeDetector):
        asked = 0

        def detect(self, instances) -> Detection:
            Asked.asked += 1
            return super().detect(instances)

    ready_case(store)
    work(
        store,
        readers(detectors=(FailingDetector(UndecodablePixelsError("broken")),), shadows=(Asked(),)),
        name="w",
        clock=lambda: NOW,
        stop=threading.Event(),
        drain=True,
    )

    assert count_cases(store)[CaseState.FAILED] == 1
    assert Asked.asked == 0


def test_a_worker_that_is_told_to_stop_asks_no_shadow(store) -> None:
    stop = threading.Event()

    class StoppingDetector(MassDetector):
        def detect(self, instances) -> Detection:
            stop.set()
            return super().detect(instances)

    ready_case(store)
    work(
        store,
        readers(detectors=(StoppingDetector(),), shadows=(OppositeDetector(),)),
        name="w",
        clock=lambda: NOW,
        stop=stop,
        drain=False,
    )

    assert load_case(store, 1).summary.state is CaseState.LISTED
    assert list(walk_shadows(store)) == []


def test_the_walk_goes_through_more_than_one_page(sqlite_store) -> None:
    fill(sqlite_store)
    ready_case(sqlite_store, 4)
    claimed = claim_case(sqlite_store, worker="w", now=NOW)
    drained = next(iter(load_case(sqlite_store, 1).triage.detections))
    look = _pair(drained, drained).shadow
    add_shadows(sqlite_store, replace(claimed.lease, case_id=1), [look] * 1200, now=NOW)

    assert sum(1 for _ in walk_shadows(sqlite_store)) == 1200


# --- agreement


def _pair(active: Detection, shadow: Detection | None) -> ShadowPair:
    look = ShadowLook(
        detector=OppositeDetector.identity,
        detection=shadow,
        failure=None if shadow else "unexpected RuntimeError",
        seconds=0.5,
    )
    return ShadowPair(case_id=1, revision=1, shadow=look, active=(active,))


def _detection(presence: Presence | None) -> Detection:
    if presence is None:
        return Detection(detector=MassDetector.identity, operating_point="half", not_applicable="no")
    observation = DetectorObservation(
        finding="mass", presence=presence, score=0.5, probability=0.5, sop_instance_uid=""
    )
    return Detection(detector=MassDetector.identity, operating_point="half", observations=(observation,))


def test_agreement_counts_studies_by_what_both_say() -> None:
    yes, no, not_meant = (_detection(item) for item in (Presence.PRESENT, Presence.ABSENT, None))
    pairs = [
        *[_pair(yes, yes)] * 3,
        *[_pair(no, no)] * 4,
        *[_pair(yes, no)] * 2,
        _pair(no, yes),
        _pair(yes, None),
        _pair(yes, not_meant),
        _pair(not_meant, no),
        _pair(not_meant, not_meant),
    ]

    (agreement,) = compare(pairs)

    counts = agreement.findings["mass"]
    assert (counts.both, counts.neither, counts.only_active, counts.only_shadow) == (3, 4, 2, 1)
    assert counts.studies == 10
    assert counts.agreement.value == pytest.approx(0.7)
    assert (agreement.studies, agreement.failed) == (14, 1)
    assert (agreement.only_active_applies, agreement.only_shadow_applies, agreement.neither_applies) == (
        1,
        1,
        1,
    )
    text = describe(agreement)
    assert "mass                         10      3            2            1  0.700 [0.397, 0.892]" in text
    assert "14 studies, 0.50 s of the shadow's time each; 1 failed" in text
    assert "only the active one 1, only the shadow 1, neither 1" in text
