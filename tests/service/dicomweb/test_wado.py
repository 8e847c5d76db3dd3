"""WADO-RS by plain HTTP: what is accepted, what is refused, and what hostile headers do."""

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from service.dicomweb.dicom_json import ELEMENTS_MAX, VALUES_BYTES_MAX, read_json
from service.dicomweb.stow import make_stow_app
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.removal import Removal, drop_removed, mark_removed
from service.store.worklist import load_case, load_instance
from service.web.guard import access_for
from service.web.settings import WebSettings
from tests.service.material import NOW, dicom_bytes, send_image, triaged_case
from tests.service.web.listening import listening, opener

DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
PLAIN = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.1"
SLICES = "/studies/2.25.5/series/2.25.5.1/instances/2.25.5.1.1"


def real(name: str, **changed: object) -> bytes:
    dataset = dcmread(str(get_testdata_file(name)))
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def slices() -> bytes:
    """A multi-frame MR in JPEG-LS."""
    uids = {
        "StudyInstanceUID": "2.25.5",
        "SeriesInstanceUID": "2.25.5.1",
        "SOPInstanceUID": "2.25.5.1.1",
    }
    return real("emri_small_jpeg_ls_lossless.dcm", PatientID="P5", AccessionNumber="A5", **uids)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A radiograph of 8 by 8 pixels in two instances, and ten frames in JPEG-LS."""
    folder = tmp_path_factory.mktemp("archive")
    store = open_store(load_settings({}, data_folder=folder).model_copy(update={"free_bytes_min": 0}))
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    send_image(store, dicom_bytes(PixelData=ramp.tobytes()))
    send_image(store, dicom_bytes(number=2))
    send_image(store, slices())
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(archive: Store) -> Iterator[httpx.Client]:
    app = make_stow_app(opener(archive), access_for("127.0.0.1", None))
    with listening(app) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def parts(reply: httpx.Response) -> list[tuple[str, bytes]]:
    """The content type and the content of each part."""
    assert reply.status_code == 200, reply.text
    boundary = reply.headers["content-type"].partition("boundary=")[2].encode()
    found = []
    for part in reply.content.split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        found.append((fields["Content-Type"], content))
    return found


def get(client: httpx.Client, address: str, accept: str) -> httpx.Response:
    return client.get(address, headers={"Accept": accept})


def test_a_study_comes_as_received_with_its_length_and_not_compressed(
    client: httpx.Client, archive: Store
) -> None:
    reply = client.get("/studies/2.25.1", headers={"Accept-Encoding": "gzip"})
    stored = [load_instance(archive, f"2.25.1.1.{number}").path.read_bytes() for number in (1, 2)]
    assert parts(reply) == [
        (f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}", each) for each in stored
    ]
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert "content-encoding" not in reply.headers
    assert reply.headers["content-type"].startswith(f"{DICOM}; boundary=")


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        ("*/*", JPEGLSLossless),
        (DICOM, JPEGLSLossless),
        (f"{DICOM}; transfer-syntax=*", JPEGLSLossless),
        (f"{DICOM}; transfer-syntax={JPEGLSLossless}", JPEGLSLossless),
        (f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}", ExplicitVRLittleEndian),
        (
            f"{DICOM}; transfer-syntax={JPEGLSLossless};q=0.5, {DICOM}; transfer-syntax=1.2.840.10008.1.2.1",
            ExplicitVRLittleEndian,
        ),
        (
            f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90, {DICOM}; transfer-syntax=*;q=0.1",
            JPEGLSLossless,
        ),
        (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90", None),
        (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2", None),
        ("image/jpeg", None),
        ('multipart/related; type="image/jls"', None),
        (f"{DICOM};q=0", None),
    ],
)
def test_the_transfer_syntax_is_negotiated(client: httpx.Client, accept: str, syntax: str | None) -> None:
    reply = get(client, SLICES, accept)
    if syntax is None:
        assert reply.status_code == 406
        assert "JPEG-LS" in reply.json()["title"]
        return
    ((media_type, content),) = parts(reply)
    assert media_type == f"application/dicom; transfer-syntax={syntax}"
    assert dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID == syntax


def test_the_parameter_counts_before_the_header(client: httpx.Client) -> None:
    asked = f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}"
    reply = client.get(SLICES, params={"accept": asked}, headers={"Accept": "text/html,*/*;q=0.8"})
    assert parts(reply)[0][0].endswith(ExplicitVRLittleEndian)


def test_one_instance_comes_alone_where_that_is_asked_for(client: httpx.Client, archive: Store) -> None:
    reply = get(client, PLAIN, "application/dicom")
    assert reply.headers["content-type"] == "application/dicom"
    assert reply.content == load_instance(archive, "2.25.1.1.1").path.read_bytes()
    assert get(client, "/studies/2.25.1", "application/dicom").status_code == 406


@pytest.mark.parametrize(
    "address",
    [
        "/studies/2.25.9",
        "/studies/2.25.9/metadata",
        "/studies/2.25.1/series/2.25.9",
        "/studies/2.25.5/series/2.25.5.1/instances/2.25.1.1.1",  # of another study
        "/studies/2.25.5/series/2.25.5.1/instances/2.25.1.1.1/frames/1",
        f"{PLAIN}/frames/2",
        f"{PLAIN}/frames/2/rendered",
        f"{PLAIN}/bulkdata/00420011",
        f"{PLAIN}/bulkdata/7FE00010",
        f"{PLAIN}/bulkdata/../../x",
        f"{PLAIN}/nothing",
    ],
)
def test_what_is_not_there_is_not_found(client: httpx.Client, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "frames/0",
        "frames/1,,2",
        "frames/one",
        "frames/-1",
        "frames/1,2/rendered",
        "frames/0/rendered",
        "rendered?window=1",
        "rendered?window=1,0,linear",
        "rendered?window=1,2,sigmoid",
        "rendered?viewport=0,5",
        "rendered?viewport=99999,5",
        "rendered?quality=0",
        "rendered?quality=high",
    ],
)
def test_a_malformed_request_is_a_bad_one(client: httpx.Client, address: str) -> None:
    assert client.get(f"{PLAIN}/{address}").status_code == 400


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (f"{OCTETS}; transfer-syntax=*", f"application/octet-stream; transfer-syntax={JPEGLSLossless}"),
        (OCTETS, f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"),
        ('multipart/related; type="image/jls"', f"image/jls; transfer-syntax={JPEGLSLossless}"),
        ('multipart/related; type="*/*"', f"image/jls; transfer-syntax={JPEGLSLossless}"),
        ('multipart/related; type="image/jp2"', None),
        ("application/octet-stream", f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"),
    ],
)
def test_frames_come_in_the_form_that_is_accepted(
    client: httpx.Client, accept: str, media_type: str | None
) -> None:
    reply = get(client, f"{SLICES}/frames/2", accept)
    if media_type is None:
        assert reply.status_code == 406
        return
    if accept.startswith("multipart"):
        ((found, content),) = parts(reply)
    else:
        found, content = reply.headers["content-type"], reply.content
    assert found == media_type
    plain = dcmread(str(get_testdata_file("emri_small.dcm"))).pixel_array[1].tobytes()
    assert (content == plain) is media_type.endswith(ExplicitVRLittleEndian)


def test_frames_come_in_the_order_of_the_list_and_all_at_once(client: httpx.Client) -> None:
    pixels = dcmread(str(get_testdata_file("emri_small.dcm"))).pixel_array
    found = [content for _, content in parts(get(client, f"{SLICES}/frames/7,1", OCTETS))]
    assert found == [pixels[6].tobytes(), pixels[0].tobytes()]
    assert [content for _, content in parts(get(client, f"{SLICES}/pixeldata", OCTETS))] == [
        frame.tobytes() for frame in pixels
    ]


def drawn(reply: httpx.Response) -> Image.Image:
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


def test_a_picture_is_drawn_with_the_window_and_in_the_size_that_are_asked_for(client: httpx.Client) -> None:
    exact = drawn(get(client, f"{PLAIN}/rendered?window=31.5,63,linear-exact", "image/png"))
    assert np.array_equal(np.asarray(exact), np.rint(np.arange(64).reshape(8, 8) / 63 * 255))
    narrow = drawn(get(client, f"{PLAIN}/rendered?window=32,2,linear", "image/png"))
    assert set(np.unique(np.asarray(narrow))) == {0, 255}
    assert drawn(get(client, f"{PLAIN}/rendered?viewport=40,16", "image/jpeg")).size == (16, 16)
    assert drawn(client.get(f"{SLICES}/frames/10/rendered")).format == "JPEG"
    small = get(client, f"{SLICES}/rendered?quality=1", "image/jpeg")
    assert len(small.content) < len(get(client, f"{SLICES}/rendered?quality=100", "image/jpeg").content)
    assert get(client, f"{PLAIN}/rendered", "image/gif").status_code == 406


def test_metadata_names_where_pixels_are_and_nothing_of_the_file(client: httpx.Client) -> None:
    (dataset,) = client.get(f"{SLICES}/metadata").json()
    assert dataset["7FE00010"]["BulkDataURI"] == f"{client.base_url}".rstrip("/") + f"{SLICES}/pixeldata"
    assert dataset["00083002"]["Value"] == [JPEGLSLossless]
    assert not any(key.startswith("0002") for key in dataset)
    assert get(client, f"{SLICES}/metadata", "application/dicom+xml").status_code == 406


def test_bytes_that_are_missing_are_not_found_and_the_study_still_is(sqlite_store: Store) -> None:
    send_image(sqlite_store)
    load_instance(sqlite_store, "2.25.1.1.1").path.unlink()
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with listening(app) as url:
        for address in ("", "/metadata", "/frames/1", "/rendered"):
            assert httpx.get(f"{url}{PLAIN}{address}").status_code == 404
        assert httpx.get(f"{url}/studies").status_code == 200


def test_what_retention_removed_is_gone_with_the_day_and_the_rest_is_still_given(sqlite_store: Store) -> None:
    send_image(sqlite_store, dicom_bytes(number=2, AccessionNumber="A1"))
    case = load_case(sqlite_store, triaged_case(sqlite_store)).summary
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with listening(app) as url:
        for number, status in ((1, 206), (2, 410)):
            removal = Removal(at=NOW, why="older than 30 days", state=case.state)
            assert mark_removed(sqlite_store, "2.25.1", [f"2.25.1.1.{number}"], removal) == 1
            assert drop_removed(sqlite_store, f"2.25.1.1.{number}")
            assert httpx.get(f"{url}/studies/2.25.1").status_code == status
            assert httpx.get(f"{url}/studies/2.25.1/metadata").status_code == status
        gone = httpx.get(f"{url}{PLAIN}/frames/1")
        assert gone.status_code == 410
        assert f"{NOW:%Y-%m-%d}" in gone.json()["detail"]
        (dataset,) = httpx.get(f"{url}/studies").json()
        assert dataset["00080056"]["Value"] == ["UNAVAILABLE"]


def test_addresses_are_those_of_the_proxy_where_one_is_set(archive: Store) -> None:
    app = make_stow_app(
        opener(archive),
        access_for("127.0.0.1", None),
        web=WebSettings(dicomweb_url="https://pacs.example.org/dicomweb/"),
    )
    with listening(app) as url:
        (dataset,) = httpx.get(f"{url}/studies?StudyInstanceUID=2.25.1").json()
        assert dataset["00081190"]["Value"] == ["https://pacs.example.org/dicomweb/studies/2.25.1"]
        (metadata,) = httpx.get(f"{url}{PLAIN}/metadata").json()
        assert metadata["7FE00010"]["BulkDataURI"].startswith("https://pacs.example.org/dicomweb/studies/")


def hostile(tag: int, representation: str, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, representation.encode(), 0, size) + value


def with_header(elements: bytes) -> bytes:
    """A radiograph with these elements of group 0019 to 0027 in their place."""
    whole = dicom_bytes()
    at = whole.index(struct.pack("<HH", 0x0028, 0x0002))
    return whole[:at] + elements + whole[at:]


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param(
            hostile(
                0x00209221,
                "SQ",
                struct.pack("<HHL", 0xFFFE, 0xE000, 8 * ELEMENTS_MAX)  # one item of so many empty elements
                + struct.pack("<HH2sH", 0x0021, 0x1001, b"LO", 0) * ELEMENTS_MAX,
            ),
            id="half a million elements",
        ),
        pytest.param(
            b"".join(
                hostile(0x00209221 + 2, "UT", bytes([65]) * 65_536)
                for _ in range(VALUES_BYTES_MAX // 65_536 + 1)
            ),
            id="long texts",
        ),
    ],
)
def test_a_header_beyond_all_limits_gives_what_the_tables_know(sqlite_store: Store, elements: bytes) -> None:
    send_image(sqlite_store, with_header(elements))
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with listening(app) as url:
        (dataset,) = httpx.get(f"{url}{PLAIN}/metadata", timeout=60).json()
        assert dataset["00080018"]["Value"] == ["2.25.1.1.1"]
        assert "00100010" not in dataset


def test_a_sequence_too_deep_is_not_followed(tmp_path: Path) -> None:
    nested = b""
    for _ in range(40):
        nested = hostile(0x00209221, "SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(nested)) + nested)
    path = tmp_path / "deep.dcm"
    path.write_bytes(with_header(nested))
    with pytest.raises(Exception, match="nested"):
        read_json(path)


def test_every_kind_of_value_is_mapped_as_annex_f_says(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset.OtherPatientIDs = ["A", "", "B"]
    dataset.PatientWeight = "70.5"
    dataset.InstanceNumber = "007"
    dataset.FrameIncrementPointer = 0x00181063
    dataset.RealWorldValueSlope = float("nan")
    dataset.SelectorULValue = [1, 2]
    dataset.RedPaletteColorLookupTableData = b"\1\2"
    dataset.EncapsulatedDocument = bytes(5000)
    path = tmp_path / "values.dcm"
    whole = dicom_bytes(**{element.keyword: element.value for element in dataset})
    path.write_bytes(whole)
    found = read_json(path, bulk_address=lambda place: f"here/{place}")
    assert found["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert found["00080005"]["Value"] == ["ISO_IR 192"]
    assert found["00101000"]["Value"] == ["A", None, "B"]
    assert (found["00101030"]["Value"], found["00200013"]["Value"]) == ([70.5], [7])
    assert found["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert found["00409225"] == {"vr": "FD", "Value": ["NaN"]}
    assert found["00281201"] == {"vr": "OW", "InlineBinary": "AQI="}
    assert found["00420011"] == {"vr": "OB", "BulkDataURI": "here/00420011"}
    assert json.dumps(found, allow_nan=False)
    assert set(read_json(path, wanted=[0x00100010])) == {"00100010"}
