"""The watch for drift: what was planted alarms in its channel, where nothing changed nothing does."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from overread.appearance import EMBEDDING_SIZE, Appearance
from overread.drift_columns import CHANNELS, EMBEDDING, INPUT, LANGUAGE, PIXELS, SCORES
from overread.errors import ConfigurationError
from overread.observation import Detection, DetectorObservation, Presence, ReportReading, Section, Span
from overread.triage import triage
from service.intake.closing import close_study
from service.maintenance.drift import due_window, false_alarms_per_look, look_for_drift, watch_for_drift
from service.maintenance.drift_settings import DriftSettings
from service.settings import load_settings
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store, open_store
from service.store.drift import Period, list_looks
from service.store.queue import claim_case, complete_case
from tests.service.conftest import copy_tables
from tests.service.material import (
    CLEAR,
    MASS,
    MassDetector,
    WordReader,
    dicom_bytes,
    readers,
    send_image,
    send_report,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
REFERENCE_CASES, WINDOW_CASES = 70, 40
SETTINGS = DriftSettings(
    reference="2026-03-02/2026-03-09", window_days=7, false_alarms_per_month=0.2, cases_max=100
)
PLANTED = ("nothing", "scanner", "inverted", "mirrored", "scores", "template")
"""What changes in each week after the reference, one after the other."""


def appearance(random: np.random.Generator, planted: str) -> Appearance:
    picture = np.linspace(2, -2, EMBEDDING_SIZE) + random.normal(size=EMBEDDING_SIZE)
    if planted == "mirrored":
        picture[::2] *= -1
    return Appearance(
        view="PA",
        scanner=str(random.choice(["Maker One", "Maker Three" if planted == "scanner" else "Maker Two"])),
        rows=2048,
        columns=2048,
        bits=12,
        photometric="MONOCHROME2",
        is_inverted=planted == "inverted" and bool(random.random() < 0.4),
        measures={"mean": float(random.normal(0.5, 0.05)), "p50": float(random.normal(0.5, 0.05))},
        embedding=tuple(float(value) for value in picture),
    )


def conclude(store: Store, number: int, at: datetime, random: np.random.Generator, planted: str) -> None:
    """A case that was triaged then, as if the detector and the reader had seen such a study and report."""
    study, named = f"2.25.{number}", {"accession": f"A{number}", "patient": f"P{number}"}
    send_image(store, dicom_bytes(study=study, AccessionNumber=f"A{number}", PatientID=f"P{number}"), now=at)
    send_report(store, MASS if random.random() < 0.3 else CLEAR, **named, now=at)  # type: ignore[arg-type]
    close_study(store, study, now=at)
    claimed = claim_case(store, worker="w", now=at)
    assert claimed is not None
    score = float(np.clip(random.normal(0.5 if planted == "scores" else 0.3, 0.1), 0.01, 0.99))
    observation = DetectorObservation(
        finding="mass",
        presence=Presence.PRESENT if score >= 0.5 else Presence.ABSENT,
        score=score,
        probability=score,
        prevalence=0.1,
        sop_instance_uid=f"2.25.{number}.1.1",
    )
    detection = Detection(detector=MassDetector.identity, operating_point="half", observations=(observation,))
    read = WordReader().read(claimed.report_text)
    length = int(random.integers(300, 500))
    reading = ReportReading(
        observer=read.observer,
        observations=read.observations,
        sections=((Section.FINDINGS, Span(0, length)),),
        text_read_share=float(
            random.uniform(0.2, 0.4) if planted == "template" else random.uniform(0.7, 0.9)
        ),
    )
    result = triage(reading, [detection], claimed.policy, readers().vocabulary)
    complete_case(
        store,
        claimed,
        result,
        reading=reading,
        detections=(detection,),
        appearance=appearance(random, planted),
        now=at,
    )


@pytest.fixture(scope="module")
def filled(migrated_file, tmp_path_factory) -> Iterator[Store]:
    """A store with a usual week and a week for each of PLANTED."""
    folder = tmp_path_factory.mktemp("drifting") / "data"
    copy_tables(migrated_file, folder)
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    random = np.random.default_rng(7)
    number = 0
    for week, planted in enumerate(("nothing", *PLANTED)):
        for place in range(WINDOW_CASES if week else REFERENCE_CASES):
            number += 1
            conclude(store, number, START + timedelta(days=7 * week, minutes=60 * place), random, planted)
    yield store
    store.close()


def week_after(number: int) -> datetime:
    """A moment after the week of PLANTED with this number is over."""
    return START + timedelta(days=7 * (number + 2), hours=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("planted", "channel"),
    [
        ("nothing", None),
        ("scanner", INPUT),
        ("inverted", PIXELS),
        ("mirrored", EMBEDDING),
        ("scores", SCORES),
        ("template", LANGUAGE),
    ],
)
def test_what_was_planted_alarms_in_its_channel_alone(filled, planted, channel) -> None:
    look = look_for_drift(filled, SETTINGS, now=week_after(PLANTED.index(planted)))

    assert look is not None
    assert (look.reference_cases, look.window_cases) == (REFERENCE_CASES, WINDOW_CASES)
    assert look.alarms == (() if channel is None else (channel,))
    assert [found.channel for found in look.channels] == list(CHANNELS)
    assert all(found.changes for found in look.channels)
    told = [
        entry.entry.detail
        for entry in find_entries(filled, TrailFilter(subjects=(f"drift {look.window}",)))
        if entry.entry is not None and entry.entry.action is AuditAction.NOTED
    ]
    assert told == ([] if channel is None else [f"differs from 2026-03-02/2026-03-09 in {channel}"])
    assert look_for_drift(filled, SETTINGS, now=week_after(PLANTED.index(planted))) is None  # once


@pytest.mark.slow
def test_of_many_studies_a_part_is_compared(filled) -> None:
    few = SETTINGS.model_copy(update={"cases_max": 40, "reference": "2026-03-02/2026-03-16"})
    look = look_for_drift(filled, few, now=week_after(1))

    assert look is not None
    assert 30 <= look.reference_cases <= 40
    assert look.window_cases == 40


def test_windows_follow_the_reference_without_overlap_and_only_one_that_is_over_is_due() -> None:
    end = datetime(2026, 3, 9, tzinfo=UTC)

    assert due_window(SETTINGS, now=end + timedelta(days=6.9)) is None
    assert due_window(SETTINGS, now=end - timedelta(days=30)) is None
    assert due_window(SETTINGS, now=end + timedelta(days=7)) == Period(start=end, end=end + timedelta(days=7))
    assert due_window(SETTINGS, now=end + timedelta(days=22)) == Period(
        start=end + timedelta(days=14), end=end + timedelta(days=21)
    )
    assert due_window(DriftSettings(), now=end) is None


@pytest.mark.parametrize(("days", "looks"), [(1, 365.25 / 12), (7, 365.25 / 84), (61, 1)])
def test_the_rate_of_a_month_is_divided_among_its_looks_and_their_channels(days, looks) -> None:
    settings = DriftSettings(reference=SETTINGS.reference, window_days=days, false_alarms_per_month=0.05)
    assert false_alarms_per_look(settings) * looks * len(CHANNELS) == pytest.approx(0.05)


def test_a_window_without_a_study_is_noted_and_raises_no_alarm(sqlite_store) -> None:
    look = look_for_drift(sqlite_store, SETTINGS, now=week_after(0))

    assert look is not None
    assert (look.reference_cases, look.window_cases, look.channels) == (0, 0, ())
    assert [kept.window for kept in list_looks(sqlite_store, limit=5)] == [look.window]


def test_the_watch_goes_on_until_it_is_stopped(sqlite_store) -> None:
    stop, looked = threading.Event(), []

    def clock() -> datetime:
        looked.append(len(list_looks(sqlite_store, limit=5)))
        if looked[-1]:
            stop.set()
        return week_after(0)

    thread = threading.Thread(
        target=watch_for_drift, args=(sqlite_store, SETTINGS), kwargs={"clock": clock, "stop": stop}
    )
    thread.start()
    while not list_looks(sqlite_store, limit=1):
        thread.join(0.05)
    stop.set()
    thread.join(20)

    assert not thread.is_alive()


def test_a_look_that_fails_does_not_end_the_watch(sqlite_store, capfd) -> None:
    stop = threading.Event()

    def broken() -> datetime:
        stop.set()
        raise ZeroDivisionError

    watch_for_drift(sqlite_store, SETTINGS, clock=broken, stop=stop)

    assert "ZeroDivisionError" in capfd.readouterr().out


def test_a_watch_that_is_told_nothing_usual_says_what_to_set(sqlite_store) -> None:
    with pytest.raises(ConfigurationError, match="OVERREAD_DRIFT_REFERENCE"):
        watch_for_drift(sqlite_store, DriftSettings(), clock=lambda: START, stop=threading.Event())


@pytest.mark.parametrize(
    "reference", ["2026-01-01", "2026-04-01/2026-01-01", "spring", "2026-01-01/2026-02-30"]
)
def test_a_reference_that_is_no_period_is_refused(reference) -> None:
    with pytest.raises(ConfigurationError, match="OVERREAD_DRIFT_REFERENCE"):
        DriftSettings.read({"OVERREAD_DRIFT_REFERENCE": reference})
