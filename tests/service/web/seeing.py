"""Cases whose detector says where it looked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from overread.observation import (
    Detection,
    DetectorObservation,
    HeatMap,
    ImageRegion,
    Laterality,
    ObserverIdentity,
    Presence,
)
from overread.ports import ReportReader
from overread.triage import triage
from service.store.database import Store
from service.store.queue import claim_case, complete_case
from tests.service.material import CLEAR, NOW, after, readers, ready_case

DETECTOR = ObserverIdentity(name="tiny", version="7", sha256="c" * 64)


def seen(
    finding: str,
    sop_instance_uid: str,
    *,
    laterality: Laterality = Laterality.LEFT,
    probability: float = 0.8,
) -> DetectorObservation:
    """A finding in the lower right quarter of an 8 by 8 image, with a box around it."""
    whole = ImageRegion(sop_instance_uid=sop_instance_uid, column_min=0, row_min=0, column_max=8, row_max=8)
    return DetectorObservation(
        finding=finding,
        presence=Presence.PRESENT if probability >= 0.5 else Presence.ABSENT,
        laterality=laterality,
        score=0.9,
        probability=probability,
        prevalence=0.05,
        sop_instance_uid=sop_instance_uid,
        regions=(replace(whole, column_min=4, row_min=4),),
        heat_map=HeatMap(region=whole, values=((0.0, 0.0), (0.0, 1.0))),
    )


def seen_case(
    store: Store,
    number: int = 1,
    *,
    report: str = CLEAR,
    findings: Sequence[str] | Mapping[str, float] = ("mass",),
    not_applicable: str | None = None,
    reader: ReportReader | None = None,
    site: str | None = None,
) -> int:
    """A triaged case in which the detector gives these findings (a probability); returns its number."""
    case_id = ready_case(store, number, report=report, site=site)
    claimed = claim_case(store, worker="worker-1", now=NOW)
    assert claimed is not None
    given = findings if isinstance(findings, Mapping) else dict.fromkeys(findings, 0.8)
    observations = tuple(
        seen(finding, f"2.25.{number}.1.1", probability=probability) for finding, probability in given.items()
    )
    detection = Detection(
        detector=DETECTOR,
        operating_point="balanced",
        observations=() if not_applicable else observations,
        not_applicable=not_applicable,
    )
    parts = readers()
    reading = (reader or parts.report_reader).read(claimed.report_text)
    result = triage(reading, [detection], claimed.policy, parts.vocabulary)
    complete_case(store, claimed, result, reading=reading, detections=(detection,), now=after(1))
    return case_id
