"""The presentation state: valid, boxes and words on the very frame, in the window of the desk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from overread.errors import InputError
from overread.observation import DetectorObservation
from service.results.making import result_of_case
from service.store.database import Store
from service.store.results import Form
from tests.service.results.material import faults_of, image_bytes, seen, told_case
from tests.service.results.real_images import ct_series, real, uids_of

BOX = (10.5, 20.0, 60.0, 90.0)
CORNERS = [10.5, 20, 60, 20, 60, 90, 10.5, 90, 10.5, 20]


def presentation_of(
    store: Store, images: Sequence[bytes], *observations: DetectorObservation
) -> tuple[Dataset, Path]:
    """The presentation state as it stands in a file, and the file."""
    case_id = told_case(store, *observations, images=images)
    path = store.settings.data_folder / "pr.dcm"
    result_of_case(store, case_id, Form.GSPS).save_as(path, enforce_file_format=True)
    return dcmread(path), path


def window_of(made: Dataset) -> tuple[float, float]:
    (window,) = made.SoftcopyVOILUTSequence
    return float(window.WindowCenter), float(window.WindowWidth)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "MR2_J2KI.dcm", "RG1_UNCR.dcm"])
def test_real_images_have_a_valid_one(name: str, sqlite_store: Store) -> None:
    images = real(name)

    made, path = presentation_of(sqlite_store, images, seen("nodule", (3, 4, 8, 9), image="2.25.1.1.1"))

    assert faults_of(path) == []
    assert made.Modality == "PR"
    (series,) = made.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence] == ["2.25.1.1.1"]


def test_boxes_and_words_lie_where_the_finding_is_under_the_name_of_the_report(sqlite_store: Store) -> None:
    made, path = presentation_of(sqlite_store, [image_bytes()], seen("nodule", BOX, (1, 2, 3, 4)))

    assert faults_of(path) == []
    (annotation,) = made.GraphicAnnotationSequence
    first, second = annotation.GraphicObjectSequence
    words = annotation.TextObjectSequence[0]
    assert (first.GraphicType, first.GraphicAnnotationUnits) == ("POLYLINE", "PIXEL")
    assert first.GraphicData == CORNERS
    assert words.UnformattedTextValue.startswith("1.1 lung nodule: possible miss\r\n")
    assert words.AnchorPoint == [10.5, 90]
    assert second.TrackingID == "1.2 lung nodule: possible miss"
    report = str(result_of_case(sqlite_store, 1, Form.SR))
    assert str(first.TrackingUID) in report
    assert str(second.TrackingUID) in report


def test_the_window_is_that_of_the_image(sqlite_store: Store) -> None:
    images = [image_bytes(WindowCenter=[2000, 100], WindowWidth=[10, 100])]  # the first one shows nothing

    made, _ = presentation_of(sqlite_store, images, seen("nodule", BOX))

    assert window_of(made) == (100, 100)
    assert made.PresentationLUTShape == "IDENTITY"


def test_an_image_without_a_window_has_the_one_in_which_the_desk_shows_it(sqlite_store: Store) -> None:
    pixels = np.full((400, 512), 40, np.uint8)
    pixels[:, 256:] = 200
    images = [image_bytes(PhotometricInterpretation="MONOCHROME1", PixelData=pixels.tobytes())]

    made, _ = presentation_of(sqlite_store, images, seen("nodule", BOX))

    assert window_of(made) == (120.5, 161)  # black 40, white 200, as PS3.3 C.11.2.1.2 states them
    assert made.PresentationLUTShape == "INVERSE"


def test_of_pixels_that_cannot_be_decoded_the_window_of_the_header_holds(sqlite_store: Store) -> None:
    images = [image_bytes(WindowCenter=90, WindowWidth=80, PixelData=bytes(8))]  # cut off

    made, path = presentation_of(sqlite_store, images, seen("nodule", BOX))

    assert faults_of(path) == []
    assert window_of(made) == (90, 80)


def test_slices_of_a_ct_and_frames_of_an_object_are_told_apart(sqlite_store: Store) -> None:
    images = ct_series()
    uids = uids_of(images)

    made, _ = presentation_of(
        sqlite_store,
        images,
        seen("nodule", (1, 2, 3, 4), image=uids[4]),
        seen("mass", (5, 6, 7, 8), image=uids[1]),
    )

    found = {
        item.ReferencedImageSequence[0].ReferencedSOPInstanceUID: item.GraphicObjectSequence[0].GraphicData[
            :2
        ]
        for item in made.GraphicAnnotationSequence
    }
    assert found == {uids[4]: [1, 2], uids[1]: [5, 6]}


def test_a_frame_is_named_by_its_number(sqlite_store: Store) -> None:
    images = real("eCT_Supplemental.dcm")

    made, path = presentation_of(sqlite_store, images, seen("nodule", BOX, image="2.25.1.1.1", frame=1))

    assert faults_of(path) == []
    (annotation,) = made.GraphicAnnotationSequence
    assert annotation.ReferencedImageSequence[0].ReferencedFrameNumber == 2


@pytest.mark.parametrize(
    ("elements", "shape"),
    [
        ({"PixelSpacing": [0.5, 0.25]}, ("PresentationPixelSpacing", [0.5, 0.25])),
        ({"PixelSpacing": [0.5, 0.5]}, ("PresentationPixelAspectRatio", [1, 1])),
        ({"PixelAspectRatio": [4, 3]}, ("PresentationPixelAspectRatio", [4, 3])),
    ],
)
def test_pixels_keep_their_shape(elements, shape, sqlite_store: Store) -> None:
    made, path = presentation_of(sqlite_store, [image_bytes(**elements)], seen("nodule", BOX))

    assert faults_of(path) == []
    (area,) = made.DisplayedAreaSelectionSequence
    names = {"PresentationPixelSpacing", "PresentationPixelAspectRatio"}
    assert {name: area[name].value for name in names if name in area} == dict([shape])


def test_made_twice_it_is_the_same_to_the_byte(sqlite_store: Store) -> None:
    _, path = presentation_of(sqlite_store, [image_bytes()], seen("nodule", BOX))
    first = path.read_bytes()

    result_of_case(sqlite_store, 1, Form.GSPS).save_as(path, enforce_file_format=True)

    assert path.read_bytes() == first


def test_a_colour_image_has_none(sqlite_store: Store) -> None:
    colour = real("examples_rgb_color.dcm")
    case_id = told_case(sqlite_store, seen("nodule", BOX, image="2.25.1.1.1"), images=colour)

    with pytest.raises(InputError, match="there is no GSPS"):
        result_of_case(sqlite_store, case_id, Form.GSPS)
