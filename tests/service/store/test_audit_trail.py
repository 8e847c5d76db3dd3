"""The audit trail in the database: written with what it records, sealed once, never changed."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from overread.actor import Actor
from overread.errors import NotFoundError
from overread.priority import shipped_policy_text
from service.store.audit_entries import AuditAction
from service.store.audit_trail import (
    Anchor,
    TrailFilter,
    count_unsealed,
    find_entries,
    read_anchor,
    record_act,
    record_acts,
    seal_trail,
    sealed_entries,
)
from service.store.database import Store
from service.store.policies import activate_policy
from service.store.quarantine import discard
from service.store.queue import claim_case, fail_case, retry_case
from service.store.worklist import load_case
from tests.service.audit_trail.material import ROE, sealed_views, view
from tests.service.material import NOW, after, ready_case

EVERYTHING = TrailFilter()


def acts(store: Store) -> list[tuple[AuditAction, str, str | None]]:
    entries = [sealed.entry for sealed in find_entries(store, EVERYTHING)]
    return [(entry.action, entry.what, entry.subject) for entry in entries if entry]


def test_an_entry_comes_back_as_it_was_written(store: Store) -> None:
    record_acts(store, [view(1)])

    (sealed,) = find_entries(store, EVERYTHING)

    assert sealed.entry == view(1)
    assert (sealed.position, sealed.hash) == (None, None)
    assert count_unsealed(store) == (1, NOW)


def test_an_entry_is_undone_with_what_it_records(store: Store) -> None:
    def act() -> None:
        with store.writing() as connection:
            record_act(connection, view(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()

    assert list(find_entries(store, EVERYTHING)) == []


def test_long_texts_are_cut_and_nul_is_left_out(store: Store) -> None:
    entry = view(1)
    record_acts(store, [replace(entry, subject="case " + "1" * 400, detail="a\0b")])

    (sealed,) = find_entries(store, EVERYTHING)

    assert len(sealed.entry.subject) == 320
    assert sealed.entry.detail == "ab"


def test_entries_are_sealed_in_order_once(store: Store) -> None:
    assert read_anchor(store) == Anchor(position=0, hash="0" * 64)
    sealed_views(store, 3)
    first = read_anchor(store)
    record_acts(store, [view(4)])

    assert seal_trail(store) == 1
    assert seal_trail(store) == 0

    assert [(sealed.position, sealed.entry.subject) for sealed in sealed_entries(store)] == [
        (1, "case 1"),
        (2, "case 2"),
        (3, "case 3"),
        (4, "case 4"),
    ]
    assert first.position == 3
    assert count_unsealed(store) == (0, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_trail SET subject = 'case 9'",
        "UPDATE audit_trail SET actor_name = 'nobody'",
        "UPDATE audit_trail SET position = 7",
        "UPDATE audit_trail SET hash = NULL, position = NULL",
        "DELETE FROM audit_trail",
    ],
)
def test_the_database_refuses_to_change_a_sealed_entry(store: Store, statement: str) -> None:
    sealed_views(store, 1)

    with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", ["UPDATE audit_trail SET subject = 'x'", "DELETE FROM audit_trail"])
def test_the_database_refuses_to_change_what_an_unsealed_entry_says(store: Store, statement: str) -> None:
    record_acts(store, [view(1)])

    with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(statement))


def test_entries_are_found_by_time_actor_and_subject(store: Store) -> None:
    anna = Actor.account("anna")
    record_acts(store, [view(1), view(2, at=after(60)), view(1, at=after(120), actor=anna)])

    def found(**wanted: object) -> list[int]:
        return [sealed.entry_id for sealed in find_entries(store, TrailFilter(**wanted))]

    assert found(since=after(60)) == [2, 3]
    assert found(before=after(60)) == [1]
    assert found(actor="account:anna") == [3]
    assert found(subjects=("case 1",)) == [1, 3]
    assert found(subjects=()) == []


def test_what_a_person_changes_is_recorded_and_what_a_worker_does_is_not(store: Store) -> None:
    case_id = ready_case(store)
    fail_case(store, claim_case(store, worker="w", now=NOW).lease, "no image", now=NOW)
    assert acts(store) == []

    retry_case(store, case_id, actor=ROE, now=NOW)
    activate_policy(store, shipped_policy_text(), actor=ROE, now=NOW)

    (action, what, subject), (configured, _, policy) = acts(store)
    assert (action, what, subject) == (AuditAction.CHANGED, "case", f"case {case_id}")
    assert configured is AuditAction.CONFIGURED
    assert policy.startswith("policy ")
    assert load_case(store, case_id).events[-1].actor == ROE


def test_an_act_that_fails_leaves_no_entry(store: Store) -> None:
    with pytest.raises(NotFoundError):
        discard(store, 7, actor=ROE, because="none", now=NOW)

    assert acts(store) == []
