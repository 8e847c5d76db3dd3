"""The conformance statement says of results what the code does."""

import re
from pathlib import Path

import pytest
from pydicom.uid import UID

from service.dicom.settings import DicomSettings
from service.fhir import search as searching
from service.fhir.capability import capability_statement
from service.fhir.elements import DECIDED, UNDECIDED, WITHDRAWN
from service.fhir.results import ON_HOLD, TASK_STATUS
from service.results import dimse, mllp, stow, webhook
from service.results.assessment import READER
from service.results.codes import assessment_code
from service.results.making import result_of_case
from service.results.sending import BATCH
from service.results.settings import OWN_AE_TITLE, ResultsSettings
from service.results.statements import Assessment
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

    forms = (Form.SR, Form.SC, Form.KO, Form.SEG, Form.GSPS)
    made = [result_of_case(sqlite_store, case_id, form) for form in forms]

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

    stated = set(re.findall(r"/fhir/([A-Za-z]+)/", addresses))
    assert read == (stated if version == "5.0.0" else stated - {"ImagingSelection"})


@pytest.mark.parametrize("version", ["4.0.1", "5.0.0"])
def test_what_is_searched_for_and_included_is_stated(version) -> None:
    rows = section("FHIR, results read")
    (rest,) = capability_statement(version)["rest"]
    resources = [item for item in rest["resource"] if "searchParam" in item]

    words = set(re.findall(r"`([^`]+)`", rows["Search"] + rows["Inclusion"]))
    assert {item["name"] for resource in resources for item in resource["searchParam"]} <= words
    included = {name for item in resources for name in item.get("searchInclude", [])}
    assert included == {word for word in words if ":" in word and "urn:" not in word and " " not in word} - (
        set() if version == "5.0.0" else {"Observation:derived-from"}
    )
    assert f"`_count` ({searching.COUNT}, at most {searching.COUNT_MAX})" in rows["Paging"]
    assert f"looks at {searching.EXAMINED_MAX} cases" in rows["Paging"]


def test_what_is_told_by_fhir_is_as_stated() -> None:
    rows = section("FHIR, notifications of results")

    assert f"within {webhook._SECONDS:g} s" in rows["Channel"]
    away = {int(word) for word in re.findall(r"\b[45]\d\d\b", rows["Channel"])}
    assert away == {int(status) for status in webhook._AWAY}
    assert f"after {ATTEMPTS_MAX} refusals" in rows["Event number"]


@pytest.mark.parametrize("row", ["Status of a report", "Status of an Observation"])
def test_every_status_of_a_result_is_stated_and_no_other(row) -> None:
    stated = section("FHIR, results read")[row]

    assert set(re.findall(r"`([a-z-]+)`", stated)) == {*DECIDED, *UNDECIDED, WITHDRAWN}


def test_every_state_of_a_task_is_stated_and_no_other() -> None:
    stated = section("FHIR, results read")["Task"]

    assert set(re.findall(r"`([a-z-]+)`", stated)) == {*TASK_STATUS.values(), ON_HOLD}


def test_the_words_of_an_assessment_are_those_that_are_written() -> None:
    stated = RESULTS["Assessment"]
    listed = stated.partition("triage, ")[2].partition(", and why")[0].split(", ")

    assert listed == [assessment_code(item).meaning.lower() for item in Assessment]
    assert f"called `{READER}`" in stated
    assert {assessment_code(item).scheme_designator for item in Assessment} == {"99OVERREAD"}


def test_the_addresses_that_are_called_over_tls_are_stated() -> None:
    settings = ResultsSettings(
        destinations={"ris": "mllps://ris:1", "web": "https://pacs/d", "old": "mllp://ris:2"}
    )

    ris, web, old = settings.addresses(DicomSettings())

    assert (ris.tls is not None, web.tls is not None, old.tls is not None) == (True, True, False)
    assert "where the address is `mllps://` (MLLP)" in RESULTS["Security"]
