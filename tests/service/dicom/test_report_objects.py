"""Reports as DICOM objects over the network: by C-STORE from dcmtk, by STOW-RS from dicomweb-client."""

import io
from pathlib import Path

from dicomweb_client import DICOMwebClient
from pydicom import dcmread

from service.dicomweb.stow import make_stow_app
from service.store.database import Store
from service.store.worklist import load_case, load_instance
from service.web.guard import access_for
from tests.service.dicom.senders import STORESCU, dcmtk
from tests.service.intake.narratives import MASS, pdf_object_bytes, sr_bytes
from tests.service.material import STUDY
from tests.service.narrative.pdfs import pdf_of
from tests.service.web.listening import listening, opener

TEXT = f"FINDINGS:\n{MASS}"


def test_a_report_object_by_c_store_and_again_by_stow_is_one_version(
    port: int, sqlite_store: Store, tmp_path: Path
) -> None:
    sent = tmp_path / "report.dcm"
    sent.write_bytes(sr_bytes())

    done = dcmtk(STORESCU, port, sent, options=("-R",))
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with listening(app) as url:
        reply = DICOMwebClient(url).store_instances([dcmread(io.BytesIO(sr_bytes()))])

    assert done.returncode == 0, done.stderr
    assert len(reply.ReferencedSOPSequence) == 1
    assert [version.text for version in load_case(sqlite_store, 1).reports] == [TEXT]
    assert load_case(sqlite_store, 1).reports[0].source.startswith("C-STORE")


def test_a_scanned_report_is_stored_with_success(port: int, sqlite_store: Store, tmp_path: Path) -> None:
    sent = tmp_path / "scan.dcm"
    sent.write_bytes(pdf_object_bytes(pdf_of()))

    done = dcmtk(STORESCU, port, sent, options=("-R",))

    assert done.returncode == 0, done.stderr
    assert load_instance(sqlite_store, f"{STUDY}.9.1").study_instance_uid == STUDY
