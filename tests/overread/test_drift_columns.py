"""What of a case is compared, by channel."""

from dataclasses import replace

import numpy as np
import pytest

from overread.appearance import EMBEDDING_SIZE, Appearance
from overread.cohort import CohortCase, CohortDetection
from overread.drift_columns import EMBEDDING, INPUT, LANGUAGE, PIXELS, Columns, windows_of, with_tenths
from overread.errors import InvalidFileError
from overread.observation import Observation, Presence
from overread.report import load_reader

IMAGE = Appearance(
    rows=2048,
    columns=1792,
    bits=12,
    photometric="MONOCHROME2",
    is_inverted=True,
    measures={"mean": 0.5, "kilovolts": 125.0},
    embedding=tuple(float(number) for number in range(EMBEDDING_SIZE)),
)
CASE = CohortCase(
    case="a",
    patient="1",
    month="2026-01",
    appearance=IMAGE,
    scanner="Maker One",
    report_characters=400,
    report_read_share=0.5,
    observations=(Observation(finding="mass", presence=Presence.PRESENT),),
    detections=(CohortDetection(detector="some", scores={"mass": 0.5}),),
)


def channels(*cases: CohortCase) -> dict[str, dict[str, list[float]]]:
    """Columns by channel and name, of a window that is every second case."""
    named = [replace(case, case=str(number), order=number) for number, case in enumerate(cases)]
    windows = windows_of(named, lambda case: case.order % 2 == 1, load_reader(), None)
    return {
        name: dict(zip(columns.names, columns.values.T.tolist(), strict=True))
        for name, columns in windows.channels.items()
    }


def test_input_has_what_the_image_is_encoded_as_and_how_it_was_exposed() -> None:
    found = channels(CASE, replace(CASE, appearance=replace(IMAGE, bits=16, rows=1024), detections=()))[INPUT]

    assert found["bits 12"] == [1.0, 0.0]
    assert found["bits 16"] == [0.0, 1.0]
    assert found["photometric MONOCHROME2"] == [1.0, 1.0]
    assert found["rows"] == [2048.0, 1024.0]
    assert found["kilovolts"] == [125.0, 125.0]
    assert found["read by no detector"] == [0.0, 1.0]
    assert "mean" not in found


def test_pixels_have_measures_and_what_was_put_right_and_lack_them_without_an_image() -> None:
    found = channels(CASE, replace(CASE, appearance=None))[PIXELS]

    assert found["mean"] == pytest.approx([0.5, np.nan], nan_ok=True)
    assert found["inverted"] == pytest.approx([1.0, np.nan], nan_ok=True)
    assert found["turned"] == pytest.approx([0.0, np.nan], nan_ok=True)
    assert "kilovolts" not in found


def test_the_embedding_keeps_its_order() -> None:
    found = channels(CASE, CASE)[EMBEDDING]

    assert [values[0] for values in found.values()] == list(IMAGE.embedding)


def test_the_language_has_the_shape_of_the_report() -> None:
    without = replace(CASE, report_characters=None, report_read_share=None)
    found = channels(*5 * [CASE], without)[LANGUAGE]

    assert found["characters"] == pytest.approx([*5 * [400.0], np.nan], nan_ok=True)
    assert found["share of the text that is read"] == pytest.approx([*5 * [0.5], np.nan], nan_ok=True)
    assert found["findings stated"] == 6 * [1.0]


def test_a_cohort_without_appearances_is_compared_as_before() -> None:
    plain = replace(CASE, appearance=None, report_characters=None, report_read_share=None)
    found = channels(plain, plain)

    assert found[PIXELS] == found[EMBEDDING] == {}
    assert "rows" not in found[INPUT]
    assert found[INPUT]["bits not known"] == [1.0, 1.0]


def test_tenths_are_those_of_all_cases_together_and_two_values_have_none() -> None:
    values = np.column_stack([np.arange(20.0), np.arange(20) % 2])
    values[0, 0] = np.nan
    found = with_tenths(Columns(names=("a", "b"), values=values))

    assert found.names == ("a", "b", "a, low", "a, high")
    assert np.flatnonzero(found.values[:, 2] == 1).tolist() == [1, 2]
    assert np.flatnonzero(found.values[:, 3] == 1).tolist() == [18, 19]
    assert np.isnan(found.values[0, 2])


def test_windows_of_which_one_is_empty_are_refused() -> None:
    with pytest.raises(InvalidFileError, match="holds no case"):
        windows_of([CASE], lambda _: True, load_reader(), None)
