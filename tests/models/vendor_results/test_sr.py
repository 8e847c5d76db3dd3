"""Measurement reports (TID 1500) of another vendor's product, made with highdicom, as observations."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from models.releases import load_detector
from overread.observation import Detection, DetectorObservation, Laterality, Presence
from tests.models.vendor_results.products import (
    CURVE,
    PERCENT,
    PTX,
    STATED,
    group,
    write_image,
    write_manifest,
    write_report,
)

NODULE, CERTAINTY = codes.SCT.Nodule, codes.DCM.CertaintyOfFinding
PPV = 0.9 * 0.1 / (0.9 * 0.1 + 0.2 * 0.9)  # what a positive statement is worth by STATED
MISSED = 0.1 * 0.1 / (0.1 * 0.1 + 0.8 * 0.9)  # and a negative one


@pytest.fixture
def image(tmp_path) -> Path:
    return write_image(tmp_path)


def detect(folder: Path, *study: Path, **manifest: object) -> Detection:
    write_manifest(folder / "product", **manifest)
    return load_detector("product", folder).detect(study)


def found(detection: Detection, finding: str = "pneumothorax") -> DetectorObservation:
    assert detection.not_applicable is None
    (observation,) = [item for item in detection.observations if item.finding == finding]
    return observation


def test_a_group_that_names_a_finding_states_it_with_side_box_and_image(tmp_path, image) -> None:
    report = write_report(
        tmp_path / "sr.dcm",
        image,
        [group(dcmread(image), box=(10, 20, 60, 80), side=codes.SCT.Left)],
    )

    detection = detect(tmp_path, image, report)

    observation = found(detection)
    (region,) = observation.regions
    assert (detection.detector.name, detection.detector.version) == ("acme-chest-reader", "3.1")
    assert detection.operating_point == "factory"
    assert (observation.presence, observation.laterality) == (Presence.PRESENT, Laterality.LEFT)
    assert (region.column_min, region.row_min, region.column_max, region.row_max) == (10, 20, 60, 80)
    assert observation.sop_instance_uid == region.sop_instance_uid == dcmread(image).SOPInstanceUID
    assert detection.remarks == ()


def test_a_bare_statement_is_worth_what_sensitivity_and_specificity_say(tmp_path, image) -> None:
    about = dcmread(image)
    absent = group(about, finding=NODULE, evaluations=[(codes.DCM.PresenceOfProperty, codes.SCT.Absent)])
    report = write_report(tmp_path / "sr.dcm", image, [group(about), absent])

    detection = detect(tmp_path, image, report)

    assert found(detection).probability == pytest.approx(PPV)
    assert found(detection, "nodule").presence is Presence.ABSENT
    assert found(detection, "nodule").probability == pytest.approx(MISSED)
    assert found(detection, "nodule").prevalence == STATED["prevalence"]


def test_a_score_without_calibration_does_not_change_what_a_statement_is_worth(tmp_path, image) -> None:
    report = write_report(
        tmp_path / "sr.dcm", image, [group(dcmread(image), numbers=[(CERTAINTY, 99, PERCENT)])]
    )

    observation = found(detect(tmp_path, image, report))

    assert observation.score == pytest.approx(0.99)
    assert observation.probability == pytest.approx(PPV)


@pytest.mark.parametrize(("percent", "presence"), [(99, Presence.PRESENT), (5, Presence.ABSENT)])
def test_a_calibrated_score_decides_presence_by_the_threshold_of_the_manifest(
    tmp_path, image, percent, presence
) -> None:
    report = write_report(
        tmp_path / "sr.dcm", image, [group(dcmread(image), numbers=[(CERTAINTY, percent, PERCENT)])]
    )

    observation = found(
        detect(tmp_path, image, report, findings={"pneumothorax": {"stated": STATED, "calibration": CURVE}})
    )

    odds = (percent / (100 - percent)) ** CURVE["slope"] * 2.718281828 ** CURVE["intercept"]
    assert observation.probability == pytest.approx(odds / (1 + odds), rel=1e-6)
    assert observation.presence is presence
    assert observation.prevalence == CURVE["prevalence"]


def test_a_number_named_after_the_finding_is_its_score(tmp_path, image) -> None:
    about = dcmread(image)
    own = Code("S1", "99ACME", "Acme suspicion")
    report = write_report(
        tmp_path / "sr.dcm",
        image,
        [
            group(about, finding=None, numbers=[(PTX, 70, PERCENT)]),
            group(about, finding=NODULE, numbers=[(own, 8, codes.UCUM.NoUnits)]),
        ],
    )

    detection = detect(
        tmp_path,
        image,
        report,
        findings={name: {"calibration": CURVE} for name in ("pneumothorax", "nodule")},
        score_codes=["99ACME:S1"],
        score_range=[0, 10],
    )

    assert found(detection).score == pytest.approx(0.7)
    assert found(detection, "nodule").score == pytest.approx(0.8)


def test_a_score_alone_is_no_evidence_where_nothing_calibrates_it(tmp_path, image) -> None:
    report = write_report(
        tmp_path / "sr.dcm", image, [group(dcmread(image), finding=None, numbers=[(PTX, 70, PERCENT)])]
    )

    detection = detect(tmp_path, image, report)

    assert detection.observations == ()
    assert detection.remarks == (
        "the product gives a score for pneumothorax; the manifest does not calibrate it",
    )


def test_a_score_outside_its_range_is_left_out_and_said_so(tmp_path, image) -> None:
    report = write_report(
        tmp_path / "sr.dcm", image, [group(dcmread(image), numbers=[(CERTAINTY, 870, PERCENT)])]
    )

    detection = detect(tmp_path, image, report)

    assert found(detection).score == 1.0  # stated, without a score
    assert any("score 870" in remark for remark in detection.remarks)


@pytest.mark.parametrize(
    ("value", "presence"),
    [
        (codes.SCT.Present, Presence.PRESENT),
        (codes.SCT.Positive, Presence.PRESENT),
        (codes.SCT.Absent, Presence.ABSENT),
        (codes.SCT.Negative, Presence.ABSENT),
        (Code("2667000", "SCT", "Absent"), Presence.ABSENT),
    ],
)
def test_an_evaluation_named_after_the_finding_states_its_presence(tmp_path, image, value, presence) -> None:
    report = write_report(
        tmp_path / "sr.dcm", image, [group(dcmread(image), finding=None, evaluations=[(PTX, value)])]
    )

    assert found(detect(tmp_path, image, report)).presence is presence


def test_what_the_product_leaves_open_is_no_evidence(tmp_path, image) -> None:
    report = write_report(
        tmp_path / "sr.dcm",
        image,
        [group(dcmread(image), finding=None, evaluations=[(PTX, codes.SCT.Undetermined)])],
    )

    detection = detect(tmp_path, image, report)

    assert detection.observations == ()
    assert detection.remarks == ("the product leaves pneumothorax open, which is no evidence",)


def test_several_marks_of_one_finding_are_one_statement_on_both_sides(tmp_path, image) -> None:
    about = dcmread(image)
    report = write_report(
        tmp_path / "sr.dcm",
        image,
        [
            group(
                about,
                finding=NODULE,
                box=(10, 20, 60, 80),
                side=codes.SCT.Right,
                numbers=[(CERTAINTY, 40, PERCENT), (codes.SCT.Diameter, 1.2, codes.UCUM.Centimeter)],
            ),
            group(
                about,
                finding=NODULE,
                box=(200, 20, 250, 80),
                side=codes.SCT.Left,
                numbers=[(CERTAINTY, 90, PERCENT), (codes.SCT.Diameter, 7, codes.UCUM.Millimeter)],
            ),
        ],
    )

    observation = found(detect(tmp_path, image, report), "nodule")

    assert observation.laterality is Laterality.BILATERAL
    assert observation.score == pytest.approx(0.9)
    assert [region.column_min for region in observation.regions] == [200, 10]  # the surest first
    assert observation.size_mm == (12.0,)  # of the larger


def test_codes_of_its_own_are_read_as_the_manifest_says(tmp_path, image) -> None:
    own = Code("PTX", "99ACME", "Pneumothorax suspected")
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image), finding=own)])

    without = detect(tmp_path, image, report)
    with_codes = detect(tmp_path, image, report, codes={"99ACME:PTX": "pneumothorax"})

    assert without.observations == ()
    assert any(
        "99ACME:PTX (Pneumothorax suspected) is no finding that overread knows" in remark
        for remark in without.remarks
    )
    assert found(with_codes).presence is Presence.PRESENT


def test_names_of_snomed_rt_are_read_as_those_of_snomed_ct(tmp_path, image) -> None:
    old = Code("M-03010", "SRT", "Nodule")
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image), finding=old)])

    assert found(detect(tmp_path, image, report), "nodule").presence is Presence.PRESENT


def test_a_finding_that_the_manifest_says_nothing_of_is_a_remark(tmp_path, image) -> None:
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image), finding=codes.SCT.Mass)])

    detection = detect(tmp_path, image, report)

    assert detection.observations == ()
    assert detection.remarks == ("the product states mass; the manifest does not say what that is worth",)


@pytest.mark.parametrize(("silence", "denied"), [("absent", ["nodule"]), ("unknown", [])])
def test_silence_means_what_the_manifest_says(tmp_path, image, silence, denied) -> None:
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image))])

    detection = detect(tmp_path, image, report, silence=silence)

    absent = [item.finding for item in detection.observations if item.presence is Presence.ABSENT]
    assert absent == denied


def test_a_study_without_a_result_of_the_product_is_not_applicable(tmp_path, image) -> None:
    detection = detect(tmp_path, image, silence="absent")

    assert detection.observations == ()
    assert detection.not_applicable == "the study holds no result of acme-chest-reader"


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"Manufacturer": "Other"}, "is of another product: Other ChestReader"),
        ({"ManufacturerModelName": "KneeReader"}, "is of another product: Acme KneeReader"),
        ({"SoftwareVersions": "4.0"}, "is of version 4.0, which the manifest does not hold for"),
        ({"PatientID": "P2"}, "names another patient than the images"),
        ({"StudyInstanceUID": "2.25.8"}, "is of another study than the images"),
    ],
)
def test_a_document_that_is_not_about_this_patient_by_this_product_is_not_read(
    tmp_path, image, attributes, why
) -> None:
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image))], **attributes)
    product = {"manufacturer": "ACME", "model": "chestreader", "versions": ["3.0", "3.1"]}

    detection = detect(tmp_path, image, report, product=product, silence="absent")

    assert detection.observations == ()
    assert why in str(detection.not_applicable)
    assert "P2" not in str(detection.not_applicable)


def test_an_image_that_the_study_lacks_is_a_remark_and_gives_no_box(tmp_path, image) -> None:
    (tmp_path / "other").mkdir()
    elsewhere = write_image(tmp_path / "other", number=9)
    other = dcmread(elsewhere)
    report = write_report(tmp_path / "sr.dcm", elsewhere, [group(other, box=(10, 20, 60, 80))])

    detection = detect(tmp_path, image, report)

    assert found(detection).regions == ()
    assert found(detection).sop_instance_uid == dcmread(image).SOPInstanceUID
    assert any(f"image {other.SOPInstanceUID}, which the study lacks" in item for item in detection.remarks)


def test_a_later_result_about_the_same_images_replaces_the_earlier(tmp_path, image) -> None:
    about = dcmread(image)
    first = write_report(tmp_path / "1.dcm", image, [group(about)], ContentDate="20260301")
    again = write_report(
        tmp_path / "2.dcm",
        image,
        [group(about, finding=NODULE)],
        ContentDate="20260302",
        SOPInstanceUID="2.25.7.9.2",
    )

    for study in ((image, first, again), (again, first, image)):
        detection = detect(tmp_path, *study)

        assert [item.finding for item in detection.observations] == ["nodule"]
        assert detection.remarks == ("document 2.25.7.9.1 is replaced by a later one",)


def test_results_about_different_images_of_a_study_count_together(tmp_path, image) -> None:
    second = write_image(tmp_path, number=2)
    reports = (
        write_report(tmp_path / "1.dcm", image, [group(dcmread(image))]),
        write_report(
            tmp_path / "2.dcm", second, [group(dcmread(second), finding=NODULE)], SOPInstanceUID="2.25.7.9.2"
        ),
    )

    detection = detect(tmp_path, image, second, *reports)

    assert {item.finding for item in detection.observations} == {"pneumothorax", "nodule"}
    assert found(detection, "nodule").sop_instance_uid == dcmread(second).SOPInstanceUID


def test_a_document_whose_content_is_broken_does_not_fail_the_study(tmp_path, image) -> None:
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image))])
    document = dcmread(report)
    document.ContentSequence[-1].ReferencedContentItemIdentifier = [1, 99]
    document.save_as(report)

    detection = detect(tmp_path, image, report)

    assert detection.observations == ()
    assert "the content of document 2.25.7.9.1 is broken" in str(detection.not_applicable)


def test_a_document_of_another_kind_is_passed_over(tmp_path, image) -> None:
    report = write_report(tmp_path / "sr.dcm", image, [group(dcmread(image))])
    document = dcmread(report)
    document.ConceptNameCodeSequence[0].CodeValue = "18748-4"
    document.ConceptNameCodeSequence[0].CodingSchemeDesignator = "LN"
    document.save_as(report)

    assert detect(tmp_path, image, report).not_applicable == "the study holds no result of acme-chest-reader"
