"""Results are withheld by DICOMweb from a second reader whose own read is still to come."""

import httpx

from service.dicomweb.stow import make_stow_app
from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.web.guard import access_for
from tests.service.adjudication.test_reads import rules
from tests.service.results.material import TO_PACS, make_due, seen, told_case
from tests.service.security.people import add, desk_on
from tests.service.web.listening import listening, opener


def test_neither_search_nor_retrieval_gives_them(sqlite_store: Store) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_PACS)
    add(sqlite_store, "ada")
    add(sqlite_store, "carl", Role.COORDINATOR)
    access = access_for("127.0.0.1", None, security=SecuritySettings())
    app = make_stow_app(opener(sqlite_store, access=access), access)

    with desk_on(sqlite_store) as desk, listening(app) as url:
        for name, count in (("ada", 1), ("carl", 2)):
            with (
                desk.signed_in(name) as browser,
                httpx.Client(base_url=url, cookies=browser.cookies) as archive,
            ):
                series = archive.get("/studies/2.25.1/series").json()
                instances = archive.get("/studies/2.25.1/instances").json()
                whole = archive.get("/studies/2.25.1/metadata").json()
            assert (name, len(series), len(instances), len(whole)) == (name, count, count, count)
