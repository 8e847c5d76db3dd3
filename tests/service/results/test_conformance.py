"""The conformance statement says of results what the code does."""

import re
from pathlib import Path

import pytest
from pydicom.uid import UID

from service.fhir.capability import capability_statement
from service.results import dimse, mllp, stow
from service.results.making import result_of_case
from service.results.sending import BATCH
from service.results.settings import OWN_AE_TITLE
from service.store.outbox import ATTEMPTS_MAX
from service.store.results import Form
from tests.service.results.material import seen, told_case

STATEMENT = Path(__file__).parents[3] / "docs" / "conformance.md"


def section(title: str) -> dict[str, str]:
    """The rows of a section, by their first cell."""
    text = STATEMENT.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = [
        re.split(r" (?<!\\)\| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")
    ]
    return {first: " | ".join(rest) for first, *rest in cells}


RESULTS = section("Results, service class user of C-STORE, STOW-RS and HL7")


def test_classes_and_transfer_syntax_are_those_of_what_is_made(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen("nodule", (10, 20, 30, 44)))

    made = [result_of_case(sqlite_store, case_id, form) for form in (Form.SR, Form.SC, Form.KO)]

    classes = {UID(item.SOPClassUID).name.removesuffix(" Storage") for item in made}
    assert classes == {word.partition(" (")[0] for word in RESULTS["SOP classes"].split(", ")}
    assert {str(item.file_meta.TransferSyntaxUID.name) for item in made} == {"Explicit VR Little Endian"}
    assert RESULTS["Transfer syntax"].startswith("Explicit VR Little Endian")
    assert all(item.SOPInstanceUID.startswith("2.25.") for item in made)


def test_limits_and_statuses_are_those_of_the_senders() -> None:
    taken = {0, *dimse._WARNINGS, dimse._DUPLICATE}
    assert {int(word, 16) for word in re.findall(r"0x[0-9A-F]{4}", RESULTS["Status"])} == taken
    assert f"given up after {ATTEMPTS_MAX}" in RESULTS["Status"]
    assert f"up to {BATCH} objects" in RESULTS["Associations"]
    assert RESULTS["Associations"].endswith(f"else {OWN_AE_TITLE}")
    seconds = f"{dimse._CONNECT_SECONDS:g} s to an association or connection, {dimse._ANSWER_SECONDS:g} s for"
    assert RESULTS["Time limits"].startswith(seconds)
    assert (mllp._CONNECT_SECONDS, mllp._ANSWER_SECONDS) == (dimse._CONNECT_SECONDS, dimse._ANSWER_SECONDS)
    assert stow._SECONDS == dimse._ANSWER_SECONDS
    assert set(re.findall(r"\b[AC]A\b", RESULTS["HL7"])) == mllp._TAKEN


@pytest.mark.parametrize("version", ["4.0.1", "5.0.0"])
def test_what_fhir_reads_is_what_the_capability_statement_says(version) -> None:
    addresses = section("FHIR, results read")["Addresses"]
    (rest,) = capability_statement(version)["rest"]
    read = {resource["type"] for resource in rest["resource"] if {"code": "read"} in resource["interaction"]}

    assert read == set(re.findall(r"/fhir/([A-Za-z]+)/", addresses))
