"""Metrics of the processes of the service."""

import os
import subprocess
import sys

import pytest

from overread import errors
from service.metrics import FOLDER_VARIABLE, IntakeProtocol, counted, refusal_reason, shared_folder
from tests.service.counting import counting

COUNT = "from service.metrics import *; count_accepted(IntakeProtocol.HL7); TRIAGE_SECONDS.observe(0.2)"
SHOW = (
    "from prometheus_client import generate_latest; from service.metrics import process_registry; "
    "print(generate_latest(process_registry()).decode())"
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.InvalidDicomError("x"), "INVALID_DICOM"),
        (errors.MislabelledDicomError("x"), "MISLABELLED_DICOM"),
        (errors.UnsupportedMessageError("x"), "UNSUPPORTED_MESSAGE"),
        (errors.ContradictionError("x"), "CONTRADICTION"),
        (errors.OutOfResourcesError("x"), "OUT_OF_RESOURCES"),
        (OSError("x"), "OUT_OF_RESOURCES"),
        (KeyError("Doe^Jane"), "FAILED"),
    ],
)
def test_a_refusal_is_counted_by_one_of_few_words(error: Exception, reason: str) -> None:
    assert refusal_reason(error) == reason


def test_what_a_block_receives_is_counted_once() -> None:
    with counting("overread_intake") as counts:
        with counted(IntakeProtocol.HTTP):
            pass
        with pytest.raises(errors.InvalidReportError), counted(IntakeProtocol.HTTP):
            raise errors.InvalidReportError("empty")
    assert counts.added == {
        'overread_intake_accepted_total{protocol="http"}': 1,
        'overread_intake_refused_total{protocol="http",reason="INVALID_REPORT"}': 1,
    }


def run(code: str, folder: object) -> str:
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_processes_that_share_a_folder_are_added_up_though_they_have_ended() -> None:
    with shared_folder() as folder:
        for _ in range(2):
            run(COUNT, folder)
        shown = run(SHOW, folder)
    assert 'overread_intake_accepted_total{protocol="hl7"} 2.0' in shown
    assert "overread_triage_seconds_count 2.0" in shown
    assert "# HELP overread_triage_seconds Time from the claim of a case to its stored conclusion." in shown
    assert not folder.exists()
