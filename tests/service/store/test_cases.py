"""Cases are found inside the transaction that acts on them, and without a look at all others."""

from sqlalchemy import text

from overread.case import CaseState
from service.store.cases import listed_under_other_policy
from service.store.database import Store, open_store
from tests.service.conftest import settings_on
from tests.service.store.plain_cases import lay_down_cases, plain_cases, settle

_WEIGHED = text("UPDATE cases SET policy_version = '7' WHERE state <> 'READY'")  # what waits has none yet
_WALKS = text("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'cases'")


def other(store: Store, version: str, *, limit: int = 10_000) -> set[int]:
    with store.reading() as connection:
        return set(listed_under_other_policy(connection, version, limit=limit))


def test_listed_cases_of_every_other_policy_are_found_and_no_more_than_asked_for(store) -> None:
    lay_down_cases(store, 60)
    listed = [case.case_id for case in plain_cases(store) if case.state is CaseState.LISTED]
    older, newer, current, none = listed[0], listed[1], listed[2], listed[3]
    with store.writing() as connection:
        connection.execute(_WEIGHED)
        for case_id, version in ((older, "'6'"), (newer, "'8'"), (current, "'7'"), (none, "NULL")):
            changed = f"UPDATE cases SET policy_version = {version} WHERE case_id = {case_id}"
            connection.execute(text(changed))

    assert other(store, "7") == {older, newer, none}
    assert len(other(store, "7", limit=2)) == 2
    assert other(store, "9") == set(listed)


def test_where_nothing_was_weighed_otherwise_no_walk_over_the_cases_finds_that_out(request, tmp_path) -> None:
    store = open_store(settings_on("postgresql", request, tmp_path))
    lay_down_cases(store, 30_000)
    with store.writing() as connection:
        connection.execute(_WEIGHED)
    settle(store)

    before = walks(store)
    assert other(store, "7", limit=100) == set()

    assert walks(store) == before
    store.close()


def walks(store: Store) -> int:
    """Walks over the whole table so far."""
    store.engine.dispose()  # a session tells what it has counted when it ends, if not before
    with store.engine.connect() as connection:
        return int(connection.execute(_WALKS).scalar_one())
