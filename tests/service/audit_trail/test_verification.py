"""Verification finds what somebody with every right on the database did to the trail."""

import hashlib

import pytest
from sqlalchemy import text

from overread.errors import InputError
from service.audit_trail.verification import parse_anchor, verify_trail
from service.store.audit_entries import FIRST_HASH, chained_hash
from service.store.audit_trail import read_anchor, record_acts, seal_trail
from service.store.database import Store
from tests.service.audit_trail.material import sealed_views, tampering, view
from tests.service.material import NOW


def tamper(store: Store, *statements: str) -> None:
    with tampering(store) as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_trail_is_sound_and_tells_its_anchor(store: Store) -> None:
    sealed_views(store, 5)
    record_acts(store, [view(6)])

    report = verify_trail(store, [read_anchor(store)])

    assert report.is_sound
    assert report.anchor == read_anchor(store)
    assert report.anchor.position == 5
    assert (report.unsealed, report.oldest_unsealed_at) == (1, NOW)


def test_an_empty_trail_is_sound(sqlite_store: Store) -> None:
    assert verify_trail(sqlite_store).is_sound


def test_the_hash_is_over_all_that_an_entry_says_and_the_hash_before() -> None:
    said = (
        '[1,"2026-03-01T12:00:00.000000+00:00","PERSON","unverified:Dr Roe","Dr Roe","10.0.0.5","SAW",'
        '"SUCCEEDED","GET /cases/{case_id}","case 1",null]'
    )

    expected = hashlib.sha256((FIRST_HASH + said).encode()).hexdigest()

    assert chained_hash(FIRST_HASH, view(1)) == expected


@pytest.mark.parametrize(
    "column",
    ["actor_name", "actor_identifier", "sent_from", "what", "subject", "detail", "action", "outcome"],
)
def test_a_changed_entry_is_found(store: Store, column: str) -> None:
    sealed_views(store, 3)
    value = {"action": "EXPORTED", "outcome": "FAILED"}.get(column, "other")

    tamper(store, f"UPDATE audit_trail SET {column} = '{value}' WHERE position = 2")

    assert verify_trail(store).faults == ("position 2 (entry 2) was changed, or moved here",)


def test_a_changed_time_is_found(store: Store) -> None:
    sealed_views(store, 2)
    tamper(store, "UPDATE audit_trail SET happened_at = '2026-01-01 00:00:00.000000' WHERE position = 1")

    assert verify_trail(store).faults == ("position 1 (entry 1) was changed, or moved here",)


def test_what_no_release_writes_is_found_and_stops_nothing(store: Store) -> None:
    sealed_views(store, 2)
    tamper(store, "UPDATE audit_trail SET action = 'NOTHING' WHERE position = 2")

    assert verify_trail(store).faults == ("position 2 (entry 2) was changed, or moved here",)


def test_a_removed_entry_is_found(store: Store) -> None:
    sealed_views(store, 4)
    tamper(store, "DELETE FROM audit_trail WHERE position IN (2, 3)")

    assert verify_trail(store).faults[0] == "2 entries are missing before position 4"


def test_entries_that_changed_places_are_found(store: Store) -> None:
    sealed_views(store, 4)
    tamper(
        store,
        "UPDATE audit_trail SET position = 100 WHERE position = 2",
        "UPDATE audit_trail SET position = 2 WHERE position = 3",
        "UPDATE audit_trail SET position = 3 WHERE position = 100",
    )

    assert not verify_trail(store).is_sound


def test_a_cut_end_is_found_by_an_anchor_alone(store: Store) -> None:
    sealed_views(store, 4)
    kept = read_anchor(store)
    tamper(store, "DELETE FROM audit_trail WHERE position = 4")

    assert verify_trail(store).is_sound
    assert verify_trail(store, [kept]).faults == (
        "an anchor was kept of position 4, but the chain has no such entry any more",
    )


def test_a_chain_made_anew_is_found_by_an_anchor_alone(store: Store) -> None:
    sealed_views(store, 3)
    kept = read_anchor(store)
    tamper(
        store,
        "UPDATE audit_trail SET subject = 'case 9' WHERE position = 2",
        "UPDATE audit_trail SET position = NULL, hash = NULL",
    )
    seal_trail(store)

    assert verify_trail(store).is_sound
    assert verify_trail(store, [kept]).faults == ("position 3 had another hash when the anchor was kept",)


def test_the_first_hundred_faults_are_named_and_all_are_counted(sqlite_store: Store) -> None:
    sealed_views(sqlite_store, 150)
    tamper(sqlite_store, "UPDATE audit_trail SET subject = 'case 0'")

    report = verify_trail(sqlite_store)

    assert (len(report.faults), report.faults_count) == (100, 150)


def test_progress_is_told(sqlite_store: Store) -> None:
    sealed_views(sqlite_store, 10_001)
    told: list[int] = []

    verify_trail(sqlite_store, on_progress=told.append)

    assert told == [5_000, 10_000]


def test_an_anchor_is_read_as_it_is_printed(sqlite_store: Store) -> None:
    sealed_views(sqlite_store, 2)
    anchor = read_anchor(sqlite_store)

    assert parse_anchor(f" {anchor}\n") == anchor


@pytest.mark.parametrize("text", ["", "7", f"x:{FIRST_HASH}", "7:abc", f"7:{'G' * 64}"])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="anchor"):
        parse_anchor(text)
