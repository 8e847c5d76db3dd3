"""The segmentation: valid, on the very slices and frames, and read back by highdicom to what was seen."""

import io
from collections.abc import Sequence
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from overread.errors import InputError
from overread.observation import DetectorObservation, HeatMap, ImageRegion, Laterality
from service.results.making import result_of_case
from service.results.segmentation import VOXELS_MAX, mask_of
from service.results.settings import ResultsSettings
from service.store.database import Store
from service.store.results import Form
from tests.service.results.material import CT, faults_of, image_bytes, seen, told_case
from tests.service.results.real_images import OF_EVERY_SYNTAX, ct_series, real, uids_of

BOX = (3.0, 4.0, 8.0, 9.6)  # columns 3 to 7, rows 4 to 9: a pixel is in it where its middle is
PIXELS = (slice(4, 10), slice(3, 8))


def segmentation_of(
    store: Store, images: Sequence[bytes], *observations: DetectorObservation
) -> tuple[highdicom.seg.Segmentation, Path]:
    """The segmentation as highdicom reads it from a file, and the file."""
    case_id = told_case(store, *observations, images=images)
    path = store.settings.data_folder / "seg.dcm"
    result_of_case(store, case_id, Form.SEG).save_as(path, enforce_file_format=True)
    return highdicom.seg.segread(path), path


def sources_of(made: Dataset) -> list[list[tuple[str, str | None]]]:
    """Of each frame the images, with the frame, that it refers to."""
    return [
        [
            (str(item.ReferencedSOPInstanceUID), item.get("ReferencedFrameNumber"))
            for item in frame.DerivationImageSequence[0].SourceImageSequence
        ]
        for frame in made.PerFrameFunctionalGroupsSequence
    ]


@pytest.mark.parametrize("name", OF_EVERY_SYNTAX)
def test_real_images_of_every_transfer_syntax_have_a_valid_one(name: str, sqlite_store: Store) -> None:
    images = real(name)

    made, path = segmentation_of(sqlite_store, images, seen("nodule", BOX, image=uids_of(images)[0]))

    assert faults_of(path) == []
    assert sources_of(made) == [[("2.25.1.1.1", None)]]
    source = dcmread(io.BytesIO(images[0]), stop_before_pixels=True)
    assert (made.Rows, made.Columns) == (source.Rows, source.Columns)
    wanted = np.zeros((source.Rows, source.Columns), np.uint8)
    wanted[PIXELS] = 1
    assert np.array_equal(made.pixel_array, wanted)


def test_each_segment_has_a_colour_of_its_own_and_the_first_is_red(sqlite_store: Store) -> None:
    images = ct_series()
    image = uids_of(images)[0]

    made, _ = segmentation_of(
        sqlite_store, images, seen("nodule", BOX, image=image), seen("mass", BOX, image=image)
    )

    shown = [item.RecommendedDisplayCIELabValue for item in made.SegmentSequence]
    colours = [highdicom.color.CIELabColor.from_dicom_value(tuple(value)).to_rgb() for value in shown]
    assert colours[0] == (255, 0, 0)
    assert len(set(colours)) == len(colours) == 2


def test_boxes_on_slices_of_a_ct_are_read_back_on_these_slices(sqlite_store: Store) -> None:
    images = ct_series()
    uids = uids_of(images)
    nodule = seen("nodule", BOX, image=uids[2], side=Laterality.RIGHT)
    on_two = (*seen("mass", BOX, image=uids[3]).regions, *seen("mass", (0, 0, 2, 2), image=uids[0]).regions)
    mass = DetectorObservation(
        finding="mass",
        presence=nodule.presence,
        score=0.8,
        probability=0.8,
        prevalence=0.02,
        sop_instance_uid=uids[3],
        regions=on_two,
    )

    made, path = segmentation_of(sqlite_store, images, nodule, mass)

    assert faults_of(path) == []
    labels = {item.SegmentLabel: number for number, item in enumerate(made.SegmentSequence)}
    volume = made.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    assert volume.shape == (5, 16, 16, 2)
    wanted = np.zeros(volume.shape, np.uint8)
    wanted[2, *PIXELS, labels["lung nodule"]] = 1
    wanted[3, *PIXELS, labels["lung mass"]] = 1
    wanted[0, :2, :2, labels["lung mass"]] = 1
    assert np.array_equal(volume, wanted)
    place = {str(dcmread(io.BytesIO(item)).SOPInstanceUID): dcmread(io.BytesIO(item)) for item in images}
    for frame, ((image, _),) in zip(made.PerFrameFunctionalGroupsSequence, sources_of(made), strict=True):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == place[image].ImagePositionPatient


def test_a_segment_says_what_it_is_who_saw_it_and_under_which_name_the_report_tracks_it(
    sqlite_store: Store,
) -> None:
    images = ct_series()
    nodule = seen("nodule", BOX, image=uids_of(images)[1], side=Laterality.LEFT)

    made, _ = segmentation_of(sqlite_store, images, nodule)
    report = result_of_case(sqlite_store, 1, Form.SR).to_json()

    (segment,) = made.SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    (site,) = segment.AnatomicRegionSequence
    assert (made.Modality, made.SegmentationType, made.SeriesNumber) == ("SEG", "BINARY", 9105)
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "shows")
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("shows", "7")
    assert f"operating point=balanced,sha256={'a' * 64}" in algorithm.AlgorithmParameters
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "lung nodule"
    assert (site.CodeMeaning, site.AnatomicRegionModifierSequence[0].CodeMeaning) == ("Lung", "Left")
    assert f'"{segment.TrackingID}"' in report
    assert str(segment.TrackingUID) in report


def test_a_frame_of_a_multi_frame_ct_is_referred_to_by_its_number(sqlite_store: Store) -> None:
    images = real("eCT_Supplemental.dcm")

    made, path = segmentation_of(sqlite_store, images, seen("nodule", BOX, image="2.25.1.1.1", frame=1))

    assert faults_of(path) == []
    assert sources_of(made) == [[("2.25.1.1.1", 2)]]


def test_of_frames_in_one_place_only_that_with_the_finding_is_referred_to(sqlite_store: Store) -> None:
    image = dcmread(io.BytesIO(real("eCT_Supplemental.dcm")[0]))
    first, second = image.PerFrameFunctionalGroupsSequence
    second.PlanePositionSequence = first.PlanePositionSequence  # two phases of one slice
    image.save_as(content := io.BytesIO())

    made, _ = segmentation_of(
        sqlite_store, [content.getvalue()], seen("nodule", BOX, image="2.25.1.1.1", frame=1)
    )

    assert sources_of(made) == [[("2.25.1.1.1", 2)]]


@pytest.mark.parametrize("form", [Form.SEG, Form.GSPS])
def test_a_name_in_another_character_set_stays_what_it_is(form: Form, sqlite_store: Store) -> None:
    name = "M\u00fcller^J\u00fcrgen"
    images = [image_bytes(SpecificCharacterSet="ISO_IR 100", PatientName=name)]
    case_id = told_case(sqlite_store, seen("nodule", BOX), images=images)

    result_of_case(sqlite_store, case_id, form).save_as(made := io.BytesIO(), enforce_file_format=True)

    assert dcmread(io.BytesIO(made.getvalue())).PatientName == name


def test_a_rule_may_ask_for_it_but_for_no_note() -> None:
    pacs = {"destinations": {"pacs": "PACS"}}
    rules = ("triage:SEG:pacs", "judgement:seg:pacs", "triage:GSPS:pacs")

    assert [rule.form for rule in ResultsSettings(**pacs, rules=rules).rules] == [
        Form.SEG,
        Form.SEG,
        Form.GSPS,
    ]
    with pytest.raises(ValueError, match="forms: SR, SC, KO, SEG, GSPS, ORU, ASSESSMENT"):
        ResultsSettings(**pacs, rules=("triage:REJECTION:pacs",))
    with pytest.raises(ValueError, match="does not take SEG"):
        ResultsSettings(destinations={"ris": "mllp://127.0.0.1:1"}, rules=("triage:SEG:ris",))


def test_made_twice_it_is_the_same_to_the_byte(sqlite_store: Store) -> None:
    images = ct_series()
    _, path = segmentation_of(sqlite_store, images, seen("nodule", BOX, image=uids_of(images)[2]))
    first = path.read_bytes()

    result_of_case(sqlite_store, 1, Form.SEG).save_as(path, enforce_file_format=True)

    assert path.read_bytes() == first


def test_only_images_like_that_of_the_strongest_are_in_it(sqlite_store: Store) -> None:
    other = image_bytes(number=9, SeriesInstanceUID="2.25.1.2")
    images = [*ct_series(), other]
    strongest = seen("pneumothorax", BOX, image="2.25.1.1.2", probability=0.99)

    made, _ = segmentation_of(sqlite_store, images, strongest, seen("nodule", BOX, image="2.25.1.1.9"))

    assert [item.SegmentLabel for item in made.SegmentSequence] == ["pneumothorax"]


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([image_bytes(SOPClassUID=CT, Modality="CT")], id="a CT that does not say where it lies"),
        pytest.param([image_bytes(Rows=20_000, Columns=20_000, PixelData=bytes(8))], id="too many pixels"),
    ],
)
def test_of_images_that_none_can_be_about_there_is_none(images: list[bytes], sqlite_store: Store) -> None:
    case_id = told_case(sqlite_store, seen("nodule", BOX), images=images)
    assert VOXELS_MAX < 20_000**2

    with pytest.raises(InputError, match="the SR says all of it"):
        result_of_case(sqlite_store, case_id, Form.SEG)


def region(left: float, top: float, right: float, bottom: float) -> ImageRegion:
    return ImageRegion(sop_instance_uid="1", column_min=left, row_min=top, column_max=right, row_max=bottom)


def test_a_heat_map_gives_the_pixels_within_the_boxes_whose_evidence_reaches_the_level() -> None:
    # Cells of 4 by 4 pixels: evidence 0.5 in the second column of cells, half of that in the third.
    heat_map = HeatMap(region=region(0, 0, 16, 8), values=((0.0, 0.5, 0.25, 0.0),) * 2)

    boxed = mask_of((region(2, 1, 14, 7),), heat_map, rows=8, columns=16)
    elsewhere = mask_of((region(13, 1, 15, 3),), heat_map, rows=8, columns=16)

    # Between the middles of two cells the evidence is interpolated. Of the strongest, column 3 has 0.375,
    # column 4 has 0.625, column 8 has 0.6875 and column 9 has 0.5625; the level is 0.6.
    assert np.flatnonzero(boxed.any(axis=0)).tolist() == [4, 5, 6, 7, 8]
    assert np.flatnonzero(boxed.any(axis=1)).tolist() == [1, 2, 3, 4, 5, 6]
    assert elsewhere.sum() == 4  # a box without evidence is taken whole


@pytest.mark.parametrize(
    ("box", "count"),
    [((0.4, 0.4, 1.4, 1.4), 1), ((0.6, 0.6, 0.7, 0.7), 1), ((-3, -3, 99, 99), 32), ((3.9, 7.9, 4, 8), 1)],
)
def test_a_box_has_a_pixel_at_least_and_none_outside(
    box: tuple[float, float, float, float], count: int
) -> None:
    assert mask_of((region(*box),), None, rows=8, columns=4).sum() == count
