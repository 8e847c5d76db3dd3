"""Cases with results to tell: images with boxes on them, triaged in a store of the test's own."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from overread.case import CaseState
from overread.observation import (
    Detection,
    DetectorObservation,
    ImageRegion,
    Laterality,
    ObserverIdentity,
    Presence,
)
from service.intake.closing import close_study
from service.results.making import Maker
from service.results.objects import Workshop
from service.results.settings import Rule
from service.store.database import Store
from service.store.queue import claim_case
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.material import CLEAR, NOW, after, dicom_bytes, send_image, send_report, triage_one

DCIODVFY, DSRDUMP, STORESCP = Path("/usr/bin/dciodvfy"), Path("/usr/bin/dsrdump"), Path("/usr/bin/storescp")
ROWS, COLUMNS = 400, 512
CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
TO_PACS = (Rule(moment=Moment.TRIAGE, form=Form.SR, destination="pacs"),)


class Shows:
    """A detector that sees what it is told to see."""

    identity = ObserverIdentity(name="shows", version="7", sha256="a" * 64)
    findings = ("mass", "nodule", "pneumothorax", "effusion")

    def __init__(self, *observations: DetectorObservation) -> None:
        self._observations = observations

    def prefetch(self, instances: Sequence[Path]) -> None:
        """It has nothing to prepare."""

    def detect(self, instances: Sequence[Path]) -> Detection:
        return Detection(detector=self.identity, operating_point="balanced", observations=self._observations)


def seen(
    finding: str = "mass",
    *boxes: tuple[float, float, float, float],
    image: str = "2.25.1.1.1",
    frame: int = 0,
    side: Laterality = Laterality.UNSPECIFIED,
    presence: Presence = Presence.PRESENT,
    probability: float = 0.875,
    size_mm: tuple[float, ...] = (),
) -> DetectorObservation:
    """What a detector sees on one image; boxes are left, top, right, bottom."""
    regions = tuple(
        ImageRegion(
            sop_instance_uid=image,
            frame=frame,
            column_min=left,
            row_min=top,
            column_max=right,
            row_max=bottom,
        )
        for left, top, right, bottom in boxes
    )
    return DetectorObservation(
        finding=finding,
        presence=presence,
        laterality=side,
        score=probability,
        probability=probability,
        prevalence=0.02,
        sop_instance_uid=image,
        regions=regions,
        size_mm=size_mm,
    )


def image_bytes(study: str = "2.25.1", number: int = 1, **elements: object) -> bytes:
    """A radiograph of 400 rows and 512 columns, as a real one describes itself."""
    pixels = np.tile(np.linspace(0, 255, COLUMNS, dtype=np.uint8), (ROWS, 1))
    given: dict[str, object] = {
        "Rows": ROWS,
        "Columns": COLUMNS,
        "PixelData": pixels.tobytes(),
        "StudyDate": "20260228",
        "StudyTime": "101500",
        "StudyID": "17",
        "PatientBirthDate": "19600102",
        "PatientSex": "F",
        "ReferringPhysicianName": "House^Gregory",
        "SeriesNumber": 1,
        "InstanceNumber": number,
        "AccessionNumber": f"A{study.rpartition('.')[2]}",
    }
    return dicom_bytes(study=study, number=number, **(given | elements))


def told_case(
    store: Store,
    *observations: DetectorObservation,
    number: int = 1,
    images: Sequence[bytes] = (),
    report: str = CLEAR,
) -> int:
    """A case of a study of its own, triaged with a detector that sees so; returns its number."""
    study = f"2.25.{number}"
    for content in images or [image_bytes(study)]:
        send_image(store, content)
    receipt = send_report(store, report, accession=f"A{number}")
    assert close_study(store, study, now=NOW) is CaseState.READY
    triage_again(store, receipt.case_id, *observations)
    return receipt.case_id


def triage_again(store: Store, case_id: int, *observations: DetectorObservation) -> None:
    """Take the READY case through triage with a detector that sees so."""
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None
    assert claimed.lease.case_id == case_id
    triage_one(store, claimed, clock=lambda: NOW, detectors=(Shows(*observations),))


def make_due(store: Store, rules: Sequence[Rule], *, seconds: float = 0) -> int:
    """Make what is due by these rules so many seconds later."""
    with Workshop() as workshop:
        return Maker(store, workshop, rules, clock=lambda: after(seconds)).make_due()


def faults_of(path: Path) -> list[str]:
    """What dciodvfy calls an error in an object; skips where it is not installed."""
    if not DCIODVFY.exists():
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).splitlines()
    return [line for line in said if line.startswith("Error")]


def dumped(path: Path) -> str:
    """The document as dcmtk reads it, which must find no fault with it; skips where it is not installed."""
    if not DSRDUMP.exists():
        pytest.skip("dsrdump is not installed (Debian package dcmtk)")
    done = subprocess.run([DSRDUMP, path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "E: " not in done.stderr
    return done.stdout
