"""A stored value that this release cannot read is one case's trouble: the others are read as ever."""

import pytest
from sqlalchemy import text

from overread.case import CaseEvent, CaseState
from overread.command import main
from overread.errors import UnreadableRecordError
from overread.priority import shipped_policy_text
from service.export import export_cohort
from service.store.policies import activate_policy
from service.store.quarantine import list_actions
from service.store.queue import claim_case
from service.store.shadows import ShadowLook, add_shadows, walk_shadows
from service.store.worklist import list_worklist, load_case
from service.triage.reconsideration import reorder_list, restore_finding
from tests.service.material import PSEUDONYMS, ROE, MassDetector, after, ready_case, triage_one, triaged_case
from tests.service.store.releases.filling import fill
from tests.service.store.releases.whole import whole_detection

RENAMED = '{"format":1,"value":{"conclusion":"Mrs Doe"}}'


def overwrite(store, table: str, columns: tuple[str, ...], where: str, value: str = RENAMED) -> None:
    """Put a value into the rows of a table that takes no changes otherwise."""
    with store.engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {table}_append_only_update"))
        for column in columns:
            statement = f"UPDATE {table} SET {column} = :value WHERE {where}"
            connection.execute(text(statement), {"value": value})


@pytest.fixture
def broken(sqlite_store) -> int:
    """Number of a listed case whose result cannot be read, between two that can."""
    _, number, _ = (triaged_case(sqlite_store, study) for study in (1, 2, 3))
    overwrite(sqlite_store, "triage_results", ("result", "reading", "headline"), f"case_id = {number}")
    return number


def test_the_worklist_shows_the_case_and_says_why_its_result_is_not_shown(sqlite_store, broken) -> None:
    lines = {line.case_id: line for line in list_worklist(sqlite_store, now=after(60)).cases}

    assert len(lines) == 3
    assert lines[broken].headline is None
    (reason,) = lines[broken].reasons
    assert reason.startswith("what triage concluded is not shown: this headline, stored in format 1,")
    assert all(line.headline for number, line in lines.items() if number != broken)


def test_the_case_shows_everything_else_and_why(sqlite_store, broken) -> None:
    case = load_case(sqlite_store, broken)

    assert case.triage is None
    assert case.unreadable.startswith("this triage result, stored in format 1, cannot be read: ")
    assert "Doe" not in case.unreadable
    assert (len(case.reports), len(case.instances)) == (1, 1)
    assert case.events[-1].event is CaseEvent.FOUND_DISCREPANT


def test_an_export_leaves_the_case_out_by_name_and_ends_with_a_status_that_tells(
    sqlite_store, broken, tmp_path, monkeypatch, capsys
) -> None:
    summary = export_cohort(sqlite_store, tmp_path / "past.jsonl", PSEUDONYMS)

    assert summary.written == 2
    (left_out,) = summary.left_out
    assert (left_out.case_id, left_out.study_instance_uid) == (broken, "2.25.2")

    monkeypatch.setenv("OVERREAD_FOLDER", str(sqlite_store.settings.data_folder))
    assert main(["export", "--out", str(tmp_path / "again.jsonl")]) == 1
    assert f"left out: case {broken}, study 2.25.2: this report reading" in capsys.readouterr().err


def test_weighing_again_goes_on_and_sends_the_case_back_to_triage(sqlite_store, broken) -> None:
    changed = shipped_policy_text().replace('version = "', 'version = "site ', 1)
    activate_policy(sqlite_store, changed, actor=ROE, now=after(60))

    assert reorder_list(sqlite_store, now=after(61)) == 3

    case = load_case(sqlite_store, broken)
    assert (case.summary.state, case.events[-1].event) == (CaseState.READY, CaseEvent.REVISED)
    assert case.events[-1].detail.endswith("what was stored cannot be read, so it is triaged anew")
    assert len(list_worklist(sqlite_store, now=after(62)).cases) == 2


def test_bringing_a_finding_back_says_that_the_case_cannot_be_read(sqlite_store, broken) -> None:
    with pytest.raises(UnreadableRecordError, match="triage result"):
        restore_finding(sqlite_store, broken, "mass", actor=ROE, now=after(60))


def test_a_look_in_shadow_is_left_out(sqlite_store) -> None:
    for number in (1, 2):
        ready_case(sqlite_store, number)
        claimed = claim_case(sqlite_store, worker="w", now=after(1))
        triage_one(sqlite_store, claimed, clock=lambda: after(1))
        look = ShadowLook(
            detector=MassDetector.identity,
            detection=whole_detection(f"2.25.{number}.1.1"),
            failure=None,
            seconds=0.0,
        )
        add_shadows(sqlite_store, claimed.lease, [look], now=after(2))
    overwrite(sqlite_store, "shadow_detections", ("detection",), "case_id = 1")

    assert [pair.case_id for pair in walk_shadows(sqlite_store)] == [2]


def test_an_action_in_quarantine_is_shown_without_what_was_put_right(sqlite_store) -> None:
    fill(sqlite_store)
    later = '{"format":9,"value":{}}'
    overwrite(sqlite_store, "quarantine_actions", ("correction",), "correction IS NOT NULL", later)

    (action,) = list_actions(sqlite_store, 3)

    assert (action.correction, action.detail) == (None, "a later release wrote this correction, in format 9")
