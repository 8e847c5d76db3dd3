"""One day of a large group as rows of the store, made in bulk: headers only, no pixels.

Results and detections are what the shipped policy and reader make of three specimens: a discrepant case, a
concordant one, and one that no detector is for.
"""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, text

from overread.case import CaseEvent, CaseState
from overread.comparison import ComparedCase, compare
from overread.finding import Actionable, load_vocabulary
from overread.observation import (
    Detection,
    DetectorObservation,
    HeatMap,
    ImageRegion,
    ObserverIdentity,
    Presence,
    ReportReading,
)
from overread.priority import Policy, default_policy
from overread.report import load_reader
from overread.triage import Outcome, TriageResult
from service.store.conclusion import place_of
from service.store.database import Store
from service.store.headline import Headline, headline_of
from service.store.json_format import to_json
from service.store.schema import (
    cases,
    events,
    instances,
    quarantine,
    report_versions,
    studies,
    triage_detections,
    triage_results,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
BATCH = 1000
REFUSED_SHARE = 0.01
# Of a day under second read most is settled; what is listed is what people page through.
SHARES = {
    CaseState.CONCORDANT: 0.55,
    CaseState.LISTED: 0.20,
    CaseState.NOT_APPLICABLE: 0.15,
    CaseState.READY: 0.05,
    CaseState.AWAITING_REPORT: 0.05,
}
SUBSPECIALTIES = ("thoracic", "cardiac", "musculoskeletal", None)
FINDINGS = ("pneumothorax", "nodule", "mass", "consolidation", "effusion", "cardiomegaly", "emphysema")
MODALITIES = ("DX", "DX", "CR", "CT", "CT", "MR", "MG")
DETECTOR = ObserverIdentity(name="bulk", version="1", sha256="0" * 64)
REPORT = (
    "FINDINGS: The lungs are clear. No pneumothorax. No pleural effusion. The heart is not enlarged. "
    "The mediastinal contours are unremarkable. IMPRESSION: No acute abnormality."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """Conclusion about one kind of case; its rows hold this as JSON."""

    result: TriageResult
    reading: ReportReading
    detection: Detection


def specimens(policy: Policy) -> dict[CaseState, Specimen]:
    """Return a discrepant, a concordant and a case that no detector is for, as triage makes them."""
    vocabulary, reading = load_vocabulary(), load_reader().read(REPORT)
    made = {}
    for state, detection in (
        (CaseState.LISTED, detection_of(0.9)),
        (CaseState.CONCORDANT, detection_of(0.01)),
        (
            CaseState.NOT_APPLICABLE,
            Detection(detector=DETECTOR, operating_point="bulk", not_applicable="no radiograph"),
        ),
    ):
        case = ComparedCase(reading=reading, detections=(detection,))
        result = compare(case, policy, vocabulary).result
        made[state] = Specimen(result=result, reading=reading, detection=detection)
    if made[CaseState.LISTED].result.outcome is not Outcome.DISCREPANT:
        raise SystemExit("the specimen of a listed case is not discrepant; correct the benchmark")
    return made


def detection_of(probability: float) -> Detection:
    """Return what a detector with heat maps says when it sees everything with this probability."""
    region = ImageRegion(
        sop_instance_uid="2.25.1.1.1", column_min=0, row_min=0, column_max=2000, row_max=2000
    )
    grid = tuple(
        tuple(round(probability * (row + column) / 30, 3) for column in range(16)) for row in range(16)
    )
    observations = tuple(
        DetectorObservation(
            finding=finding,
            presence=Presence.PRESENT if probability >= 0.5 else Presence.ABSENT,
            score=probability,
            probability=probability,
            prevalence=0.05,
            sop_instance_uid="2.25.1.1.1",
            regions=(region,),
            heat_map=HeatMap(region=region, values=grid),
        )
        for finding in FINDINGS
    )
    return Detection(detector=DETECTOR, operating_point="bulk", observations=observations)


def fill(store: Store, count: int, chance: random.Random) -> None:
    """Put so many cases into the store, each with study, instances, report, result, detections and events."""
    policy = default_policy()
    made = specimens(policy)
    states = chance.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    for first in range(0, count, BATCH):
        rows: dict[Table, list[dict[str, object]]] = {}
        for number in range(first, min(first + BATCH, count)):
            specimen = made.get(states[number])
            for table, row in rows_of(number, states[number], specimen, policy, chance):
                rows.setdefault(table, []).append(row)
            if chance.random() < REFUSED_SHARE:
                rows.setdefault(quarantine, []).append(refused_row(number))
        with store.writing() as connection:
            for table, values in rows.items():
                connection.execute(table.insert(), values)
    if store.engine.dialect.name == "postgresql":  # as its autovacuum does over the day
        with store.writing() as connection:
            connection.execute(text("ANALYZE"))


def rows_of(
    number: int, state: CaseState, specimen: Specimen | None, policy: Policy, chance: random.Random
) -> list[tuple[Table, dict[str, object]]]:
    """Return the rows of one case, the referenced ones first."""
    case_id, study, at = number + 1, f"2.25.{number + 1}", START + timedelta(seconds=0.8 * number)
    made: list[tuple[Table, dict[str, object]]] = [
        (studies, study_row(number, study, at)),
        *((instances, instance_row(number, study, at, image)) for image in (1, 2)),
        (cases, case_row(number, study, at, state)),
        (events, event_row(case_id, at, CaseEvent.OPENED, None, CaseState.AWAITING_REPORT)),
    ]
    if state is CaseState.AWAITING_REPORT:
        return made
    made.append((report_versions, report_row(case_id, at)))
    made.append(
        (
            events,
            event_row(case_id, at, CaseEvent.COMPLETED_BY_REPORT, CaseState.AWAITING_REPORT, CaseState.READY),
        )
    )
    if specimen is None:
        return made
    priority = round(chance.uniform(0, 100), 1) if state is CaseState.LISTED else 0.0
    result = replace(specimen.result, priority=priority)
    if state is CaseState.LISTED:  # two days later some wait too long, some do not
        result = replace(
            result, subspecialty=chance.choice(SUBSPECIALTIES), actionable=chance.choice(tuple(Actionable))
        )
    made[3][1].update(
        priority=priority,
        report_version=1,
        result_revision=1,
        attempts=1,
        **place_of(result, policy, since=at),
    )
    headline = headline_of(result)
    if headline is not None:  # of many kinds of case, not of one specimen
        headline = replace(headline, finding=chance.choice(FINDINGS))
        made[3][1]["finding"] = headline.finding
    return [
        *made,
        (events, event_row(case_id, at, CaseEvent.CLAIMED, CaseState.READY, CaseState.IN_TRIAGE)),
        (events, event_row(case_id, at, CaseEvent.FOUND_CONCORDANT, CaseState.IN_TRIAGE, state)),
        (triage_results, result_row(case_id, at, result, specimen.reading, headline)),
        (triage_detections, detection_row(case_id, specimen.detection)),
    ]


def case_row(number: int, study: str, at: datetime, state: CaseState) -> dict[str, object]:
    """Return one case that has not been triaged."""
    return {
        "case_id": number + 1,
        "study_instance_uid": study,
        "accession_number": f"A{number}",
        "state": state.value,
        "revision": 1,
        "report_version": None if state is CaseState.AWAITING_REPORT else 1,
        "result_revision": None,
        "priority": 0.0,
        "waiting_since": None,
        "overdue_at": None,
        "open_to_all_at": None,
        "subspecialty": None,
        "policy_version": None,
        "finding": None,
        "kind": None,
        "actionable": None,
        "modality": MODALITIES[number % len(MODALITIES)],
        "attempts": 0,
        "due_at": at,
        "opened_at": at,
        "updated_at": at,
    }


def study_row(number: int, study: str, at: datetime) -> dict[str, object]:
    """Return one study; every tenth patient has two that day."""
    return {
        "study_instance_uid": study,
        "patient_id": f"P{number - (number % 10 == 0)}",
        "accession_number": f"A{number}",
        "modality": MODALITIES[number % len(MODALITIES)],
        "body_part": "CHEST",
        "study_date": f"{at:%Y%m%d}",
        "first_received_at": at,
        "last_received_at": at,
        "closed_at": at,
    }


def instance_row(number: int, study: str, at: datetime, image: int) -> dict[str, object]:
    """Return one image of a study."""
    return {
        "sop_instance_uid": f"{study}.1.{image}",
        "study_instance_uid": study,
        "series_instance_uid": f"{study}.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "DX",
        "sha256": f"{2 * number + image:064x}",
        "size_bytes": 8_400_000,
        "source": "bulk",
        "received_at": at,
    }


def event_row(
    case_id: int, at: datetime, event: CaseEvent, before: CaseState | None, after: CaseState
) -> dict[str, object]:
    """Return one event."""
    return {
        "case_id": case_id,
        "happened_at": at,
        "event": event.value,
        "state_before": before,
        "state_after": after.value,
        "revision": 1,
        "actor_identifier": "bulk",
        "actor_kind": "PROGRAM",
        "actor_name": "bulk",
    }


def report_row(case_id: int, at: datetime) -> dict[str, object]:
    """Return one report."""
    return {
        "case_id": case_id,
        "version": 1,
        "status": "FINAL",
        "text": REPORT,
        "sha256": f"{case_id:064x}",
        "source": "bulk",
        "received_at": at,
    }


def result_row(
    case_id: int, at: datetime, result: TriageResult, reading: ReportReading, headline: Headline | None
) -> dict[str, object]:
    """Return one triage result."""
    return {
        "case_id": case_id,
        "revision": 1,
        "report_version": 1,
        "instances_sha256": "0" * 64,
        "outcome": result.outcome.value,
        "priority": result.priority,
        "actionable": result.actionable.value,
        "subspecialty": result.subspecialty,
        "policy_version": result.policy_version,
        "observer_name": reading.observer.name,
        "observer_version": reading.observer.version,
        "observer_sha256": reading.observer.sha256,
        "reasons": to_json(result.reasons),
        "headline": to_json(headline) if headline else None,
        "result": to_json(result),
        "reading": to_json(reading),
        "worker": "bulk",
        "triaged_at": at,
    }


def detection_row(case_id: int, detection: Detection) -> dict[str, object]:
    """Return what one detector saw."""
    return {
        "case_id": case_id,
        "revision": 1,
        "position": 0,
        "detector_name": DETECTOR.name,
        "detector_version": DETECTOR.version,
        "detector_sha256": DETECTOR.sha256,
        "operating_point": "bulk",
        "detection": to_json(detection),
    }


def refused_row(number: int) -> dict[str, object]:
    """Return one refused object."""
    return {
        "kind": "INSTANCE",
        "reason": ("INVALID_DICOM", "CONTRADICTION")[number % 2],
        "detail": "bulk",
        "source": "bulk",
        "received_at": START + timedelta(seconds=0.8 * number),
        "sha256": f"{number:064x}",
        "size_bytes": 1000,
        "fingerprint": f"{number:064x}",
    }
