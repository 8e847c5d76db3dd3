"""What readiness says of a service that answers and yet does not do its work."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from service.application import make_app
from service.store.database import Store
from service.store.queue import claim_case
from service.store.workers import note_worker
from service.web.context import ServerContext
from tests.service.material import NOW, after, ready_case
from tests.service.store.test_readiness import WORKER
from tests.service.store.test_release_watch import upgrade
from tests.service.web.listening import listening, opener


def asked(store: Store, seconds: float = 0) -> dict[str, str]:
    """What is wrong, by check, so long after NOW."""

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        with opener(store)() as context:
            yield replace(context, clock=lambda: after(seconds))

    with listening(make_app(open_context, list)) as url:
        answer = httpx.get(f"{url}/health/ready", timeout=60)
    checks = answer.json()["checks"]
    wrong = {check["name"]: check["detail"] for check in checks if not check["ok"]}
    assert answer.status_code == (503 if wrong else 200)
    return wrong


def test_a_database_that_was_removed_is_told(sqlite_store: Store) -> None:
    (sqlite_store.settings.data_folder / "overread.sqlite3").unlink()

    wrong = asked(sqlite_store)

    assert set(wrong) == {"database", "workers"}
    assert "was removed while it was in use" in wrong["database"]


def test_a_database_of_another_release_is_told_before_the_process_ends(store: Store) -> None:
    assert asked(store) == {}
    upgrade(store)

    assert "was brought to revision 9999 while this process ran" in asked(store)["database"]


def test_that_nobody_triages_is_a_remark_until_a_case_waits(store: Store) -> None:
    assert asked(store) == {}
    ready_case(store)
    assert asked(store, 120) == {}

    assert asked(store, 121) == {
        "workers": "cases wait and no worker lives; start `overread worker`",
    }


def test_a_worker_that_is_no_longer_seen_is_named(store: Store) -> None:
    ready_case(store)
    note_worker(store, WORKER)
    assert asked(store, 120) == {}

    assert asked(store, 121)["workers"].startswith(
        f"cases wait and no worker lives; w was last seen at {NOW.isoformat()}: it is stopped, or it died"
    )


def test_a_worker_that_hangs_is_named_while_cases_wait(store: Store) -> None:
    case_id = ready_case(store)
    claim_case(store, worker="w", now=NOW)
    late = store.settings.case_seconds_max + store.settings.lease_seconds + 1
    note_worker(store, replace(WORKER, case_id=case_id, seen_at=after(late)))
    assert asked(store, late) == {}  # nothing else waits
    ready_case(store, 2)

    assert asked(store, late)["workers"].startswith(f"w hangs: it has worked on case {case_id} for longer")


def test_a_queue_that_does_not_move_is_told_although_a_worker_lives(store: Store) -> None:
    ready_case(store)
    note_worker(store, replace(WORKER, seen_at=after(901)))

    assert asked(store, 901) == {
        "queue": f"a case has been due since {NOW.isoformat()}, and no triage ended in 900 s; "
        "see the log of the workers"
    }


def test_a_data_folder_that_cannot_be_written_is_told(store: Store) -> None:
    incoming = store.files.incoming
    assert asked(store) == {}
    assert list(incoming.iterdir()) == []  # nothing is left of the look
    incoming.rmdir()
    incoming.touch()  # where a folder is needed

    assert "cannot be written" in asked(store)["disk"]
