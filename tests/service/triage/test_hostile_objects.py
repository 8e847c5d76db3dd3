"""Objects that were made to hold a worker or an intake: they are refused, and the next case is triaged."""

import io
import struct
import threading

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from models.codestream import SCANS_MAX
from models.elements import ITEMS_MAX
from overread.case import CaseState
from overread.errors import InvalidDicomError
from service.intake.closing import close_study
from service.runtime.worker_process import confined_looks
from service.store.database import Store
from service.store.quarantine import list_quarantine
from service.store.worklist import load_case
from service.triage.worker import work
from tests.service.material import NOW, WHITE, after, dicom_bytes, ready_case, send_image, send_report

ITEM, SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, element, 0) for element in (0xE000, 0xE0DD))
UNDEFINED = 0xFFFFFFFF
SIDE = 256


def with_items(content: bytes, *, stated: bool) -> bytes:
    """The object with a Modality LUT Sequence of more empty items than any real object has."""
    items = ITEM * (ITEMS_MAX + 1) + (b"" if stated else SEQUENCE_END)
    sequence = struct.pack("<HH2sHL", 0x0028, 0x3000, b"SQ", 0, len(items) if stated else UNDEFINED) + items
    pixels = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    return content[:pixels] + sequence + content[pixels:]


def scan_bomb(**elements: object) -> bytes:
    """A radiograph in a progressive JPEG whose last scan comes again and again."""
    buffer = io.BytesIO()
    slope = np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1))
    Image.fromarray(slope).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    plain = dicom_bytes(Rows=SIDE, Columns=SIDE, PixelData=slope.tobytes(), **elements)
    dataset = dcmread(io.BytesIO(plain))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg[:-2] + scan * SCANS_MAX + jpeg[-2:]])
    dataset["PixelData"].VR = "OB"
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def triage_all(store: Store) -> None:
    looks = confined_looks(store)
    try:
        work(store, looks, name="w", clock=lambda: after(9), stop=threading.Event(), drain=True)
    finally:
        looks.close()


@pytest.mark.parametrize("stated", [False, True], ids=["marked", "stated"])
def test_an_object_of_too_many_items_is_refused_at_its_arrival(sqlite_store, stated) -> None:
    with pytest.raises(InvalidDicomError, match=f"more than {ITEMS_MAX} items"):
        send_image(sqlite_store, with_items(dicom_bytes(), stated=stated))

    assert [entry.reason for entry in list_quarantine(sqlite_store)] == ["INVALID_DICOM"]
    assert send_image(sqlite_store, dicom_bytes()).header.study_instance_uid == "2.25.1"


def test_a_worker_fails_what_was_made_to_hold_it_and_triages_the_next(sqlite_store) -> None:
    send_image(sqlite_store, scan_bomb(study="2.25.1", AccessionNumber="A1", ViewPosition="PA"))
    scans = send_report(sqlite_store, accession="A1").case_id
    close_study(sqlite_store, "2.25.1", now=NOW)
    # Two that an earlier release let in.
    items = [ready_case(sqlite_store, number, now=after(number)) for number in (2, 3)]
    for case, stated in zip(items, (False, True), strict=True):
        path = load_case(sqlite_store, case).instances[0].path
        path.write_bytes(with_items(path.read_bytes(), stated=stated))
    good = ready_case(sqlite_store, 4, value=WHITE, now=after(4))

    triage_all(sqlite_store)

    ends = {case: load_case(sqlite_store, case).summary for case in (scans, *items, good)}
    assert ends[scans].state is CaseState.FAILED
    assert f"more than {SCANS_MAX} scans" in ends[scans].failure
    for case in items:
        assert ends[case].state is CaseState.FAILED
        assert f"more than {ITEMS_MAX} items" in ends[case].failure
    assert ends[good].state is CaseState.NOT_APPLICABLE  # an empty image
