import pytest

from evaluation.nih import DETECTOR, read_nih
from overread.cohort import Adjudication
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.observation import Observation, Presence
from tests.evaluation.published import write_reads, write_scores

ROWS = [
    ("00000007_000.png", "No Finding", {"Mass": 0.2}),
    ("00000007_003.png", "Mass|Infiltration|Something", {"Mass": 0.9}),
]


def test_labels_become_stated_findings_and_names_the_order_of_the_studies(tmp_path) -> None:
    first, second = read_nih(write_scores(tmp_path / "scores.csv.gz", ROWS))

    assert (second.case, second.patient, second.order) == ("00000007_003.png", "00000007", 3)
    assert (second.age_years, second.sex, second.view) == (60.0, "M", "PA")
    assert first.observations == ()
    assert second.observations == tuple(
        Observation(finding=finding, presence=Presence.PRESENT) for finding in ("mass", "opacity")
    )
    (detection,) = second.detections
    assert (detection.detector, detection.scores["mass"]) == (DETECTOR, 0.9)
    assert detection.prevalences == {"mass": 0.5, "opacity": 0.5}
    assert not first.context_only
    assert second.adjudications == ()


def test_what_the_panel_read_is_adjudicated_and_the_rest_is_context(tmp_path) -> None:
    scores = write_scores(tmp_path / "scores.csv.gz", ROWS)
    reads = write_reads(tmp_path / "reads.csv", {"00000007_003.png": {"Nodule or mass", "Pneumothorax"}})

    first, second = read_nih(scores, reads)

    assert (first.context_only, second.context_only) == (True, False)
    miss, overcall = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL
    assert set(second.adjudications) == {
        Adjudication(finding="pneumothorax", kind=miss, confirmed=True),
        Adjudication(finding="lung_lesion", kind=overcall, confirmed=False),
        Adjudication(finding="opacity", kind=overcall, confirmed=True),
    }


@pytest.mark.parametrize(
    ("name", "message"), [("mass.png", "PATIENT_ORDER"), ("00000007-000.png", "PATIENT_ORDER")]
)
def test_an_image_that_is_not_named_as_published_is_refused_by_line(tmp_path, name, message) -> None:
    path = write_scores(tmp_path / "scores.csv.gz", [*ROWS, (name, "Mass", {})])

    with pytest.raises(InvalidFileError, match=f"line 4.*{message}"):
        list(read_nih(path))


def test_a_file_of_another_layout_is_refused(tmp_path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("image,report_findings\n00000001_000.png,Mass\n", encoding="utf-8")

    with pytest.raises(InvalidFileError, match="line 2"):
        list(read_nih(path))
