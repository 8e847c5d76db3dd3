import pytest
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, code_to_category

from overread import errors
from service.dicom.status import status_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OutOfResourcesError("full"), 0xA700),
        (OSError("full"), 0xA700),
        (errors.MislabelledDicomError("other class"), 0xA900),
        (errors.ContradictionError("other bytes"), 0xC001),
        (errors.InvalidDicomError("broken"), 0xC000),
        (errors.InputError("large"), 0xC000),
        (ZeroDivisionError("Doe^Jane"), 0x0110),
    ],
)
def test_each_error_has_its_status(error, code) -> None:
    status = status_of(error)

    assert status.code == code
    assert code_to_category(code) == "Failure"
    assert code in STORAGE_SERVICE_CLASS_STATUS
    assert "Doe" not in status.comment


def test_the_sender_is_told_why_in_what_an_error_comment_holds() -> None:
    response = status_of(errors.InvalidDicomError("why" * 100)).response()

    assert (response.Status, len(response.ErrorComment)) == (0xC000, 64)
