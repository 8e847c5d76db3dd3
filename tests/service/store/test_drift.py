"""What studies looked like is kept once for each case, goes with it, and looks at windows are kept once."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import delete, select, text

from overread.actor import Actor
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.drift import Period, add_look, cases_within, has_look, list_looks, note_appearance
from service.store.drift_tables import appearances
from service.store.history import concluded_cases, concluded_cases_of
from service.store.json_format import to_json
from service.store.schema import cases
from tests.service.material import NOW, after, ready_case, triaged_case
from tests.service.store.releases.whole import whole_appearance, whole_look

LOOK = whole_look()
BY = Actor.program("overread drift")


def kept(store) -> list[tuple[int, object, str | None]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(select(appearances).order_by("case_id"))]


def test_every_triage_is_noted_and_one_without_an_image_takes_nothing_away(store) -> None:
    number = triaged_case(store)  # its detector describes nothing
    whole = whole_appearance()
    assert kept(store) == [(number, NOW, None)]

    for found in (whole, None, replace(whole, scanner="Maker Two"), None):
        with store.writing() as connection:
            note_appearance(connection, number, found, now=after(60))

    assert kept(store) == [(number, NOW, to_json(replace(whole, scanner="Maker Two")))]


def test_a_concluded_case_comes_with_its_appearance_and_its_view_and_scanner(store) -> None:
    first, second = triaged_case(store, 1), triaged_case(store, 2)
    with store.writing() as connection:
        note_appearance(connection, second, whole_appearance(), now=NOW)

    described = {case.case: case for case in concluded_cases(store)}
    assert described["2.25.1"].appearance is described["2.25.1"].scanner is None
    assert described["2.25.2"].appearance == whole_appearance()
    assert (described["2.25.2"].view, described["2.25.2"].scanner) == ("PA", "Maker One")
    assert [number for number, _ in concluded_cases_of(store, [second])] == [second]
    assert first != second


def test_a_case_that_another_release_erases_takes_its_appearance_along(store) -> None:
    number = ready_case(store)
    with store.writing() as connection:
        note_appearance(connection, number, whole_appearance(), now=NOW)
    with store.writing() as connection:
        for table in ("events", "report_versions"):  # as the release before, which knows no appearances
            _without_guard(connection, table, number)
        connection.execute(delete(cases).where(cases.c.case_id == number))

    assert kept(store) == []


def _without_guard(connection, table: str, number: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"DROP TRIGGER {table}_append_only_delete"))
    else:
        connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    connection.execute(text(f"DELETE FROM {table} WHERE case_id = :number"), {"number": number})


def test_of_a_period_all_cases_are_given_or_every_so_manyth(store) -> None:
    numbers = [ready_case(store, number) for number in range(1, 13)]
    with store.writing() as connection:
        for place, number in enumerate(numbers):
            note_appearance(connection, number, None, now=after(place * 10))
    period = Period(start=after(10), end=after(110))

    assert cases_within(store, period, most=100) == tuple(numbers[1:11])
    some = cases_within(store, period, most=5)
    assert len(some) == 5
    assert set(some) < set(numbers[1:11])
    assert cases_within(store, Period(start=after(500), end=after(600)), most=5) == ()


def test_a_look_is_kept_once_and_comes_back_as_it_was(store) -> None:
    assert not has_look(store, LOOK.reference, LOOK.window)
    assert add_look(store, LOOK, actor=BY)
    assert not add_look(store, replace(LOOK, looked_at=after(20_000)), actor=BY)

    (found,) = list_looks(store, limit=5)
    assert replace(found, look_id=LOOK.look_id) == LOOK
    assert has_look(store, LOOK.reference, LOOK.window)
    assert found.alarms == ("pixels",)
    assert [channel.p for channel in found.channels] == [0.001, None]
    assert found.next_end == after(1_000_000)


def test_a_drift_is_in_the_audit_trail_and_a_look_without_one_is_not(store) -> None:
    calm = replace(
        LOOK,
        window=Period(start=after(1), end=after(2)),
        channels=tuple(replace(channel, is_alarm=False) for channel in LOOK.channels),
    )
    add_look(store, LOOK, actor=BY)
    add_look(store, calm, actor=BY)

    noted = [item.entry for item in find_entries(store, TrailFilter()) if item.entry is not None]
    (entry,) = [entry for entry in noted if entry.action is AuditAction.NOTED]
    assert (entry.actor, entry.at, entry.what) == (BY, after(10_000), "overread drift")
    assert entry.subject == f"drift {LOOK.window}"
    assert entry.detail == f"differs from {LOOK.reference} in pixels"


def test_of_two_that_look_at_once_one_keeps_it(store) -> None:
    kept_by: list[bool] = []
    threads = [
        threading.Thread(target=lambda: kept_by.append(add_look(store, LOOK, actor=BY))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(kept_by) == [False, True]


@pytest.mark.parametrize("limit", [1, 2])
def test_looks_come_latest_first(store, limit) -> None:
    later = replace(LOOK, window=Period(start=after(1), end=after(2)), looked_at=after(20_000))
    for look in (LOOK, later):
        add_look(store, look, actor=BY)

    found = [look.looked_at for look in list_looks(store, limit=limit)]
    assert found == [after(20_000), after(10_000)][:limit]
