from datetime import timedelta

import httpx

from service.store.database import Store
from service.store.removal import Removal, drop_removed, mark_removed
from service.store.worklist import load_case
from tests.service.material import NOW, triaged_case


def remove(store: Store, case_id: int) -> None:
    detail = load_case(store, case_id)
    uids = [item.sop_instance_uid for item in detail.instances]
    removal = Removal(at=NOW + timedelta(days=30), why="test", state=detail.summary.state)
    assert mark_removed(store, detail.summary.study_instance_uid, uids, removal) == 1
    assert drop_removed(store, uids[0])


def test_pictures_of_removed_pixels_are_gone_and_the_answer_says_since_when(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    paths = ("/api/v1/instances/2.25.1.1.1/rendered.png", f"/api/v1/cases/{case_id}/overlay.png")
    tags = [api.get(path).headers["etag"] for path in paths]

    remove(sqlite_store, case_id)

    for path, tag in zip(paths, tags, strict=True):
        for headers in ({}, {"If-None-Match": tag}):
            reply = api.get(path, headers=headers)
            assert reply.status_code == 410
            assert reply.json()["type"] == "/problems/removed"
            assert reply.json()["detail"] == "pixels removed on 2026-03-31: test"


def test_the_case_and_its_page_stay_and_say_since_when_the_pixels_are_gone(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    before = api.get(f"/api/v1/cases/{case_id}").json()

    remove(sqlite_store, case_id)

    assert api.get(f"/api/v1/cases/{case_id}").json()["triage"] == before["triage"]
    page = api.get(f"/cases/{case_id}")
    assert page.status_code == 200
    assert "Pixels removed on 2026-03-31: test." in page.text


def test_bytes_that_are_missing_without_a_reason_do_not_break_the_page(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    sqlite_store.files.objects.remove(load_case(sqlite_store, case_id).instances[0].sha256)

    assert api.get(f"/cases/{case_id}").status_code == 200
    assert api.get("/api/v1/instances/2.25.1.1.1/rendered.png").status_code == 404
