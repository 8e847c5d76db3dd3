"""What second readers decided, as FHIR through the real routes, held to HL7's definitions of R4 and R5."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from overread.discrepancy import DiscrepancyKind
from overread.observation import Laterality
from overread.second_read import (
    AddedFinding,
    FlagVerdict,
    Judgement,
    Radpeer,
    RejectionCause,
    StatedFinding,
    Verdict,
)
from service.adjudication.reads import judge, undo
from service.security.roles import Role, Scope
from service.security.tokens import make_token
from service.store.database import Store
from service.store.report_authors import note_author
from tests.service.adjudication.test_reads import sender
from tests.service.api.test_fhir_results import R4, R5, got
from tests.service.material import send_report
from tests.service.results.material import seen, told_case, triage_again
from tests.service.security.people import BY, add

MISS = DiscrepancyKind.POSSIBLE_MISS
NODULE, PNEUMOTHORAX = "nodule", "pneumothorax"


def said(finding: str, verdict: Verdict, corrected: StatedFinding | None = None) -> FlagVerdict:
    cause = RejectionCause.NOT_THERE if verdict is Verdict.NOT_CONFIRMED else None
    return FlagVerdict(finding=finding, kind=MISS, verdict=verdict, cause=cause, corrected=corrected)


def judged(*verdicts: FlagVerdict, **more: Any) -> Judgement:
    return Judgement(verdicts=verdicts, **more)


ONE_OF_TWO = judged(said(PNEUMOTHORAX, Verdict.CONFIRMED), said(NODULE, Verdict.NOT_CONFIRMED))
NOTHING = judged(said(PNEUMOTHORAX, Verdict.NOT_CONFIRMED), said(NODULE, Verdict.NOT_CONFIRMED))
TELLS = replace(
    ONE_OF_TWO,
    comment="Seen on the earlier one too.",
    learning_point="Look at the apices.",
    radpeer=Radpeer.UNDERSTANDABLE_INSIGNIFICANT,
    tells_author=True,
    asks_for_addendum=True,
)


@pytest.fixture
def told(sqlite_store: Store) -> int:
    return told_case(
        sqlite_store,
        seen(PNEUMOTHORAX, (30, 40, 90, 120), side=Laterality.RIGHT, probability=0.75),
        seen(NODULE, probability=0.625),
    )


@pytest.fixture(params=[R4, R5], ids=["R4", "R5"])
def read(
    request: pytest.FixtureRequest, api: httpx.Client, sqlite_store: Store
) -> Callable[[str], dict[str, Any]]:
    """Reads a resource of one version of FHIR by a token, which holds it to the models of that version."""
    token = make_token(sqlite_store, "record", frozenset({Scope.CASES_READ}), days=1, by=BY)
    api.headers["Authorization"] = f"Bearer {token}"
    return lambda path: got(api, path, request.param)


def statuses(read: Callable[[str], dict[str, Any]], case_id: int) -> tuple[str, list[str]]:
    """The status of the report, and those of its observations."""
    report = read(f"DiagnosticReport/case-{case_id}")
    return report["status"], [read(item["reference"])["status"] for item in report.get("result", ())]


def components(observation: dict[str, Any]) -> dict[str, str]:
    return {
        part["code"]["coding"][0]["code"]: part["valueCodeableConcept"]["coding"][0]["code"]
        for part in observation["component"]
        if "coding" in part["code"]
    }


def test_what_nobody_decided_is_preliminary_and_what_a_reader_confirms_is_final(
    sqlite_store, told, read
) -> None:
    assert statuses(read, told) == ("preliminary", ["preliminary"] * 2)
    assert "output" not in read(f"Task/case-{told}")

    judge(sqlite_store, told, ONE_OF_TWO, sender())

    assert statuses(read, told) == ("final", ["final", "entered-in-error"])
    report, task = read(f"DiagnosticReport/case-{told}"), read(f"Task/case-{told}")
    confirmed, rejected = [read(item["reference"]) for item in report["result"]]
    assert components(confirmed)["VERDICT"] == "CONFIRMED"
    assert components(rejected)["VERDICT"] == "NOT_CONFIRMED"
    assert confirmed["note"][0]["text"] in report["conclusion"]
    assert rejected["note"][0]["text"] not in report["conclusion"]
    assert report["conclusionCode"][0]["coding"][0]["code"] == "DISCREPANT"
    assert task["status"] == "completed"
    assert [
        (item["type"]["coding"][0]["code"], item["valueReference"]["reference"]) for item in task["output"]
    ] == [
        ("CONFIRMED", f"Observation/case-{told}-1"),
        ("NOT_CONFIRMED", f"Observation/case-{told}-2"),
    ]


def test_a_result_of_which_nothing_is_left_is_withdrawn(sqlite_store, told, read) -> None:
    judge(sqlite_store, told, NOTHING, sender())

    assert statuses(read, told) == ("entered-in-error", ["entered-in-error"] * 2)
    report = read(f"DiagnosticReport/case-{told}")
    assert report["conclusionCode"][0]["coding"][0]["code"] == "NONE_LEFT"
    assert report["conclusion"] == "No disagreement is left that is worth a second look"


def test_what_is_decided_anew_corrects_and_what_is_taken_back_is_amended(sqlite_store, told, read) -> None:
    versions = [read(f"DiagnosticReport/case-{told}")["meta"]["versionId"]]
    first = judge(sqlite_store, told, ONE_OF_TWO, sender())
    versions.append(read(f"DiagnosticReport/case-{told}")["meta"]["versionId"])

    undo(sqlite_store, told, first.read_id, sender(submission="back", seconds=90))

    assert statuses(read, told) == ("amended", ["amended"] * 2)
    assert "output" not in read(f"Task/case-{told}")
    versions.append(read(f"DiagnosticReport/case-{told}")["meta"]["versionId"])
    both = judged(said(PNEUMOTHORAX, Verdict.CONFIRMED), said(NODULE, Verdict.UNSURE))
    judge(sqlite_store, told, both, sender(submission="again", seconds=120))
    assert statuses(read, told) == ("corrected", ["corrected", "amended"])
    versions.append(read(f"DiagnosticReport/case-{told}")["meta"]["versionId"])
    assert len(set(versions)) == 4


def test_a_report_that_was_corrected_withdraws_what_was_told_of_it(sqlite_store, told, read) -> None:
    send_report(
        sqlite_store,
        "FINDINGS: Right pneumothorax. Pulmonary nodule. IMPRESSION: Pneumothorax and nodule.",
        accession="A1",
    )
    triage_again(sqlite_store, told)

    assert statuses(read, told) == ("entered-in-error", [])


def test_what_a_reader_adds_or_corrects_is_stated(sqlite_store, told, read) -> None:
    stated = StatedFinding(finding="mass", laterality=Laterality.LEFT)
    added = AddedFinding(stated=StatedFinding(finding="effusion", laterality=Laterality.RIGHT))
    judge(sqlite_store, told, judged(said(NODULE, Verdict.CONFIRMED, stated), added=(added,)), sender())

    assert statuses(read, told) == ("final", ["preliminary", "final", "final"])
    corrected, new = (read(f"Observation/case-{told}-{number}") for number in (2, 3))
    parts = components(corrected)
    assert parts["CORRECTED_SIDE"] == "7771000"  # SNOMED CT: left
    assert corrected["code"]["text"] == "lung nodule"
    words = {
        part["code"]["text"]: part["valueCodeableConcept"]["text"]
        for part in corrected["component"]
        if "valueCodeableConcept" in part
    }
    assert "mass" in words["Finding as the second reader corrects it"]
    assert components(new)["VERDICT"] == "ADDED_BY_READER"
    assert new["valueCodeableConcept"]["text"] == "Present"
    assert "effusion" in read(f"DiagnosticReport/case-{told}")["conclusion"]
    assert read(f"Task/case-{told}")["output"][-1]["valueReference"]["reference"].endswith("-3")


def test_the_author_is_told_what_the_own_page_tells_and_no_more(sqlite_store, told, read, api) -> None:
    assert api.get(f"/fhir/Communication/case-{told}").status_code == 404
    with sqlite_store.writing() as connection:
        note_author(connection, told, 1, "Grace")
    add(sqlite_store, "grace", Role.FIRST_READER)

    first = judge(sqlite_store, told, TELLS, sender())

    made = read(f"Communication/case-{told}")
    assert made["status"] == "completed"
    assert made["sent"] == read(f"Task/case-{told}")["lastModified"]
    contents = [
        part.get("contentString")
        or part.get("contentCodeableConcept", {}).get("text")
        or part["contentReference"]["reference"]
        for part in made["payload"]
    ]
    assert contents == [
        f"Observation/case-{told}-1",
        TELLS.comment,
        TELLS.learning_point,
        "An addendum is asked for.",
    ]
    for hidden in ("grace", "ada", "RADPEER", '"2a"', "lungs are clear"):
        assert hidden.lower() not in str(made).replace("'", '"').lower()
    assert read("Communication?identifier=A1")["total"] == 1

    undo(sqlite_store, told, first.read_id, sender(submission="back", seconds=90))
    withdrawn = read(f"Communication/case-{told}")
    assert (withdrawn["status"], "payload" in withdrawn) == ("entered-in-error", False)


@pytest.mark.parametrize("author", [None, "nobody here", "carl"])
def test_an_author_who_has_no_account_to_be_told_is_not_told(author, sqlite_store, told, read) -> None:
    add(sqlite_store, "carl", Role.COORDINATOR)
    with sqlite_store.writing() as connection:
        note_author(connection, told, 1, author)

    judge(sqlite_store, told, TELLS, sender())

    made = read(f"Communication/case-{told}")
    assert (made["status"], "sent" in made) == ("not-done", False)
    assert made["statusReason"]["text"]


def test_a_judgement_that_is_not_for_the_author_is_told_to_nobody(sqlite_store, told, api) -> None:
    judge(sqlite_store, told, ONE_OF_TWO, sender())

    assert api.get(f"/fhir/Communication/case-{told}").status_code == 404
    assert got(api, "Communication?identifier=A1", R4)["total"] == 0
