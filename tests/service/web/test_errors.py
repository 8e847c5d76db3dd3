"""The two tables from errors to answers."""

import pytest

from overread import errors
from service.web.errors import failure_reason_of, problem_of


def all_errors(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(each for child in root.__subclasses__() for each in all_errors(child))]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidReportError(), 422),
        (errors.InvalidDicomError(), 422),
        (errors.UndecodablePixelsError(), 422),
        (errors.ContradictionError(), 409),
        (errors.InvalidFileError(), 422),
        (errors.NotFoundError(), 404),
        (errors.TransitionError(), 409),
        (errors.LeaseLostError(), 409),
        (errors.OutOfResourcesError(), 503),
        (errors.OverLimitError(), 413),
        (errors.ModelError(), 503),
        (errors.UnreadableRecordError(), 500),
        (errors.ConfigurationError(), 500),
        (ValueError(), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert problem_of(error).status == status


def test_every_error_of_the_tree_has_a_row_of_its_own_or_its_parents() -> None:
    own = [kind for kind in all_errors(errors.OverreadError) if kind.__module__ == "overread.errors"]
    assert len(own) >= 11
    for kind in own:
        assert problem_of(kind()).slug != "internal"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.OutOfResourcesError(), 0xA700),
        (OSError(28, "No space left on device"), 0xA700),
        (errors.InvalidDicomError(), 0xC000),
        (errors.ContradictionError(), 0x0111),
        (errors.OverreadError(), 0x0110),
        (ValueError(), 0x0110),
    ],
)
def test_each_error_has_its_dicom_failure_reason(error: Exception, reason: int) -> None:
    assert failure_reason_of(error) == reason
