"""What an earlier release wrote, with every kind of row in it, opens in this one and can be read."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from overread.actor import Actor, ActorKind
from overread.case import SECOND_READ, CaseEvent, CaseState
from overread.cohort import read_cohort
from overread.discrepancy import DiscrepancyKind
from overread.triage import Outcome
from service.export import export_cohort
from service.importing.tally import ImportOutcome
from service.quarantine.contents import read_content
from service.settings import load_settings
from service.store.commitments import claim_commitment
from service.store.database import Store, open_store
from service.store.fetches import FetchState, list_fetches
from service.store.imports import key_of, taken_before
from service.store.order import Selection
from service.store.policies import list_policies
from service.store.quarantine import ActionOutcome, QuarantineAction, list_actions, list_quarantine
from service.store.records import PolicyOrigin, QuarantineState, ReportStatus
from service.store.second_reads import ReadAct, concluding, reads_of
from service.store.shadows import walk_shadows
from service.store.worklist import count_cases, list_worklist, load_case
from tests.service.material import PSEUDONYMS, after
from tests.service.store.releases.loading import RELEASES, lay_down
from tests.service.store.releases.whole import whole_detection, whole_reading, whole_result

WITH_EVERYTHING = [path for path in RELEASES if path.stem >= "0007"]  # earlier ones hold a few rows
everything = pytest.mark.parametrize("release", WITH_EVERYTHING, ids=lambda path: path.stem, scope="module")
FROM_0017_ON = {
    CaseEvent.READ_CLAIMED,
    CaseEvent.READ_RELEASED,
    CaseEvent.READ_TAKEN_OVER,
    CaseEvent.READ_ASSIGNED,
    CaseEvent.SAMPLED,
    CaseEvent.JUDGED,
    CaseEvent.SENT_TO_ARBITRATION,
    CaseEvent.ARBITRATED,
    CaseEvent.JUDGEMENT_UNDONE,
    CaseEvent.ARBITRATION_UNDONE,
}
EVERYTHING = Selection(states=tuple(CaseState))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Each database."""
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=RELEASES, ids=lambda path: path.stem)
def release(request: pytest.FixtureRequest) -> Path:
    """Each file with what a release wrote; it is named by the revision of its tables."""
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, release: Path, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The store of an earlier release, opened by this one."""
    environ = {"OVERREAD_FREE_BYTES_MIN": "0"}
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        environ["OVERREAD_DATABASE_URL"] = running.url(running.new_database())
    settings = load_settings(environ, data_folder=tmp_path_factory.mktemp("earlier"))
    lay_down(json.loads(release.read_text(encoding="utf-8")), settings)
    store = open_store(settings)
    yield store
    store.close()


def test_every_case_of_every_release_can_be_read_and_exported(opened, tmp_path) -> None:
    lines = list_worklist(opened, EVERYTHING, now=after(20_000)).cases
    triaged = [case for case in (load_case(opened, line.case_id) for line in lines) if case.triage]

    assert {case.triage.result.outcome for case in triaged} >= {Outcome.DISCREPANT, Outcome.CONCORDANT}
    assert export_cohort(opened, tmp_path / "past.jsonl", PSEUDONYMS).written == len(triaged)
    assert len(list_quarantine(opened)) >= 1


@everything
def test_every_case_with_its_results_and_history_can_be_read(opened) -> None:
    lines = list_worklist(opened, EVERYTHING, now=after(20_000)).cases
    cases = [load_case(opened, line.case_id) for line in lines]

    assert {case.summary.state for case in cases} >= set(CaseState) - SECOND_READ
    assert len(cases) == sum(count_cases(opened).values()) == 13
    assert {event.event for case in cases for event in case.events} >= set(CaseEvent) - FROM_0017_ON
    assert {report.status for case in cases for report in case.reports} == set(ReportStatus)
    assert {case.triage.result.outcome for case in cases if case.triage} == set(Outcome)
    assert all(line.headline is not None for line in lines if line.outcome is Outcome.DISCREPANT)
    assert [each.removal for case in cases for each in case.instances if each.removal] == [
        "pixels removed on 2026-03-01: older than 90 days"
    ]


@everything
def test_what_was_sent_with_each_version_of_a_report_is_known(opened) -> None:
    reports = [report for number in range(1, 14) for report in load_case(opened, number).reports]

    assert all(hashlib.sha256(report.sent.encode()).hexdigest() == report.sha256 for report in reports)
    (addendum,) = [report for report in reports if report.status is ReportStatus.ADDENDUM]
    assert addendum.text.endswith(f"\n\nADDENDUM:\n{addendum.sent}")


@everything
def test_who_acted_is_told_apart_whatever_release_recorded_it(opened) -> None:
    events = [event for number in range(1, 14) for event in load_case(opened, number).events]
    told = {(event.event, event.actor.identifier) for event in events}

    assert told >= {
        (CaseEvent.OPENED, "test"),
        (CaseEvent.COMPLETED_BY_IMAGES, "intake"),
        (CaseEvent.CLAIMED, "host:1:a"),
        (CaseEvent.FOUND_DISCREPANT, "host:1:a"),
        (CaseEvent.RETRIED, "unverified:HTTP 10.0.0.5"),
        (CaseEvent.RESTORED, "unverified:page 10.0.0.5"),
        (CaseEvent.FOUND_DISCREPANT, "unverified:page 10.0.0.5"),
        (CaseEvent.POLICY_CHANGED, "unverified:Dr Roe"),
    }
    for event in events:
        is_person = event.actor.identifier.startswith(("unverified:", "person:"))
        assert event.actor.kind is (ActorKind.PERSON if is_person else ActorKind.PROGRAM)
    site, shipped = list_policies(opened)
    assert site.actor == Actor.unverified("Dr Roe")
    assert shipped.actor == Actor.program("overread 0.1.0")
    (action,) = list_actions(opened, 4)
    assert action.actor == Actor.unverified("jane")


@everything
def test_a_result_with_every_field_comes_back_as_it_was(opened) -> None:
    case = load_case(opened, 13)
    detection = whole_detection("2.25.20.1.1")

    uncapped = replace(case.triage.reading, statements_left_out=0)  # not counted up to revision 0010
    assert uncapped == replace(whole_reading(), statements_left_out=0)
    assert case.triage.detections == (detection,)
    assert case.triage.result == whole_result(detection, case.triage.result.policy_version)
    assert {item.kind for item in case.triage.result.discrepancies} == set(DiscrepancyKind)
    assert case.summary.headline.further == len(DiscrepancyKind) - 1


@everything
def test_concluded_cases_and_looks_in_shadow_can_be_read(opened, tmp_path) -> None:
    assert export_cohort(opened, tmp_path / "past.jsonl", PSEUDONYMS).written == 7
    assert len(list(read_cohort(tmp_path / "past.jsonl"))) == 7
    seen, failed = walk_shadows(opened)
    assert seen.shadow.detection == whole_detection("2.25.1.1.1")
    assert (failed.shadow.failure, failed.shadow.detection) == ("out of memory", None)


@everything
def test_what_was_refused_and_what_was_done_with_it_can_be_read(opened) -> None:
    entries = list_quarantine(opened)
    actions = [action for entry in entries for action in list_actions(opened, entry.quarantine_id)]

    assert Counter(entry.state for entry in entries) == {
        QuarantineState.WAITING: 2,
        QuarantineState.RESOLVED: 1,
        QuarantineState.DISCARDED: 2,
    }
    assert {action.action for action in actions} >= set(QuarantineAction) - {QuarantineAction.REMOVED}
    outcomes = {action.outcome for action in actions} - {ActionOutcome.REMOVED}  # recorded from 0014 on
    assert outcomes == {ActionOutcome.REFUSED, ActionOutcome.STORED, ActionOutcome.DISCARDED}
    (correction,) = [action.correction for action in actions if action.correction]
    assert (correction.accession_number, correction.charset, correction.status) == (
        "A9",
        "cp1252",
        ReportStatus.FINAL,
    )
    contents = [
        read_content(entry, identified=True, with_text=True) for entry in entries if not entry.removal
    ]
    assert any(content.broken is None for content in contents)


@everything
def test_policies_imports_commitments_and_fetches_can_be_read(opened) -> None:
    assert [policy.origin for policy in list_policies(opened)] == [PolicyOrigin.SITE, PolicyOrigin.SHIPPED]
    keys = {key_of(item.value) for item in ImportOutcome}
    assert taken_before(opened, keys) == keys
    commitment = claim_commitment(opened, now=after(10))
    assert commitment.request.requestor == "MODALITY"
    assert len(commitment.request.instances) == 2
    assert {fetch.state for fetch in list_fetches(opened, tuple(FetchState), limit=10)} == set(FetchState)


FROM_0018 = [path for path in RELEASES if path.stem >= "0018"]


@pytest.mark.skipif(not FROM_0018, reason="no release with second reads has been kept yet")
@pytest.mark.parametrize("release", FROM_0018, ids=lambda path: path.stem, scope="module")
def test_second_reads_of_earlier_releases_can_be_read(opened) -> None:
    with opened.reading() as connection:
        reads = reads_of(connection, 13)
    assert {item.act for item in reads} == set(ReadAct)
    assert [item.own_read.comment for item in reads if item.own_read] == ["left base"]
    assert {item.judgement.radpeer.value for item in reads if item.judgement} == {"3b", "2a"}
    assert concluding(reads) is None
