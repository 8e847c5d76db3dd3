"""Images of a case and frames before their window, by HTTP."""

import json
import struct

import httpx
import numpy as np
from numpy.typing import NDArray

from service.intake.closing import close_study
from service.store.audit_entries import AuditAction
from service.store.database import Store
from service.store.worklist import find_case
from tests.service.adjudication.test_reads import rules
from tests.service.desk.viewer_images import ct_slice, grey_image, ramp, send_ct, slice_values, written
from tests.service.dicomweb.test_removed import remove
from tests.service.material import NOW, dicom_bytes, send_image, triaged_case
from tests.service.waiting import eventually
from tests.service.web.test_audit import entries

PIXELS = "/api/v1/instances/{}/frames/{}/pixels"


def parts(content: bytes) -> tuple[dict[str, object], NDArray[np.generic]]:
    (length,) = struct.unpack("<I", content[:4])
    head = json.loads(content[4 : 4 + length])
    values = np.frombuffer(content[4 + length :], np.dtype(head["kind"]).newbyteorder("<"))
    return head, values.reshape(head["rows"], head["columns"])


def test_a_frame_comes_with_every_value_and_its_windows(api: httpx.Client, sqlite_store: Store) -> None:
    send_image(
        sqlite_store,
        written(
            grey_image(ramp(), WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation="MONOCHROME1")
        ),
    )

    reply = api.get(PIXELS.format("2.25.1.1.1", 1))

    head, values = parts(reply.content)
    np.testing.assert_array_equal(values, ramp())
    assert (head["kind"], head["inverted"], head["slope"]) == ("uint16", True, 1)
    assert head["windows"] == [{"name": "", "black": 0.0, "white": 4095.0}]
    assert (4 + struct.unpack("<I", reply.content[:4])[0]) % 4 == 0


def test_signed_values_come_signed(api: httpx.Client, sqlite_store: Store) -> None:
    send_image(sqlite_store, ct_slice("2.25.8", 3, place_mm=0))

    head, values = parts(api.get(PIXELS.format("2.25.8.3.3", 1)).content)

    assert head["kind"] == "int16"
    np.testing.assert_array_equal(values, slice_values(3))


def test_frames_are_counted_from_1_and_one_that_is_not_there_is_not_found(
    api: httpx.Client, sqlite_store: Store
) -> None:
    frames = np.stack([ramp(8, 8), ramp(8, 8) + 1])
    send_image(sqlite_store, written(grey_image(frames, NumberOfFrames=2)))

    _, second = parts(api.get(PIXELS.format("2.25.1.1.1", 2)).content)

    np.testing.assert_array_equal(second, frames[1])
    assert api.get(PIXELS.format("2.25.1.1.1", 3)).status_code == 404
    assert api.get(PIXELS.format("2.25.1.1.1", 0)).status_code == 422


def test_a_client_asks_each_time_and_what_it_has_is_not_sent_again(
    api: httpx.Client, sqlite_store: Store
) -> None:
    send_image(sqlite_store)
    address = PIXELS.format("2.25.1.1.1", 1)
    first = api.get(address)

    again = api.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_fetched_ahead_is_recorded_as_that_and_what_is_looked_at_as_seen(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    addresses = (PIXELS.format("2.25.1.1.1", 1), f"/api/v1/cases/{case_id}/images")
    tags = [api.get(address, headers={"Overread-Ahead": "1"}).headers.get("ETag") for address in addresses]
    api.get(addresses[0], headers={"If-None-Match": tags[0]})
    api.get(addresses[1])
    api.get(f"/api/v1/cases/{case_id}", headers={"Overread-Ahead": "1"})  # shows more than images

    eventually(lambda: len(entries(sqlite_store)) >= 5)
    recorded = [(entry.action, entry.subject) for entry in entries(sqlite_store)]
    ahead, seen = AuditAction.FETCHED_AHEAD, AuditAction.SAW
    instance, case = "instance 2.25.1.1.1", f"case {case_id}"
    assert recorded == [(ahead, instance), (ahead, case), (seen, instance), (seen, case), (seen, case)]


def test_the_images_of_a_case_come_by_series_and_in_the_order_of_space(
    api: httpx.Client, sqlite_store: Store
) -> None:
    send_ct(sqlite_store, "2.25.1", 4)
    send_image(sqlite_store)
    close_study(sqlite_store, "2.25.1", now=NOW)
    case_id = find_case(sqlite_store, "2.25.1")

    answer = api.get(f"/api/v1/cases/{case_id}/images").json()

    axial, radiograph = answer["stacks"]
    assert [image["instance_number"] for image in axial["images"]] == [4, 3, 2, 1]
    assert (axial["modality"], axial["description"]) == ("CT", "Axial")
    assert axial["images"][0]["spacing"]["kind"] == "PATIENT"
    assert [image["sop_instance_uid"] for image in radiograph["images"]] == ["2.25.1.1.1"]
    assert "Doe" not in json.dumps(answer)


def test_what_is_no_image_is_left_out(api: httpx.Client, sqlite_store: Store) -> None:
    report = "1.2.840.10008.5.1.4.1.1.88.11"  # a structured report
    words = dicom_bytes(number=1, SOPClassUID=report, Modality="SR", Rows=None, Columns=None, PixelData=None)
    send_image(sqlite_store, words)
    send_image(sqlite_store, dicom_bytes(number=2))
    close_study(sqlite_store, "2.25.1", now=NOW)
    case_id = find_case(sqlite_store, "2.25.1")

    (stack,) = api.get(f"/api/v1/cases/{case_id}/images").json()["stacks"]

    assert [image["sop_instance_uid"] for image in stack["images"]] == ["2.25.1.1.2"]


def test_what_was_removed_is_left_out_and_gone_whatever_the_client_has(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    address = PIXELS.format("2.25.1.1.1", 1)
    tag = api.get(address).headers["ETag"]
    remove(sqlite_store, case_id)

    assert api.get(address, headers={"If-None-Match": tag}).status_code == 410
    assert api.get(f"/api/v1/cases/{case_id}/images").json()["stacks"] == []


def test_objects_that_hold_a_result_are_withheld_until_the_own_read_is_committed(
    api: httpx.Client, sqlite_store: Store
) -> None:
    segmentation = "1.2.840.10008.5.1.4.1.1.66.4"
    send_image(sqlite_store, dicom_bytes(number=1))
    send_image(sqlite_store, dicom_bytes(number=2, SOPClassUID=segmentation, Modality="SEG"))
    close_study(sqlite_store, "2.25.1", now=NOW)
    address = f"/api/v1/cases/{find_case(sqlite_store, '2.25.1')}/images"

    def seen() -> list[str]:
        stacks = api.get(address).json()["stacks"]
        return [image["sop_instance_uid"] for stack in stacks for image in stack["images"]]

    assert seen() == ["2.25.1.1.1", "2.25.1.1.2"]
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    assert seen() == ["2.25.1.1.1"]
    assert api.get(PIXELS.format("2.25.1.1.2", 1)).status_code == 404
    assert api.get(PIXELS.format("2.25.1.1.1", 1)).status_code == 200
