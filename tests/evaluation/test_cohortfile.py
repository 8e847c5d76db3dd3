"""Cohort files on disk: Parquet holds what JSON Lines hold."""

import pytest

from evaluation.cohortfile import open_cohort, write_cohort
from overread.appearance import EMBEDDING_SIZE, Appearance
from overread.cohort import CohortCase, CohortDetection

pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")

APPEARANCE = Appearance(
    view="PA",
    rows=2048,
    columns=1792,
    is_inverted=True,
    measures={"mean": 0.25},
    embedding=tuple(float(number) for number in range(EMBEDDING_SIZE)),
)
CASES = [
    CohortCase(case="a", patient="1", order=3, month="2026-03", appearance=APPEARANCE, report_characters=12),
    CohortCase(
        case="b",
        patient="1",
        report_read_share=0.5,
        detections=(CohortDetection(detector="some", scores={"mass": 0.5}, present=frozenset({"mass"})),),
    ),
]


@pytest.mark.parametrize("name", ["cohort.jsonl", "cohort.parquet"])
def test_what_was_written_is_read_again(tmp_path, name) -> None:
    assert write_cohort(CASES, tmp_path / name) == 2

    assert list(open_cohort(tmp_path / name)) == CASES
