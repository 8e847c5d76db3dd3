"""The archive as dicomweb-client sees it: stored by STOW-RS, found by QIDO-RS, retrieved by WADO-RS."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian

from service.dicomweb.stow import make_stow_app
from service.settings import load_settings
from service.store.database import open_store
from service.web.guard import access_for
from tests.service.web.listening import listening, opener

# A multi-frame MR in five transfer syntaxes would share its UIDs, so each has one of its own here.
NAMES = (
    "emri_small.dcm",
    "MR_small_implicit.dcm",
    "JPEG-LL.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "693_J2KR.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "image_dfl.dcm",
    "ExplVR_BigEnd.dcm",
    "liver.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
)


def real(name: str) -> Path:
    path = get_testdata_file(name)
    assert path, f"pydicom-data lacks {name}"
    return Path(str(path))


@pytest.fixture(scope="module")
def objects() -> dict[str, Dataset]:
    """Real objects, each in a study of its own."""
    found: dict[str, Dataset] = {}
    for number, name in enumerate(NAMES):
        dataset = dcmread(real(name))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.90.{number}", f"2.25.91.{number}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.92.{number}")
        dataset.AccessionNumber, dataset.PatientID = f"ACC{number}", f"PAT{number}"
        found[name] = dataset
    return found


@pytest.fixture(scope="module")
def client(objects: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DICOMwebClient]:
    """A client of an archive that holds the objects, which it has stored there itself."""
    settings = load_settings({}, data_folder=tmp_path_factory.mktemp("dicomweb")).model_copy(
        update={"free_bytes_min": 0}
    )
    store = open_store(settings)
    app = make_stow_app(opener(store), access_for("127.0.0.1", None))
    with listening(app) as url:
        opened = DICOMwebClient(url)
        reply = opened.store_instances(list(objects.values()))
        assert len(reply.ReferencedSOPSequence) == len(objects)
        yield opened
    store.close()


def uids(dataset: Dataset) -> tuple[str, str, str]:
    return dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID


def stored(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_what_was_stored_comes_back_bit_for_bit(
    client: DICOMwebClient, objects: dict[str, Dataset], name: str
) -> None:
    study, series, instance = uids(objects[name])
    found = client.retrieve_instance(study, series, instance)
    assert found.file_meta.TransferSyntaxUID == objects[name].file_meta.TransferSyntaxUID
    assert stored(found) == stored(objects[name])
    assert [stored(each) for each in client.retrieve_series(study, series)] == [stored(objects[name])]
    assert [stored(each) for each in client.iter_study(study)] == [stored(objects[name])]


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_given_as_explicit_little_endian_on_request(
    client: DICOMwebClient, objects: dict[str, Dataset], name: str
) -> None:
    wanted = (("application/dicom", ExplicitVRLittleEndian),)
    found = client.retrieve_instance(*uids(objects[name]), media_types=wanted)
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert found.SOPInstanceUID == objects[name].SOPInstanceUID
    if "PixelData" in found:
        np.testing.assert_array_equal(found.pixel_array, objects[name].pixel_array)
    else:
        assert found == objects[name]


def test_studies_series_and_instances_are_found(client: DICOMwebClient, objects: dict[str, Dataset]) -> None:
    assert len(client.search_for_studies(get_remaining=True, limit=5)) == len(NAMES)
    study, series, instance = uids(objects["liver.dcm"])
    (found,) = client.search_for_studies(search_filters={"AccessionNumber": "ACC9"})
    assert Dataset.from_json(found).ModalitiesInStudy == objects["liver.dcm"].Modality
    (found,) = client.search_for_series(study)
    assert Dataset.from_json(found).SeriesInstanceUID == series
    (found,) = client.search_for_instances(study, series, fields=["NumberOfFrames"])
    assert (Dataset.from_json(found).SOPInstanceUID, Dataset.from_json(found).NumberOfFrames) == (instance, 3)
    assert client.search_for_studies(search_filters={"AccessionNumber": "none"}) == []


@pytest.mark.parametrize("name", NAMES)
def test_metadata_is_the_data_set_without_what_is_long(
    client: DICOMwebClient, objects: dict[str, Dataset], name: str
) -> None:
    study, series, instance = uids(objects[name])
    metadata = client.retrieve_instance_metadata(study, series, instance)

    def long_value(address: str) -> bytes:
        return b"".join(client.retrieve_bulkdata(address))

    found = Dataset.from_json(metadata, bulk_data_uri_handler=long_value)
    for element in objects[name]:
        if element.keyword == "PixelData" or element.tag.element == 0 or element.VR in {"SQ", "UN"}:
            continue
        if element.keyword == "SpecificCharacterSet":
            assert found.SpecificCharacterSet == "ISO_IR 192"
        elif element.VM == 1 and element.VR not in {"OB", "OW"}:
            assert found[element.tag].value == element.value, element.tag
    assert client.retrieve_series_metadata(study, series) == [metadata]
    assert client.retrieve_study_metadata(study) == [metadata]


@pytest.mark.parametrize(
    ("name", "media_type", "count"),
    [
        ("SC_rgb_rle_16bit_2frame.dcm", "image/dicom-rle", 2),
        ("JPEG-LL.dcm", "image/jpeg", 1),
        ("693_J2KR.dcm", "image/jp2", 1),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls", 1),
    ],
)
def test_compressed_frames_come_as_they_are_stored(
    client: DICOMwebClient, objects: dict[str, Dataset], name: str, media_type: str, count: int
) -> None:
    frames = list(range(1, count + 1))
    wanted = ((media_type, objects[name].file_meta.TransferSyntaxUID),)
    found = client.retrieve_instance_frames(*uids(objects[name]), frames, media_types=wanted)
    assert list(found) == list(generate_frames(objects[name].PixelData, number_of_frames=count))


@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "SC_rgb_rle_16bit_2frame.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_frames_come_as_plain_pixels(client: DICOMwebClient, objects: dict[str, Dataset], name: str) -> None:
    pixels = objects[name].pixel_array
    pixels = pixels[[-1, 0]] if pixels.ndim > 2 else pixels[None]
    numbers = [objects[name].NumberOfFrames, 1] if "NumberOfFrames" in objects[name] else [1]
    found = client.retrieve_instance_frames(
        *uids(objects[name]), numbers, media_types=("application/octet-stream",)
    )
    assert found == [frame.tobytes() for frame in pixels]


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
def test_an_image_is_drawn(client: DICOMwebClient, objects: dict[str, Dataset], media_type: str) -> None:
    study, series, instance = uids(objects["693_J2KR.dcm"])
    picture = client.retrieve_instance_rendered(study, series, instance, media_types=(media_type,))
    assert picture.startswith(b"\x89PNG" if media_type == "image/png" else b"\xff\xd8\xff")
    study, series, instance = uids(objects["emri_small.dcm"])
    frame = client.retrieve_instance_frames_rendered(study, series, instance, [3], media_types=(media_type,))
    assert frame.startswith(picture[:3])


def test_a_long_value_is_where_the_metadata_says(client: DICOMwebClient, objects: dict[str, Dataset]) -> None:
    metadata = client.retrieve_instance_metadata(*uids(objects["waveform_ecg.dcm"]))
    waveform = metadata["54000100"]["Value"][0]["54001010"]
    assert "BulkDataURI" in waveform
    (content,) = client.retrieve_bulkdata(waveform["BulkDataURI"])
    assert content == objects["waveform_ecg.dcm"].WaveformSequence[0].WaveformData
