"""A site without a GPU: another vendor's SR arrives with the study, and is weighed against the report."""

import threading
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from models.registry import Change, Entry, Registry
from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from service.intake.closing import close_study
from service.store.database import Store
from service.store.detector_registry import read_registry, save_registry
from service.store.worklist import load_case
from service.triage.loading import load_registered_tools
from service.triage.worker import work
from tests.models.vendor_results.products import (
    group,
    mark,
    write_chest_cad,
    write_image,
    write_manifest,
    write_report,
    write_rows_manifest,
)
from tests.service.material import NOW, send_image, send_report
from tests.service.web.listening import guarded_app, listening

STUDY, ACCESSION = "2.25.7", "A7"
SURE = {"sensitivity": 0.95, "specificity": 0.98, "prevalence": 0.2}
CLEAR = "FINDINGS: The lungs are clear. No pneumothorax."


@pytest.fixture
def image(tmp_path) -> Path:
    return write_image(tmp_path)


def use(store: Store, product: Path) -> None:
    """Put a product on the registry, alone."""
    before = read_registry(store).registry
    change = Change(
        at=NOW,
        who="ada",
        action="activated",
        release=str(product),
        version=None,
        manifest_sha256=None,
    )
    after = Registry(entries=(Entry(release=str(product)),), history=(*before.history, change))
    save_registry(store, after, before=before)


def triage(store: Store, *files: Path, report: str = CLEAR) -> int:
    """Send files and report, let a worker triage, and return the number of the case."""
    for file in files:
        send_image(store, file.read_bytes())
    receipt = send_report(store, report, accession=ACCESSION)
    close_study(store, STUDY, now=NOW)
    drain(store)
    return receipt.case_id


def drain(store: Store) -> None:
    readers = load_registered_tools(store)
    work(store, readers, name="w", clock=lambda: NOW, stop=threading.Event(), drain=True)


def test_an_sr_that_contradicts_the_report_puts_the_case_on_the_list(sqlite_store, image, tmp_path) -> None:
    use(sqlite_store, write_manifest(tmp_path / "product", findings={"pneumothorax": {"stated": SURE}}))
    marks = [group(dcmread(image), box=(10, 20, 60, 80), side=codes.SCT.Left)]

    number = triage(sqlite_store, image, write_report(tmp_path / "sr.dcm", image, marks))

    case = load_case(sqlite_store, number)
    leading = case.triage.result.discrepancies[0]
    assert case.summary.state is CaseState.LISTED
    assert (leading.kind, leading.finding) == (DiscrepancyKind.POSSIBLE_MISS, "pneumothorax")
    assert case.triage.detections[0].detector.name == "acme-chest-reader"
    with listening(guarded_app(sqlite_store)) as url, httpx.Client(base_url=url) as client:
        page = client.get(f"/cases/{number}", headers={"Accept": "text/html"})
        overlay = client.get(f"/api/v1/cases/{number}/overlay.png")
    assert page.status_code == 200
    assert "acme-chest-reader 3.1, operating point factory" in page.text
    assert overlay.headers["content-type"] == "image/png"


def test_an_sr_that_comes_after_the_triage_opens_the_case_again(sqlite_store, image, tmp_path) -> None:
    use(sqlite_store, write_manifest(tmp_path / "product", findings={"nodule": {"stated": SURE}}))
    number = triage(sqlite_store, image)
    before = load_case(sqlite_store, number)

    cad = write_chest_cad(tmp_path / "cad.dcm", image, [mark(codes.DCM.AbnormalOpacity, codes.SCT.Nodule)])
    send_image(sqlite_store, cad.read_bytes())
    close_study(sqlite_store, STUDY, now=NOW)
    drain(sqlite_store)

    after = load_case(sqlite_store, number)
    assert before.summary.state is CaseState.NOT_APPLICABLE
    assert before.summary.reasons == ("acme-chest-reader: the study holds no result of acme-chest-reader",)
    assert after.triage.revision == before.triage.revision + 1
    assert after.summary.state is CaseState.LISTED


def test_rows_of_a_file_are_weighed_as_well(sqlite_store, image, tmp_path) -> None:
    product = write_rows_manifest(tmp_path / "product", findings={"pneumothorax": {"stated": SURE}})
    (product / "results.csv").write_text(f"accession_number,finding,side\n{ACCESSION},pneumothorax,left\n")
    use(sqlite_store, product)

    number = triage(sqlite_store, image)

    assert load_case(sqlite_store, number).summary.state is CaseState.LISTED


def test_a_product_that_agrees_with_the_report_lists_nothing(sqlite_store, image, tmp_path) -> None:
    product = write_rows_manifest(
        tmp_path / "product", findings={"pneumothorax": {"stated": SURE}}, silence="absent"
    )
    (product / "results.csv").write_text(f"accession_number,finding\n{ACCESSION},\n")
    use(sqlite_store, product)

    number = triage(sqlite_store, image)

    assert load_case(sqlite_store, number).summary.state is CaseState.CONCORDANT
